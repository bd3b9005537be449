// SPDX-License-Identifier: BSD-2-Clause
// What one can do with a chip. One thing is done at a time; what runs long can be stopped.
const NEURONS = Math.min(16, facts.shapes[0][1]), UNSEEN = 20, KEPT = 100;
const watched = { running: false, right: [], asked: 0, learned: 0, taken: 0 };
const clocked = clocks => `${count(clocks)} clocks, ${(clocks / facts.clock / 1000).toFixed(2)} ms on a board at ${facts.clock} MHz`;
const state = { busy: false };

function enable(free) {
  state.busy = !free;
  for (const button of document.querySelectorAll(`[data-works="${at}"]`)) button.disabled = !free;
  freed();
}

// Does one thing. A chip that dies on the way is woken up again, and does again what it had done.
async function doing(work) {
  if (state.busy) return undefined;
  enable(false);
  try {
    const done = await work();
    await proof.follow();
    return done;
  } catch (error) {
    watched.running = false;
    if (!(error instanceof ChipDied)) { say(error.message); return undefined; }
    try {
      say(`The chip's thread ended (${error.message}); a new one repeats what was learned.`);
      await chip.revive((done, total) => say(`The chip's thread ended; a new one repeats what was learned: ${count(done)} of ${count(total)}.`));
      say("The chip's thread had ended. A new one has repeated all that was learned; do the last step again.");
    } catch (again) {
      say(`The chip's thread ended twice (${again.message}); load the page again, and what you have saved.`);
    }
    return undefined;
  } finally {
    enable(true);
  }
}

async function look() {
  const changed = pictures.weights(await chip.glimpse(NEURONS), NEURONS);
  find("changed").textContent = changed ? `${numbered(changed, "weight of these has", "weights of these have")} changed since the last look.` : "";
}

function tell(done, label) {
  const answer = done.answers.at(-1);
  find("answer").textContent = answer;
  find("after").textContent = `after ${done.decisions.at(-1)} of ${facts.ticks} time steps`;
  find("clocks").textContent = clocked(done.clocks);
  pictures.sample(done.logged, answer);
  find("cut").hidden = !done.missed;
  find("position").textContent = count(chip.position);
  return label;
}

// What is drawn, as the chip is given it.
function drawing() {
  const pixels = board.pixels();
  if (!pixels) throw new Error("There is nothing to see yet: draw something first.");
  pictures.given(pixels);
  return pixels;
}

const ask = () => doing(async () => {
  const done = await chip.present(drawing(), null);
  tell(done);
  say(`The chip takes it for a ${done.answers[0]}. If that is wrong, tell it: press the right digit.`);
});

const teach = label => doing(async () => {
  const pixels = drawing(), done = await chip.present(pixels, label);
  tell(done);
  document.documentElement.dataset.taught ??= (performance.now() / 1000).toFixed(3);
  await look();
  const asked = await chip.present(pixels, null);
  tell({ ...asked, clocks: done.clocks });
  say(asked.answers[0] === label
    ? `Learned: the chip now takes it for a ${label}.`
    : `Learned once; the chip still takes it for a ${asked.answers[0]}. Press ${label} again: it learns step by step.`);
});

function score() {
  const right = watched.right.reduce((a, b) => a + b, 0);
  find("score").textContent = watched.right.length
    ? `Of the last ${watched.right.length} pictures that it had never seen, it knew ${right}.` : "";
}

// Learns examples until it is stopped, and asks for unseen ones on the way.
const watch = () => doing(async () => {
  watched.running = true;
  find("watch").disabled = false;
  find("watch").textContent = "Pause";
  say("The chip learns; Pause stops it.");
  let size = 5, since = 0, looked = 0;
  try {
    while (watched.running) {
      const begin = performance.now(), done = await chip.study(size, false), seconds = (performance.now() - begin) / 1000;
      watched.learned += size;
      watched.taken += seconds;
      since += size;
      find("rate").textContent = `${numbered(watched.learned, "picture", "pictures")} learned here, ${(watched.learned / watched.taken).toFixed(0)} a second in this page; `
        + `a board at ${facts.clock} MHz takes ${(done.clocks / size / facts.clock / 1000).toFixed(3)} ms for each.`;
      find("position").textContent = count(chip.position);
      size = Math.max(1, Math.min(50, Math.round(size * .25 / seconds)));
      if (begin - looked > 1500) {
        const shown = await chip.study(1, true);
        watched.learned += 1;
        since += 1;
        const { images } = (await examples()).take(shown.first, 1);
        pictures.given(images);
        tell(shown);
        await look();
        looked = performance.now();
      }
      if (since >= 200) {
        since = 0;
        const asked = await chip.ask(watched.asked % facts.asked, Math.min(UNSEEN, facts.asked));
        watched.asked += asked.labels.length;
        asked.answers.forEach((answer, k) => watched.right.push(answer === asked.labels[k] ? 1 : 0));
        watched.right.splice(0, watched.right.length - KEPT);
        score();
      }
    }
    say("Paused. What was learned stays.");
  } finally {
    watched.running = false;
    find("watch").textContent = "Let it learn";
  }
});

const begin = from => doing(async () => {
  await chip.begin(from);
  Object.assign(watched, { right: [], learned: 0, taken: 0 });
  find("position").textContent = count(chip.position);
  find("rate").textContent = "";
  score();
  pictures.fields = null;
  await look();
  say(from === "trained" ? "The chip has its trained weights." : from === "fresh" ? "The chip knows nothing again." : "Loaded: the chip knows what it knew when this was saved.");
});

const open = async () => {
  await chip.open();
  enable(true);
  say("Ready. Draw a digit, then press what it is.");
  await doing(look);
};

find("watch").addEventListener("click", () => { if (watched.running) watched.running = false; else watch(); });
find("compare").addEventListener("click", () => doing(proof.compare));
find("fresh").addEventListener("click", () => begin("fresh"));
find("trained").addEventListener("click", () => begin("trained"));
find("save").addEventListener("click", () => doing(async () => {
  const text = await saved();
  download(`${facts.preset}.learned.json`, text);
  say("Saved. The file can be loaded here again.");
}));
find("load").addEventListener("change", async event => {
  const [file] = event.target.files;
  event.target.value = "";
  if (!file) return;
  try { await begin(startIn(await file.text())); } catch (error) { say(error.message); }
});
enable(false);

const exported = {
  facts, chip, desk, cable, state, open, say, ask, teach, watch, compare: total => doing(() => proof.compare(total)), begin, saved,
  startIn, watched, pictures,
};
