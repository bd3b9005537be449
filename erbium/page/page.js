// SPDX-License-Identifier: BSD-2-Clause
// The board that all chips of the page are taught from, and its keys.
const learners = [];
for (const [k, facts] of carried.entries()) learners.push(learner(facts, k ? `${k + 1}-` : ""));
const every = work => Promise.all(learners.map(work));
const ask = () => every(one => one.ask());
const teach = label => every(one => one.teach(label));

// What concerns all chips waits for all of them.
function freed() {
  for (const button of document.querySelectorAll("[data-works=all]")) button.disabled = !learners.length || learners.some(one => one.state.busy);
}

find("clear").addEventListener("click", () => { board.clear(); for (const one of learners) one.say("The board is empty."); });
find("ask").addEventListener("click", ask);
for (let label = 0; label < carried[0].classes; ++label) {
  const button = document.createElement("button");
  button.textContent = label;
  button.dataset.works = "all";
  button.disabled = true;
  button.setAttribute("aria-label", `This is a ${label}`);
  button.addEventListener("click", () => teach(label));
  find("labels").append(button);
}
document.addEventListener("keydown", event => {
  const typing = event.target instanceof Element && event.target.closest("button, a, input, summary");
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (/^\d$/.test(event.key) && Number(event.key) < carried[0].classes) teach(Number(event.key));
  else if (event.key === "Enter" && !typing) ask();
  else if ((event.key === "Delete" || event.key === "Backspace") && !typing) board.clear();
  else return;
  event.preventDefault();
});
let later = 0;
window.addEventListener("resize", () => {
  clearTimeout(later);
  later = setTimeout(() => { for (const one of learners) one.pictures.redraw(); }, 100);
});

board.show();
(async () => {
  const missing = lacking();
  if (missing) { for (const one of learners) one.say(missing); return; }
  const opened = await every(one => one.open().then(() => true, error => {
    one.say(`The chip could not be started: ${error.message}. Load the page again, or open it in another browser.`);
    return false;
  }));
  if (opened.every(Boolean)) document.documentElement.dataset.ready = (performance.now() / 1000).toFixed(3);
})();

// For the tests of the page, and for whoever wants to look deeper.
window.erbium = { ...learners[0], learners, board, ask, teach, served, ServedPort, framed, unframed, packedPixels };
