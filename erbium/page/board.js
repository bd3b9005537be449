// SPDX-License-Identifier: BSD-2-Clause
// The drawing board: finger, mouse or arrow keys; and the picture that the chip is given of it.
const board = (() => {
  const canvas = find("board"), ink = canvas.getContext("2d", { willReadFrequently: true });
  const size = canvas.width, pen = size / 13;
  const hand = document.createElement("canvas"), strokes = hand.getContext("2d", { willReadFrequently: true });
  hand.width = hand.height = size;
  let last = null, cursor = null, down = false, dirty = false;

  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function line(from, to) {
    strokes.lineCap = strokes.lineJoin = "round";
    strokes.lineWidth = pen;
    strokes.strokeStyle = "#fff";
    strokes.beginPath();
    strokes.moveTo(from.x, from.y);
    strokes.lineTo(to.x + .01, to.y);
    strokes.stroke();
    dirty = true;
    show();
  }

  // The strokes in the page's ink, the ruled square, and the pen of the keyboard.
  function show() {
    ink.globalCompositeOperation = "source-over";
    ink.clearRect(0, 0, size, size);
    ink.drawImage(hand, 0, 0);
    ink.globalCompositeOperation = "source-in";
    ink.fillStyle = colour("--ink");
    ink.fillRect(0, 0, size, size);
    ink.globalCompositeOperation = "source-over";
    if (!cursor) return;
    ink.strokeStyle = colour("--accent");
    ink.lineWidth = 3;
    ink.beginPath();
    ink.arc(cursor.x, cursor.y, pen * .7, 0, 7);
    if (down) { ink.fillStyle = colour("--accent"); ink.fill(); }
    ink.stroke();
  }

  function at(event) {
    const box = canvas.getBoundingClientRect();
    return { x: (event.clientX - box.left) / box.width * size, y: (event.clientY - box.top) / box.height * size };
  }

  canvas.addEventListener("pointerdown", event => {
    // A pointer that is gone, or a made-up one, cannot be held; the stroke is one all the same.
    try { canvas.setPointerCapture(event.pointerId); } catch { /* as said */ }
    cursor = null;
    last = at(event);
    line(last, last);
    event.preventDefault();
    canvas.focus({ preventScroll: true });
  });
  canvas.addEventListener("pointermove", event => {
    if (!last) return;
    const here = at(event);
    line(last, here);
    last = here;
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { last = null; });
  canvas.addEventListener("keydown", event => {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.ctrlKey || event.altKey || event.metaKey || !(event.key in ways || event.key === " ")) return;
    event.preventDefault();
    const before = cursor ??= { x: size / 2, y: size / 4 };
    if (event.key === " ") {
      if (event.repeat) return;
      down = !down;
      if (down) line(cursor, cursor); else show();
      return;
    }
    const [x, y] = ways[event.key], step = size / 20, inside = value => Math.min(Math.max(value, pen), size - pen);
    cursor = { x: inside(before.x + x * step), y: inside(before.y + y * step) };
    if (down) line(before, cursor); else show();
  });
  canvas.addEventListener("blur", () => { cursor = null; down = false; show(); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);

  function clear() {
    strokes.clearRect(0, 0, size, size);
    dirty = false;
    down = false;
    show();
  }

  // The picture as the examples are: as large as theirs, its weight in the middle. Null if nothing is drawn.
  function pixels() {
    if (!dirty) return null;
    const drawn = strokes.getImageData(0, 0, size, size).data;
    let left = size, right = -1, top = size, bottom = -1;
    for (let y = 0; y < size; ++y) for (let x = 0; x < size; ++x) {
      if (drawn[4 * (y * size + x) + 3] < 128) continue;
      left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
    if (right < 0) return null;
    const { width, height } = carried[0], side = Math.min(width, height), room = side <= 8 ? side : Math.min(side, 20);
    // A dot stays one: it is not blown up to the whole square.
    const scale = room / Math.max(right - left + 1, bottom - top + 1, size / 4);
    const small = document.createElement("canvas"), picture = small.getContext("2d", { willReadFrequently: true });
    small.width = width;
    small.height = height;
    picture.imageSmoothingQuality = "high";
    const place = (x, y) => {
      picture.clearRect(0, 0, width, height);
      picture.drawImage(hand, left, top, right - left + 1, bottom - top + 1, x, y,
        (right - left + 1) * scale, (bottom - top + 1) * scale);
      const data = picture.getImageData(0, 0, width, height).data;
      return Uint8Array.from({ length: width * height }, (_, k) => data[4 * k + 3]);
    };
    const x = (width - (right - left + 1) * scale) / 2, y = (height - (bottom - top + 1) * scale) / 2;
    const first = place(x, y);
    let mass = 0, sumX = 0, sumY = 0;
    first.forEach((value, k) => { mass += value; sumX += value * (k % width); sumY += value * Math.floor(k / width); });
    if (!mass) return null;
    if (side <= 8) return first;
    return place(x + Math.round((width - 1) / 2 - sumX / mass), y + Math.round((height - 1) / 2 - sumY / mass));
  }

  return { clear, pixels, show, colour };
})();
