// SPDX-License-Identifier: BSD-2-Clause
// The switch that connects a board, and what is said of it.
const cable = {
  tell(text, className = "") {
    find("desk-verdict").className = className;
    find("desk-verdict").textContent = text;
  },

  show() {
    find("connect").textContent = desk.there ? "Disconnect the board" : served?.board ? `Connect ${served.board}` : "Connect a board";
    find("read").hidden = !desk.there;
    if (!desk.there) return;
    const { samples, differing, clocks } = desk;
    const taken = samples ? ` The last took ${count(clocks)} clocks, ${(clocks / desk.clock / 1000).toFixed(2)} ms.` : "";
    this.tell(`Connected: ${desk.lanes} lanes at ${desk.clock} MHz. ${numbered(samples, "sample", "samples")} on the board, `
      + `of which ${numbered(differing, "differs", "differ")} from the chip in this page.${taken}`, differing ? "bad" : "good");
  },

  lost(error) {
    this.tell(`${error.message} The chip in this page has learned the same and goes on: save what it knows, or connect the board again.`, "bad");
    this.show();
  },

  // Connects a port, or ends that; what is wrong is said, and changes nothing.
  async turn() {
    if (desk.there) {
      await desk.leave();
      this.tell("Disconnected. The board keeps what it knows until it is switched off; so does this page.");
      this.show();
      return;
    }
    try {
      const port = served?.board ? new ServedPort() : await navigator.serial.requestPort();
      this.tell("The board is asked, and gets the weights …");
      await desk.connect(port, await chip.weights());
      this.show();
    } catch (error) {
      if (error instanceof ChipDied) throw error;
      this.tell(error.name === "NotFoundError" ? "No port was chosen." : error.message, "bad");
      this.show();
    }
  },

  // Every weight of the board against those of the page's chip.
  async compare() {
    const theirs = await desk.beside(desk.weights()), mine = await chip.weights();
    if (!theirs) return null;
    let wrong = 0, compared = 0;
    mine.forEach((values, layer) => values.forEach((value, k) => { ++compared; wrong += value === theirs[layer][k] ? 0 : 1; }));
    this.tell(wrong ? `${count(wrong)} of ${count(compared)} weights differ. This is a defect; please report it.`
      : `Equal: ${count(compared)} weights of the board, every one.`, wrong ? "bad" : "good");
    return { compared, wrong };
  },
};

if (served?.board || navigator.serial) {
  find("connect").hidden = false;
  cable.show();
} else {
  cable.tell("This browser has no Web Serial, over which a page reaches a board: open the page in Chrome or Edge on a computer, "
    + `or type "erbium page ${facts.preset} --serve 8000 --board auto".`);
}
find("connect").addEventListener("click", () => doing(() => cable.turn()));
find("read").addEventListener("click", () => doing(() => cable.compare()));
