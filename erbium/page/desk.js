// SPDX-License-Identifier: BSD-2-Clause
// The board on the desk: it does what the page's chip does, beside it, and every answer is compared. What it has learned
// is never lost with it, as the page's chip has learned the same.
const desk = {
  link: null,

  get there() { return this.link !== null; },

  // What work with the board comes to; null if that ends it, which the page's chip survives.
  async beside(work) {
    try { return await work; } catch (error) {
      await this.leave();
      cable.lost(error);
      return null;
    }
  },

  // Results of the same samples, from the board and from the page's chip.
  compare(results, { answers, ticks, decisions }) {
    results.forEach(({ answer, ticks: taken, decision }, k) => {
      this.samples += 1;
      this.differing += answer === answers[k] && taken === ticks[k] && decision === decisions[k] ? 0 : 1;
    });
  },

  registers(name, words = 1) {
    const { windows, registers, word } = facts.link;
    return this.link.read(windows.registers, registers[name], words, word);
  },

  async register(name, words = 1) { return number((await this.link.ask([this.registers(name, words)]))[0]); },

  // Opens a port at the rate at which a chip answers, and has its chip know what `weights` say.
  async connect(port, weights) {
    const { rates } = facts.link;
    for (const rate of rates) {
      const line = new Line(port);
      try {
        await line.open(rate).catch(error => {
          throw new LinkError(`The port cannot be opened (${error.message.replace(/\.$/, "")}); close whatever else uses it, and choose it again.`);
        });
        this.link = new Link(line, facts.link);
        if (await this.answers()) {
          await this.check();
          await this.load(weights);
          Object.assign(this, { samples: 0, differing: 0, counted: 0 });
          return;
        }
        await this.leave();
      } catch (error) {
        await this.leave();
        await line.close();
        throw error;
      }
    }
    throw new LinkError(`Nothing at this port answers at ${rates.map(count).join(" or ")} baud; check the cable, and that the board holds `
      + `${facts.preset}: "erbium flash BOARD ${facts.preset}" loads it.`);
  },

  async answers() {
    const { link } = this;
    await link.line.wake();
    Object.assign(link, { attempts: 1, patience: 1000 });
    try {
      this.magic = await this.register("magic");
      return true;
    } catch (error) {
      if (!(error instanceof SilentError)) throw error;
      return false;
    } finally {
      Object.assign(link, { attempts: ATTEMPTS, patience: 2000 });
    }
  },

  // That it is a chip of this network, in a known state; and how it is built.
  async check() {
    const { magic, protocol, windows, registers, presets, word, reset } = facts.link;
    if (this.magic !== magic) throw new LinkError("What answers at this port is no Erbium chip; choose another port.");
    const spoken = await this.register("protocol");
    if (spoken !== protocol) {
      throw new LinkError(`The board speaks version ${spoken} of the host link, and this page version ${protocol}; build its bitstream with the same Erbium.`);
    }
    const [bytes] = await this.link.ask([this.registers("digest", 2)]);
    const digest = bytes.reverse().map(byte => byte.toString(16).padStart(2, "0")).join("");
    if (digest !== facts.digest) {
      throw new LinkError(`The board holds ${presets[digest] ?? `a network with digest ${digest}`}, and this page is of ${facts.preset}; `
        + `load its bitstream with "erbium flash BOARD ${facts.preset}"${digest in presets ? `, or make the page of ${presets[digest]}` : ""}.`);
    }
    await this.rest();
    await this.link.ask([this.link.write(windows.registers, registers.control, little(reset, word))]);
    this.turn = 0;
    this.lanes = await this.register("lanes");
    this.clock = await this.register("clock_frequency") / 1e6;
  },

  // Waits until the array has nothing more to do.
  async rest() {
    for (let k = 0; !(await this.register("status") & facts.link.idle); ++k) {
      if (k === 100) throw new LinkError("The board's chip does not come to rest; reset the board.");
      await after(50);
    }
  },

  // Replaces all weights.
  async load(weights) {
    const { windows, rows, longest } = facts.link, requests = [];
    weights.forEach((values, layer) => {
      const [entries, size, wide] = rows[layer], perRow = size / wide, most = Math.max(1, Math.floor((longest - 5) / size));
      for (let row = 0; row < entries; row += most) {
        const held = values.subarray(row * perRow, (row + most) * perRow);
        requests.push(this.link.write(windows.weights + layer, row, [...held].flatMap(value => little(value & 0xFFFF, wide))));
      }
    });
    await this.link.ask(requests);
  },

  async weights() {
    const { windows, rows } = facts.link, all = [];
    for (const [layer, [entries, size, wide]] of rows.entries()) {
      const most = Math.max(1, Math.floor(BURST / size)), requests = [];
      for (let row = 0; row < entries; row += most) {
        requests.push(this.link.read(windows.weights + layer, row, Math.min(most, entries - row), size));
      }
      const bytes = Uint8Array.from((await this.link.ask(requests)).flat());
      all.push(wide === 2 ? new Int16Array(bytes.buffer) : Int16Array.from(new Int8Array(bytes.buffer)));
    }
    return all;
  },

  // Presents samples, each exactly once: the chip takes only the one whose turn it is, and tells how far it is.
  async run({ images, labels }, first) {
    const { requests, formats, windows, registers, reply: replied, refused, word, result, history, outOfTurn } = facts.link;
    const { link } = this, tags = new Set();
    const total = images.length / facts.inputs, turnOf = k => (this.turn + k) & 255, results = [];
    const ahead = turn => results.length + ((turn - turnOf(results.length)) & 255);
    let next = 0, strays = 0;
    link.failures = 0;
    while (results.length < total) {
      for (; next < total && next - results.length < UNANSWERED; ++next) {
        const [format, pixels] = packedPixels(images.subarray(next * facts.inputs, (next + 1) * facts.inputs), formats);
        const seed = sampleSeed(facts.seed, labels !== null, first + next);
        tags.add(await link.send(requests.sample, [turnOf(next), (labels ? 1 : 0) | format << 1, labels?.[next] ?? 0, ...little(seed, 4), ...pixels]));
      }
      const reply = await link.reply(), [turn, ...outcome] = reply?.payload ?? [];
      if (reply?.kind === (requests.sample | replied)) {
        const distance = (turn - turnOf(results.length)) & 255;
        if (!distance) {
          results.push({ answer: outcome[0], ticks: number(outcome.slice(1, 3)), decision: number(outcome.slice(3, 5)) });
          tags.delete(reply.tag);
          link.failures = 0;
          continue;
        }
        // Known already, as the chip was asked for it.
        if (distance > 128 && ++strays < STRAYS) continue;
      } else if (reply && !tags.has(reply.tag)) {
        if (++strays < STRAYS) continue;
      } else if (reply?.kind === refused && turn !== outOfTurn) throw link.refusal(reply);
      // A sample or its reply was lost: the chip says which samples it has, and what it made of them.
      await link.failed();
      tags.clear();
      const trouble = link.failures, known = results.length;
      const [state] = await link.ask([link.read(windows.registers, registers.next_turn, 2, word)]);
      const accepted = ahead(state[0]), finished = ahead(state[word]);
      if (finished > accepted || accepted > next) throw new LinkError("The board was reset, or somebody else talks to it; connect it again.");
      while (results.length < finished) {
        const [entry] = await link.ask([link.read(windows.results, turnOf(results.length) % history, 1, result)]);
        results.push({ answer: entry[0], ticks: number(entry.slice(2, 4)), decision: number(entry.slice(4, 6)) });
      }
      next = accepted;
      link.failures = results.length > known ? 0 : trouble;
    }
    this.turn = turnOf(total);
    const before = this.counted;
    await this.rest();
    this.counted = number((await link.ask([this.registers("count_cycles", 2)]))[0]);
    this.clocks = Math.round((this.counted - before) / total);
    return results;
  },

  async leave() {
    const { link } = this;
    this.link = null;
    await link?.line.close();
  },
};
