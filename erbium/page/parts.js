// SPDX-License-Identifier: BSD-2-Clause
// What the page carries of one chip. Its elements have their names after `at`.
const find = id => document.getElementById(at + id);
const say = text => { find("status").textContent = text; };

// A packed part of the page, unpacked.
async function part(name) {
  const packed = new Blob([bytesOf(document.getElementById(facts.parts[name]).textContent)]);
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
