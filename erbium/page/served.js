// SPDX-License-Identifier: BSD-2-Clause
// What a page can do that `erbium page --serve` shows: the model, and the line to the board behind it. Null elsewhere.
const served = JSON.parse(find("served").textContent);

async function post(what, body) {
  let answer = null;
  try {
    answer = await fetch(what, { method: "POST", body, headers: { "X-Erbium": served.token } });
  } catch { /* said below */ }
  if (!answer) throw new Error("The server of this page is gone; start it again, and load the page again.");
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer;
}

// The line to the board behind the page, as a port of Web Serial.
class ServedPort {
  async open() {
    const session = await (await post("board/open")).text();
    this.readable = new ReadableStream({
      pull: async control => {
        for (;;) {
          const bytes = new Uint8Array(await (await post(`board/read?${session}`)).arrayBuffer());
          if (this.closed) return;
          if (bytes.length) { control.enqueue(bytes); return; }
        }
      },
      cancel: () => { this.closed = true; },
    }, { highWaterMark: 0 });
    this.writable = new WritableStream({ write: bytes => post(`board/write?${session}`, bytes) });
    this.closed = false;
  }

  async close() { this.closed = true; }
}
