// SPDX-License-Identifier: BSD-2-Clause
// The chip as the page sees it, and what has been done since the start. A thread that dies loses nothing: all that it
// did can be done again, and gives the same weights.
const chip = {
  thread: null,
  position: 0,
  // Where it began: "fresh", or weights and a position; and the steps since then, the last of which may go on.
  start: "fresh",
  steps: [],
  // How many of them the model has done again, and what the chip knew then.
  settled: { steps: 0, start: null },

  async open() {
    const [module, fresh, trained] = await Promise.all(["chip", "fresh", "trained"].map(part));
    this.carried = { facts, chip: module, fresh, trained };
    await this.awaken();
    await this.begin("fresh");
  },

  async awaken() {
    this.thread = new Thread();
    await this.thread.call("open", { given: this.carried });
  },

  // Begin anew from "fresh", "trained", or weights and a position.
  async begin(from) {
    if (this.thread.dead) await this.awaken();
    const known = typeof from === "string";
    await this.thread.call("start", { chip: "own", from: known ? from : "fresh" });
    if (!known) await this.thread.call("load", { chip: "own", ...from });
    await this.teachBoard();
    this.position = known && from === "trained" ? facts.trained.position : known ? 0 : from.position;
    this.start = from;
    this.steps = [];
    this.settled = { steps: 0, start: null };
  },

  // Has the board, if there is one, know what the chip knows.
  async teachBoard() {
    if (!desk.there) return;
    const weights = await this.weights();
    await desk.beside(desk.load(weights));
  },

  // The page's chip, and the board beside it if there is one: the same samples with the same random numbers.
  async run(given) {
    const first = given.labels ? this.position : 0;
    const [done, beside] = await Promise.allSettled([
      this.thread.call("run", { chip: "own", ...given }), desk.there ? desk.beside(desk.run(given, first)) : null,
    ]);
    if (done.status === "rejected") throw done.reason;
    if (beside.value) {
      desk.compare(beside.value, done.value);
      cable.show();
    }
    return done.value;
  },

  // A picture, learned if it has a label; the log of its spikes comes along.
  async present(pixels, label) {
    const labels = label === null ? null : Uint8Array.of(label);
    const done = await this.run({ images: pixels, labels, watch: true });
    this.steps.push({ pixels, label, answers: done.answers });
    this.position = done.position;
    return done;
  },

  // The next `n` examples that the page carries.
  async study(n, watch) {
    const first = this.position % facts.images, { images, labels } = (await examples()).take(first, n);
    const done = await this.run({ images, labels, watch });
    const last = this.steps.at(-1);
    const goesOn = this.steps.length > this.settled.steps && "images" in last && (last.images + last.answers.length) % facts.images === first;
    if (goesOn) last.answers = joined(last.answers, done.answers);
    else this.steps.push({ images: first, answers: done.answers });
    this.position = done.position;
    return { ...done, first, labels };
  },

  // Unseen images, from place `first` on. Asking changes nothing.
  async ask(first, n) {
    const { images, labels } = (await unseen()).take(first, n);
    const done = await this.run({ images, labels: null, watch: false });
    return { ...done, labels };
  },

  weights() { return this.thread.call("weights", { chip: "own" }); },
  glimpse(neurons) { return this.thread.call("glimpse", { chip: "own", neurons }); },

  // A new thread for one that died, in which everything is done again that it had done.
  async revive(progress) {
    const { start, steps } = this, { link } = desk;
    // The board has it all, and perhaps a sample more.
    desk.link = null;
    try {
      await this.awaken();
      await this.begin(start);
      let done = 0;
      const total = steps.reduce((sum, step) => sum + step.answers.length, 0);
      for (const step of steps) {
        if ("pixels" in step) { await this.present(step.pixels, step.label); done += 1; }
        for (let left = ("images" in step) ? step.answers.length : 0; left > 0;) {
          const n = Math.min(left, 50);
          await this.study(n, false);
          left -= n;
          progress(done += n, total);
        }
      }
    } finally {
      desk.link = link;
    }
    await this.teachBoard();
  },
};
