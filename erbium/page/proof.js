// SPDX-License-Identifier: BSD-2-Clause
// Whether the chip computes what the model says.
const proof = {
  samples: 0,
  differing: 0,

  // A second chip learns the first examples, and every answer and weight is compared with what the model has.
  async compare(total = facts.check) {
    const result = find("verdict"), thread = chip.thread;
    result.className = "";
    await thread.call("start", { chip: "check", from: "fresh" });
    const bytes = await part("expected"), answers = bytes.subarray(0, facts.check);
    const weights = new Int16Array(bytes.slice(facts.check).buffer), data = await examples();
    let wrongAnswers = 0, taken = 0;
    for (let at = 0; at < total;) {
      const n = Math.min(20, total - at), begin = performance.now();
      const done = await thread.call("run", { chip: "check", ...data.take(at, n), watch: false });
      taken += performance.now() - begin;
      done.answers.forEach((answer, k) => { wrongAnswers += answer === answers[at + k] ? 0 : 1; });
      result.textContent = `${count(at += n)} of ${count(total)} pictures learned, ${wrongAnswers} answers differ …`;
    }
    result.textContent = "Reading every weight …";
    let wrong = 0, place = 0;
    for (const values of await thread.call("weights", { chip: "check" })) {
      for (const value of values) wrong += value === weights[place++] ? 0 : 1;
    }
    await thread.call("end", { chip: "check" });
    const equal = !wrong && !wrongAnswers && place === weights.length;
    result.className = equal ? "good" : "bad";
    result.textContent = equal
      ? `Equal: ${count(total)} answers and ${count(place)} weights, every one.`
      : `Not equal: ${count(wrongAnswers)} answers and ${count(wrong)} weights differ. This is a defect; please report it.`;
    return { images: total, seconds: taken / 1000, answers: wrongAnswers, weights: wrong, compared: place };
  },

  // After each step, where a server has the model.
  async follow() {
    const result = find("followed");
    try {
      const found = await followed();
      if (!found) return;
      this.samples += found.samples;
      this.differing += found.wrong_answers + found.wrong_weights;
      result.className = this.differing ? "bad" : "good";
      result.textContent = this.differing
        ? `Not equal: ${count(this.differing)} answers and weights differ from the model's. This is a defect; please save it and report it.`
        : `Done again by the model as it went: ${numbered(this.samples, "sample", "samples")}, every answer and, after each step, all ${count(found.weights)} weights equal.`;
    } catch (error) {
      if (error instanceof ChipDied) throw error;
      result.className = "bad";
      result.textContent = error.message;
    }
  },
};
