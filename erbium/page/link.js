// SPDX-License-Identifier: BSD-2-Clause
// The host link, docs/host-link.md, over a port as Web Serial has them. A request is repeated until it is answered or
// given up; every wait has an end.
const ATTEMPTS = 4, UNANSWERED = 2, QUIET = 40, BURST = 1024, STRAYS = 64;

class LinkError extends Error {}
class SilentError extends LinkError {}
class RefusedError extends LinkError {
  constructor(name) { super(`The board refused a request with ${name}. This is a defect; please report it.`); }
}

const after = milliseconds => new Promise(resolve => { setTimeout(resolve, milliseconds); });

const CRCS = Uint32Array.from({ length: 256 }, (_, value) => {
  for (let bit = 0; bit < 8; ++bit) value = value & 1 ? value >>> 1 ^ 0xEDB88320 : value >>> 1;
  return value;
});
const crc32 = bytes => ~bytes.reduce((crc, byte) => crc >>> 8 ^ CRCS[(crc ^ byte) & 255], -1) >>> 0;

const little = (value, bytes) => Array.from({ length: bytes }, (_, k) => Math.floor(value / 2 ** (8 * k)) & 255);
const number = bytes => bytes.reduceRight((value, byte) => value * 256 + byte, 0);

// A message as it goes over the line: with its CRC, stuffed, and a zero byte at its end.
function framed(message) {
  const frame = [1];
  let code = 0;
  for (const byte of [...message, ...little(crc32(message), 4)]) {
    if (frame[code] === 255) { code = frame.length; frame.push(1); }
    if (byte) { frame.push(byte); frame[code] += 1; } else { code = frame.length; frame.push(1); }
  }
  return Uint8Array.from([...frame, 0]);
}

// The message of a frame without its zero byte; null if it is damaged.
function unframed(frame) {
  const whole = [];
  for (let at = 0; at < frame.length;) {
    const end = at + frame[at];
    if (end === at || end > frame.length) return null;
    for (let k = at + 1; k < end; ++k) whole.push(frame[k]);
    if (frame[at] < 255 && end < frame.length) whole.push(0);
    at = end;
  }
  const message = whole.slice(0, -4);
  return message.length && crc32(message) === number(whole.slice(-4)) ? message : null;
}

// Pixels as runs of black ones and of others, of at most 128; a lone black one between two others stays within their run.
function runs(pixels) {
  const bytes = [];
  for (let at = 0, end = 0; at < pixels.length; at = end) {
    const black = !pixels[at];
    while (end < pixels.length && (black ? !pixels[end] : pixels[end] || end > at && pixels[end - 1] && pixels[end + 1])) ++end;
    for (let from = at; from < end; from += 128) {
      const part = pixels.subarray(from, Math.min(from + 128, end));
      bytes.push(part.length - 1 + (black ? 0 : 128), ...black ? [] : part);
    }
  }
  return bytes;
}

// The pixels of a sample in the format that takes the fewest bytes.
function packedPixels(pixels, formats) {
  const places = [...pixels.keys()].filter(k => pixels[k]);
  const ways = [
    [formats.events, places.flatMap(k => [...little(k, 2), pixels[k]])], [formats.runs, runs(pixels)], [formats.bytes, [...pixels]],
  ];
  if (places.every(k => pixels[k] === 255)) {
    const bytes = new Array(Math.ceil(pixels.length / 8)).fill(0);
    for (const k of places) bytes[k >> 3] |= 1 << (k & 7);
    ways.unshift([formats.bits, bytes]);
  }
  return ways.reduce((best, way) => way[1].length < best[1].length ? way : best);
}

// An open port: bytes out, messages in.
class Line {
  constructor(port) { Object.assign(this, { port, rest: [], messages: [], pending: null }); }

  async open(baudRate) {
    await this.port.open({ baudRate, bufferSize: 1 << 16 });
    this.reader = this.port.readable.getReader();
    this.writer = this.port.writable.getWriter();
  }

  async write(bytes) {
    const written = this.writer.write(bytes).then(() => true, error => { throw this.gone(error); });
    if (!await Promise.race([written, after(5000)])) throw new LinkError("The board takes no more bytes.");
  }

