// SPDX-License-Identifier: BSD-2-Clause
// The chip as the page sees it: calls to the worker, one after the other, and what has been done since the start. A
// worker that dies loses nothing: all that it did can be done again, and gives the same weights.
const PATIENCE = 120_000;

class ChipDied extends Error {}

class Thread {
  constructor() {
    const source = new Blob([find("worker").textContent], { type: "text/javascript" });
    this.place = URL.createObjectURL(source);
    this.worker = new Worker(this.place);
    this.waiting = new Map();
    this.number = 0;
    this.worker.onmessage = ({ data: { number, result, error } }) => {
      const call = this.waiting.get(number);
      this.waiting.delete(number);
      if (error === undefined) call.resolve(result); else this.die(error, call);
    };
    this.worker.onerror = event => { event.preventDefault(); this.die(event.message || "it could not be started"); };
    this.worker.onmessageerror = () => this.die("it sent what cannot be read");
  }

  call(what, given = {}) {
    return new Promise((resolve, reject) => {
      if (this.dead) { reject(new ChipDied(this.dead)); return; }
      const call = { resolve, reject };
      call.timer = setTimeout(() => this.die(`no answer within ${PATIENCE / 1000} seconds`, call), PATIENCE);
      const number = ++this.number;
      this.waiting.set(number, {
        resolve: value => { clearTimeout(call.timer); resolve(value); },
        reject: error => { clearTimeout(call.timer); reject(error); },
      });
      this.worker.postMessage({ number, what, given });
    });
  }

  die(reason, call) {
    this.dead = reason;
    this.worker.terminate();
    URL.revokeObjectURL(this.place);
    call?.reject(new ChipDied(reason));
    for (const one of this.waiting.values()) one.reject(new ChipDied(reason));
    this.waiting.clear();
  }
}

const chip = {
  thread: null,
  position: 0,
  // Where it began: "fresh", or weights and a position; and the steps since then.
  start: "fresh",
  steps: [],

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
    this.position = known && from === "trained" ? facts.trained.position : known ? 0 : from.position;
    this.start = from;
    this.steps = [];
  },

  // A picture, learned if it has a label; the log of its spikes comes along.
  async present(pixels, label) {
    const labels = label === null ? null : Uint8Array.of(label);
    const done = await this.thread.call("run", { chip: "own", images: pixels, labels, watch: true });
    this.steps.push({ pixels, label, answers: done.answers });
    this.position = done.position;
    return done;
  },

  // The next `n` examples that the page carries.
  async study(n, watch) {
    const first = this.position % facts.images, { images, labels } = (await examples()).take(first, n);
    const done = await this.thread.call("run", { chip: "own", images, labels, watch });
    const last = this.steps.at(-1);
    const goesOn = last && "images" in last && (last.images + last.answers.length) % facts.images === first;
    if (goesOn) last.answers = joined(last.answers, done.answers);
    else this.steps.push({ images: first, answers: done.answers });
    this.position = done.position;
    return { ...done, first, labels };
  },

  // Unseen images, from place `first` on. Asking changes nothing.
  async ask(first, n) {
    const { images, labels } = (await unseen()).take(first, n);
    const done = await this.thread.call("run", { chip: "own", images, labels: null, watch: false });
    return { ...done, labels };
  },

  weights() { return this.thread.call("weights", { chip: "own" }); },
  glimpse(neurons) { return this.thread.call("glimpse", { chip: "own", neurons }); },

  // A new thread for one that died, in which everything is done again that it had done.
  async revive(progress) {
    const { start, steps } = this;
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
  },
};

function joined(a, b) {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
