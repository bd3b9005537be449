// SPDX-License-Identifier: BSD-2-Clause
// Saving what was learned, with all that led to it, and loading it again.
const FORMAT = "erbium-page", FORMAT_VERSION = 1;

const textsOf = weights => weights.map(values => textOf(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)));

// Where the chip began, its weights included: whoever checks the file need not have the page.
async function startOf(start) {
  if (start === "fresh") return "fresh";
  if (start !== "trained") return { weights: textsOf(start.weights), position: start.position };
  await chip.thread.call("start", { chip: "before", from: "trained" });
  const weights = await chip.thread.call("weights", { chip: "before" });
  await chip.thread.call("end", { chip: "before" });
  return { weights: textsOf(weights), position: facts.trained.position };
}

// Steps from a start, and the weights after them, as text.
async function recorded(start, steps, weights) {
  return JSON.stringify({
    format: FORMAT, version: FORMAT_VERSION, preset: facts.preset, digest: facts.digest, carried: facts.images,
    position: chip.position,
    start: await startOf(start),
    steps: steps.map(step => "pixels" in step
      ? { pixels: textOf(step.pixels), label: step.label, answers: textOf(step.answers) }
      : { images: step.images, answers: textOf(step.answers) }),
    weights: textsOf(weights),
  });
}

const saved = async () => recorded(chip.start, chip.steps, await chip.weights());

// Where a server has the model: lets it do again what the chip has done since it last did, and compares.
async function followed() {
  const steps = chip.steps.slice(chip.settled.steps);
  if (!served?.check || !steps.length) return null;
  const weights = await chip.weights();
  const text = await recorded(chip.settled.start ?? chip.start, steps, weights);
  const found = await (await post("check", text)).json();
  chip.settled = { steps: chip.steps.length, start: { weights, position: chip.position } };
  return found;
}

// The start that a saved text describes. What is wrong with one is thrown as a sentence.
function startIn(text) {
  let kept = null;
  try { kept = JSON.parse(text); } catch { /* said below */ }
  if (kept?.format !== FORMAT || kept.version !== FORMAT_VERSION) {
    throw new Error("This file was not saved by such a page; choose one that was.");
  }
  if (kept.digest !== facts.digest) {
    throw new Error(`This file is of the network ${kept.preset}, and this page has ${facts.preset}; open it in the other page.`);
  }
  let weights = [];
  try { weights = kept.weights.map(one => new Int16Array(bytesOf(one).buffer)); } catch { /* said below */ }
  const sizes = facts.shapes.map(([rows, neurons]) => rows * neurons);
  const fits = weights.length === sizes.length && weights.every((values, k) => values.length === sizes[k]);
  if (!fits || !Number.isSafeInteger(kept.position) || kept.position < 0) {
    throw new Error("This file is damaged: its weights are not complete. Choose another copy.");
  }
  return { weights, position: kept.position };
}

function download(name, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
