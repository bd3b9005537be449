// SPDX-License-Identifier: BSD-2-Clause
// What the page carries, and words.
const facts = JSON.parse(document.getElementById("facts").textContent);
const find = id => document.getElementById(id);
const say = text => { find("status").textContent = text; };
const count = number => number.toLocaleString("en-US");

const bytesOf = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));

function textOf(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

// A packed part of the page, unpacked.
async function part(name) {
  const packed = new Blob([bytesOf(find(`part-${name}`).textContent)]);
  return new Uint8Array(await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer());
}

// Labelled images, unpacked when they are first wanted.
function lazily(name, total) {
  let loaded = null;
  return () => loaded ??= part(name).then(bytes => ({
    total,
    images: bytes.subarray(0, total * facts.inputs),
    labels: bytes.subarray(total * facts.inputs),
    // Those from place `first` on, beginning anew after the last one.
    take(first, n) {
      const places = Array.from({ length: n }, (_, k) => (first + k) % total);
      const images = new Uint8Array(n * facts.inputs);
      places.forEach((place, k) =>
        images.set(this.images.subarray(place * facts.inputs, (place + 1) * facts.inputs), k * facts.inputs));
      return { images, labels: Uint8Array.from(places, place => this.labels[place]) };
    },
  }));
}

const examples = lazily("images", facts.images), unseen = lazily("asked", facts.asked);

// What this browser lacks, as a sentence; empty if it lacks nothing.
function lacking() {
  const way = "; open the page in a newer Firefox, Chrome, Edge or Safari";
  if (typeof WebAssembly !== "object") return `This browser runs no WebAssembly, which the chip is${way}.`;
  if (typeof DecompressionStream !== "function") return `This browser cannot unpack what the page carries${way}.`;
  if (typeof Worker !== "function") return `This browser gives the chip no thread of its own${way}.`;
  // A function with one instruction on vectors: the hardware's lanes are such.
  const vectors = [0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11];
  if (!WebAssembly.validate(new Uint8Array(vectors))) return `This browser's WebAssembly has no vectors${way}.`;
  return "";
}
