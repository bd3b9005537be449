// SPDX-License-Identifier: BSD-2-Clause
// The number that a sample's random numbers follow from: erbium.sw_model.constants.sample_seeds.
function sampleSeed(seed, learn, number) {
  const mask = (1n << 64n) - 1n, golden = 0x9E3779B97F4A7C15n;
  let state = golden;
  for (const word of [2n, BigInt(seed), learn ? 1n : 0n, BigInt(number)]) {
    state = ((state ^ word) + golden) & mask;
    state = ((state ^ (state >> 30n)) * 0xBF58476D1CE4E5B9n) & mask;
    state = ((state ^ (state >> 27n)) * 0x94D049BB133111EBn) & mask;
    state ^= state >> 31n;
  }
  return Number(state >> 32n);
}
