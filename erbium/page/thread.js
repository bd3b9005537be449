// SPDX-License-Identifier: BSD-2-Clause
// The chip's thread: calls of the worker, and answers that come within a bounded time or not at all.
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
