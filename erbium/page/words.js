// SPDX-License-Identifier: BSD-2-Clause
// What all chips of the page share: their facts, and words.
const find = id => document.getElementById(id);
const carried = JSON.parse(find("facts").textContent);
const count = number => number.toLocaleString("en-US");
const numbered = (n, one, many) => `${count(n)} ${n === 1 ? one : many}`;

const bytesOf = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0));

function textOf(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
  return btoa(text);
}

function joined(a, b) {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}

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
