// SPDX-License-Identifier: BSD-2-Clause
// The chip's own thread. It holds the hardware as WebAssembly and calls the harness's functions; what a sample does
// to a weight is computed in there, and nowhere in this file.
let facts = null, module = null, memories = null;
const chips = {};

class Chip {
  constructor(start) {
    this.exports = new WebAssembly.Instance(module, {}).exports;
    const memory = this.exports.memory, image = memories[start];
    const missing = image.length - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / 65536));
    // All that the hardware held when its host had written the weights.
    new Uint8Array(memory.buffer).set(image);
    this.handle = facts.handle;
    this.position = start === "trained" ? facts.trained.position : 0;
    this.rooms = {};
    this.rates = this.put("rates", Uint32Array.from(facts.rates));
    this.room("log", 4 * LOG);
  }

  // Room by name, grown when need be; memory is never given back, so a larger one leaves the smaller one lying there.
  room(name, bytes) {
    if (!this.rooms[name] || this.rooms[name].bytes < bytes) {
      this.rooms[name] = { at: this.exports.memory_room(bytes), bytes };
    }
    return this.rooms[name].at;
  }

  put(name, values) {
    const at = this.room(name, values.byteLength);
    new Uint8Array(this.exports.memory.buffer, at, values.byteLength)
      .set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
    return at;
  }

  get(at, Kind, count) {
    return new Kind(this.exports.memory.buffer.slice(at, at + count * Kind.BYTES_PER_ELEMENT));
  }

  check(status) {
    if (status) throw new Error("the array gave no answer: it hangs");
    if (this.exports.chip_collision(this.handle)) throw new Error("the array misused one of its memories");
  }

  // Presents samples; learns them if there are labels. With `watch` the log of the spikes comes along.
  run({ images, labels, watch }) {
    const count = images.length / facts.inputs;
    const learn = labels !== null, first = learn ? this.position : 0;
    const seeds = Uint32Array.from({ length: count }, (_, k) => sampleSeed(facts.seed, learn, first + k));
    const results = this.room("results", 24 * count);
    const log = this.room("log", 4 * LOG), exports = this.exports;
    const before = this.cycles();
    exports.chip_watch(this.handle, watch ? log : 0, watch ? LOG : 0);
    this.check(exports.chip_run(this.handle, BigInt(count), BigInt(facts.inputs), this.put("images", images),
      this.put("seeds", seeds), learn ? this.put("labels", labels) : 0, this.rates, facts.ticks, facts.decide_after,
      results));
    const logged = watch ? this.get(log, Uint32Array, (exports.chip_logged(this.handle) - log) / 4) : null;
    const missed = exports.chip_missed(this.handle);
    exports.chip_watch(this.handle, 0, 0);
    if (learn) this.position += count;
    const table = this.get(results, BigInt64Array, 3 * count);
    return {
      answers: Uint8Array.from({ length: count }, (_, k) => Number(table[3 * k])),
      ticks: Uint16Array.from({ length: count }, (_, k) => Number(table[3 * k + 1])),
      decisions: Uint16Array.from({ length: count }, (_, k) => Number(table[3 * k + 2])),
      clocks: this.cycles() - before, position: this.position, logged, missed,
    };
  }

  counters() {
    const at = this.room("counters", 8 * facts.counters.length);
    this.check(this.exports.chip_counters(this.handle, at));
    const values = this.get(at, BigUint64Array, facts.counters.length);
    return Object.fromEntries(facts.counters.map((name, k) => [name, Number(values[k])]));
  }

  cycles() { return this.counters().cycles; }

  weights() {
    return facts.shapes.map(([rows, neurons], layer) => {
      const at = this.room("weights", 2 * rows * neurons);
      this.check(this.exports.chip_access(this.handle, layer, 0, BigInt(rows * neurons), at, 0));
      return this.get(at, Int16Array, rows * neurons);
    });
  }

  // The weights from each input to the first neurons of the first layer: input by input, as a host reads them.
  glimpse({ neurons }) {
    const seen = new Int16Array(facts.inputs * neurons), at = this.room("row", 2 * neurons);
    for (let row = 0; row < facts.inputs; ++row) {
      this.check(this.exports.chip_access(this.handle, 0, row, BigInt(neurons), at, 0));
      seen.set(this.get(at, Int16Array, neurons), row * neurons);
    }
    return seen;
  }

  load({ weights, position }) {
    weights.forEach((values, layer) =>
      this.check(this.exports.chip_access(this.handle, layer, 0, BigInt(values.length), this.put("weights", values), 1)));
    this.position = position;
    return null;
  }
}

// Entries of the log of one sample: many times what a sample of the largest preset writes.
const LOG = 1 << 18;

const calls = {
  async open({ given }) {
    facts = given.facts;
    memories = { fresh: given.fresh, trained: given.trained };
    module = await WebAssembly.compile(given.chip);
    return null;
  },
  start({ chip, from }) { chips[chip] = new Chip(from); return { position: chips[chip].position }; },
  end({ chip }) { delete chips[chip]; return null; },
};

onmessage = async ({ data: { number, what, given } }) => {
  try {
    const result = what in calls ? await calls[what](given) : chips[given.chip][what](given);
    postMessage({ number, result });
  } catch (error) {
    postMessage({ number, error: String(error.message ?? error) });
  }
};
