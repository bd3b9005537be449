// SPDX-License-Identifier: BSD-2-Clause
// What one sees of the chip: the spikes of a sample, the membranes of its outputs, and weights as pictures.

// A canvas as fine as the screen, in the size that the page gives it.
function sheet(id) {
  const canvas = find(id), fine = Math.min(devicePixelRatio || 1, 2);
  const width = canvas.clientWidth || 300, height = canvas.clientHeight || 150;
  canvas.width = width * fine;
  canvas.height = height * fine;
  const pen = canvas.getContext("2d");
  pen.scale(fine, fine);
  pen.font = "12px system-ui, sans-serif";
  return { pen, width, height };
}

// The log of a sample, read: spikes as [tick, neuron] by population, and membranes of the outputs by tick.
function readLog(log) {
  const spikes = facts.populations.map(() => []), ticks = facts.populations.map(() => 0), ended = [];
  const membranes = [[]], last = facts.populations.length - 1;
  for (const entry of log ?? []) {
    const kind = facts.kinds[entry & 7], population = entry >>> 3 & 31, value = entry >>> 8;
    // After the end of a sample a first-spike network learns, and its spikes come once more.
    if (ended[population]) continue;
    if (kind === "spike") spikes[population].push([ticks[population], value]);
    else if (kind === "membrane") membranes.at(-1).push(value << 16 >> 16);
    else if (kind === "end") ended[population] = true;
    else if (kind === "tick") {
      ticks[population] += 1;
      if (population === last) membranes.push([]);
    }
  }
  return { spikes, membranes: membranes.filter(values => values.length), ticks: Math.max(1, ...ticks) };
}

const pictures = {
  seen: null,
  fields: null,

  sample(log, answer) {
    this.seen = { ...readLog(log), answer };
    this.raster();
    this.membranes();
  },

  // One dot for each spike: time from left to right, a band for each population.
  raster() {
    const { pen, width, height } = sheet("raster");
    if (!this.seen) return;
    const colours = ["--input", ...facts.populations.slice(2).map(() => "--hidden"), "--output"].map(board.colour);
    const gap = 8, shares = facts.populations.map((_, k) => k === facts.populations.length - 1 ? .25 : 1);
    const whole = shares.reduce((a, b) => a + b), room = height - gap * shares.length;
    let top = 0;
    facts.populations.forEach(([, neurons], k) => {
      const band = room * shares[k] / whole, step = width / this.seen.ticks;
      pen.fillStyle = board.colour("--rule");
      pen.fillRect(0, top + band + gap / 2, width, 1);
      pen.fillStyle = colours[k];
      const tall = Math.max(1.5, Math.min(band / neurons, 6)), wide = Math.max(1.5, Math.min(step * .6, 9));
      for (const [tick, neuron] of this.seen.spikes[k]) {
        pen.fillRect((tick + .5) * step - wide / 2, top + neuron / neurons * band, wide, tall);
      }
      top += band + gap;
    });
  },

  // A curve for each output; that of the answer is drawn last, in the accent's colour.
  membranes() {
    const { pen, width, height } = sheet("membranes");
    if (!this.seen?.membranes.length) return;
    const { membranes, answer } = this.seen, all = membranes.flat();
    const low = Math.min(0, ...all), span = Math.max(1, Math.max(...all) - low), right = width - 22;
    const y = value => height - 10 - (value - low) / span * (height - 20);
    pen.fillStyle = board.colour("--rule");
    pen.fillRect(0, y(0), right, 1);
    const order = membranes[0].map((_, k) => k).filter(k => k !== answer).concat(answer);
    for (const k of order) {
      const chosen = k === answer;
      pen.strokeStyle = board.colour(chosen ? "--accent" : "--muted");
      pen.lineWidth = chosen ? 3 : 1;
      pen.beginPath();
      membranes.forEach((values, tick) => pen.lineTo(right * tick / Math.max(1, membranes.length - 1), y(values[k])));
      pen.stroke();
    }
    pen.fillStyle = board.colour("--accent");
    pen.font = "bold 16px system-ui, sans-serif";
    pen.fillText(answer, right + 6, Math.max(14, y(membranes.at(-1)[answer]) + 5));
  },

  // Weights from the pixels to the first neurons, each neuron a picture; those that changed since the last look shine.
  weights(values, neurons) {
    const grid = find("fields"), limit = facts.weight_limit, before = this.fields;
    while (grid.children.length < neurons) {
      const canvas = document.createElement("canvas");
      canvas.width = facts.width;
      canvas.height = facts.height;
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `Weights of hidden neuron ${grid.children.length + 1}`);
      grid.append(canvas);
    }
    let changed = 0;
    [...grid.children].forEach((canvas, neuron) => {
      const pen = canvas.getContext("2d"), picture = pen.createImageData(facts.width, facts.height);
      for (let k = 0; k < facts.inputs; ++k) {
        const value = values[k * neurons + neuron], share = Math.min(1, Math.abs(value) * 2 / limit);
        const moved = before && before[k * neurons + neuron] !== value;
        changed += moved ? 1 : 0;
        // Blue excites less than nothing, red more; what has just changed is lighter.
        const [r, g, b] = value > 0 ? [226, 60, 90] : [50, 110, 220], lift = moved ? 45 : 0;
        picture.data.set([24 + (r - 24) * share + lift, 22 + (g - 22) * share + lift, 30 + (b - 30) * share + lift, 255], 4 * k);
      }
      pen.putImageData(picture, 0, 0);
    });
    this.fields = values;
    return before ? changed : 0;
  },

  // What the chip is given of a drawing.
  given(pixels) {
    const canvas = find("given");
    canvas.width = facts.width;
    canvas.height = facts.height;
    const pen = canvas.getContext("2d"), picture = pen.createImageData(facts.width, facts.height);
    pixels.forEach((value, k) => picture.data.set([value, value, value, 255], 4 * k));
    pen.putImageData(picture, 0, 0);
  },

  redraw() { this.raster(); this.membranes(); },
};
