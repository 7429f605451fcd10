import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  deriveKey,
  keyToHex,
  philox4x32,
  Random,
  type PhiloxBlock,
  type RandomKey,
} from "../../../core/src/numerics/random.js";

const key = fc.tuple(fc.nat(0xffffffff), fc.nat(0xffffffff));

describe("philox4x32()", () => {
  // Known answers of Random123 for ten rounds: zeros, ones, digits of pi.
  const vectors: [PhiloxBlock, RandomKey, string][] = [
    [[0, 0, 0, 0], [0, 0], "6627e8d5e169c58dbc57ac4c9b00dbd8"],
    [[0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff], [0xffffffff, 0xffffffff], "408f276d41c83b0ea20bc7c66d5451fd"],
    [[0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344], [0xa4093822, 0x299f31d0], "d16cfe0994fdcceb5001e42024126ea1"],
  ];
  it.each(vectors)("gives the published words when counter is %j and key is %j", (counter, words, expected) => {
    const [a, b, c, d] = philox4x32(counter, words);
    expect(keyToHex([a, b]) + keyToHex([c, d])).toBe(expected);
  });
});

describe("Random", () => {
  it("uniform() takes the top 24 bits of the first word when counting from 0", () => {
    const random = new Random([0, 0]);
    expect(random.uniform()).toBe(0x6627e8 / 2 ** 24);
    const second = random.uniform();
    expect(second).toBe((philox4x32([1, 0, 0, 0], [0, 0])[0] >>> 8) / 2 ** 24);
    expect(Math.fround(second)).toBe(second);
  });

  it("uniform() carries into the second word when the counter passes 2^32", () => {
    const random = new Random([1, 2], 2 ** 32 + 5);
    expect(random.uniform()).toBe((philox4x32([5, 1, 0, 0], [1, 2])[0] >>> 8) / 2 ** 24);
  });

  it("state restores the same draws when given to a new generator", () => {
    fc.assert(
      fc.property(key, fc.nat(20), (words, draws) => {
        const random = new Random(words);
        for (let i = 0; i < draws; i++) random.integer(0, i + 1);
        const { key: savedKey, counter } = JSON.parse(JSON.stringify(random.state));
        const restored = new Random(savedKey, counter);
        expect([restored.uniform(), restored.normal(), restored.integer(-5, 5)]).toEqual([
          random.uniform(),
          random.normal(),
          random.integer(-5, 5),
        ]);
      }),
    );
  });

  it("integer() stays inside its range and reaches every value when the range is small", () => {
    const random = new Random(deriveKey(1));
    const counts = new Map<number, number>();
    for (let i = 0; i < 6000; i++) {
      const value = random.integer(-2, 4);
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
    expect([...counts.keys()].sort((a, b) => a - b)).toEqual([-2, -1, 0, 1, 2, 3]);
    // Five standard deviations of a binomial with n = 6000, p = 1/6.
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(145);
  });

  it.each([
    [3, 3],
    [4, 3],
    [0, 1.5],
    [NaN, 3],
  ])("integer() throws EMPTY_RANGE when the range is [%d, %d)", (low, high) => {
    expect(() => new Random([0, 0]).integer(low, high)).toThrow(expect.objectContaining({ code: "EMPTY_RANGE" }));
  });

  it("pick() throws EMPTY_RANGE when there is nothing to pick", () => {
    expect(() => new Random([0, 0]).pick([])).toThrow(expect.objectContaining({ code: "EMPTY_RANGE" }));
  });

  it("shuffle() gives a permutation and leaves its argument when items are any", () => {
    fc.assert(
      fc.property(key, fc.array(fc.integer()), (words, items) => {
        const before = [...items];
        const shuffled = new Random(words).shuffle(items);
        expect(items).toEqual(before);
        expect([...shuffled].sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
      }),
    );
  });

  it("shuffle() reaches the six orders of three items about equally often", () => {
    const random = new Random(deriveKey(2));
    const counts = new Map<string, number>();
    for (let i = 0; i < 6000; i++) {
      const order = random.shuffle([0, 1, 2]).join("");
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect(counts.size).toBe(6);
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(145);
  });

  it("uniform() and normal() have the moments of their distributions", () => {
    const random = new Random(deriveKey(3));
    const moments = (draw: () => number) => {
      const values = Array.from({ length: 20000 }, draw);
      const mean = values.reduce((a, b) => a + b) / values.length;
      return [mean, values.reduce((a, b) => a + (b - mean) ** 2, 0) / values.length];
    };
    const [uniformMean, uniformVariance] = moments(() => random.uniform());
    expect(uniformMean).toBeCloseTo(0.5, 1);
    expect(uniformVariance).toBeCloseTo(1 / 12, 2);
    const [normalMean, normalVariance] = moments(() => random.normal());
    expect(Math.abs(normalMean ?? 1)).toBeLessThan(0.04);
    expect(Math.abs((normalVariance ?? 0) - 1)).toBeLessThan(0.05);
  });
});

describe("deriveKey()", () => {
  it("gives no key twice when tuples of seed, step, task, slot and purpose differ", () => {
    const seen = new Set<string>();
    let tuples = 0;
    for (let seed = 0; seed < 2; seed++)
      for (let step = 0; step < 25; step++)
        for (let task = 0; task < 125; task++)
          for (let slot = 0; slot < 8; slot++)
            for (const purpose of ["sample", "shuffle"]) {
              seen.add(keyToHex(deriveKey(seed, step, `task/${task}`, slot, purpose)));
              tuples++;
            }
    expect(tuples).toBe(100_000);
    expect(seen.size).toBe(tuples);
  });

  it("tells parts apart when their texts joined are the same", () => {
    const keys = [
      deriveKey(1),
      deriveKey(1, ""),
      deriveKey(1, "", ""),
      deriveKey(1, 1),
      deriveKey(1, "1"),
      deriveKey(1, "ab", "c"),
      deriveKey(1, "a", "bc"),
      deriveKey(1, "abc"),
      deriveKey(1, "abcd", "e"),
      deriveKey(1, "abcde"),
      deriveKey(1, "a\0"),
      deriveKey(1, "a"),
      deriveKey(1, 0.5),
      deriveKey(1, 2 ** 40),
    ];
    expect(new Set(keys.map(keyToHex)).size).toBe(keys.length);
  });

  it("stays the same from release to release when given one tuple", () => {
    expect(keyToHex(deriveKey(42, 3, "gsm8k/7", 0, "sample"))).toBe("831527692b514779");
  });
});

describe("keyToHex()", () => {
  it("pads each word to eight digits when it begins with zeros", () => {
    expect(keyToHex([1, 0xabc])).toBe("0000000100000abc");
  });
});