  // What has come within so many milliseconds; null if nothing has.
  async bytes(milliseconds) {
    this.pending ??= this.reader.read().then(got => got, error => ({ error }));
    const got = await Promise.race([this.pending, after(milliseconds)]);
    if (got === undefined) return null;
    this.pending = null;
    if (got.error || got.done) throw this.gone(got.error);
    return got.value;
  }

  // The next message within so many milliseconds: null if it is damaged, undefined if there is none.
  async receive(milliseconds) {
    const end = performance.now() + milliseconds;
    while (!this.messages.length) {
      const left = end - performance.now(), bytes = left > 0 ? await this.bytes(left) : null;
      if (!bytes) return undefined;
      for (const byte of bytes) {
        if (byte) this.rest.push(byte);
        else if (this.rest.length) { this.messages.push(unframed(this.rest)); this.rest = []; }
      }
    }
    return this.messages.shift();
  }

  // Ends whatever frame the board believes it is in, and forgets what comes of earlier ones.
  async wake() {
    await this.write(Uint8Array.of(0));
    for (let k = 0; k < 50 && await this.bytes(QUIET); ++k);
    this.rest = [];
    this.messages = [];
  }

  gone(error) { return new LinkError(`The line to the board is gone${error?.message ? ` (${error.message.replace(/\.$/, "")})` : ""}.`); }

  async close() {
    const closing = (async () => {
      await this.reader?.cancel().catch(() => 0);
      this.reader?.releaseLock();
      this.writer?.releaseLock();
      await this.port.close();
    })().catch(() => 0);
    await Promise.race([closing, after(2000)]);
  }
}

// Requests and their replies, two under way at a time, as every chip has room for.
class Link {
  constructor(line, numbers) { Object.assign(this, { line, numbers, tag: 0, patience: 2000, attempts: ATTEMPTS, failures: 0 }); }

  nextTag() { return this.tag = this.tag % 255 + 1; }

  read(window, first, count, size) {
    const { requests } = this.numbers;
    return { kind: requests.read, bytes: count * size, rest: [window, ...little(first, 2), ...little(count, 2)] };
  }

  write(window, first, entries) {
    return { kind: this.numbers.requests.write, bytes: 0, rest: [window, ...little(first, 2), ...entries] };
  }

  async send(kind, rest) {
    const tag = this.nextTag();
    await this.line.write(framed([kind, tag, ...rest]));
    return tag;
  }

  // The next reply; null if it is lost, or tells that what it answers was.
  async reply() {
    const message = await this.line.receive(this.patience);
    if (!message || message.length < 2) return null;
    const [kind, tag, ...payload] = message, { refused, lost } = this.numbers;
    return kind === refused && lost.includes(payload[0]) ? null : { kind, tag, payload };
  }

  refusal({ payload: [code] }) { return new RefusedError(this.numbers.errors[code] ?? code); }

  // Something went wrong: waits until the line is silent, or gives the board up.
  async failed() {
    if (++this.failures >= this.attempts) {
      throw new SilentError(`The board gives no answer after ${this.attempts} attempts; check the cable, and connect it again.`);
    }
    await this.line.wake();
  }

  // Carries out reads and writes, and returns what the reads bring.
  async ask(requests) {
    const replies = requests.map(() => null), todo = [...requests.keys()], sent = new Map();
    let strays = 0;
    this.failures = 0;
    while (todo.length || sent.size) {
      while (todo.length && sent.size < UNANSWERED) {
        const { kind, rest } = requests[todo[0]];
        sent.set(await this.send(kind, rest), todo.shift());
      }
      const reply = await this.reply(), place = reply && sent.get(reply.tag), wanted = requests[place];
      // What was asked earlier may be answered late.
      if (reply && !wanted && ++strays < STRAYS) continue;
      if (wanted && reply.kind === this.numbers.refused) throw this.refusal(reply);
      if (wanted && reply.kind === (wanted.kind | this.numbers.reply) && reply.payload.length === wanted.bytes) {
        replies[place] = reply.payload;
        sent.delete(reply.tag);
        this.failures = 0;
        continue;
      }
      // Doing one twice is as good as once.
      todo.unshift(...sent.values());
      sent.clear();
      await this.failed();
    }
    return replies;
  }
}
