import { describe, expect, test } from "vitest";
import { RestartIntensity } from "../../../core/src/actors/supervisor.js";

describe("RestartIntensity", () => {
  test("next() gives no pause at first, then doubles it up to its longest when crashes follow one another", () => {
    const restarts = new RestartIntensity({
      restart: "permanent",
      maxRestarts: 5,
      withinMs: 1000,
      backoffMs: [10, 50],
    });
    expect([0, 1, 2, 3, 4, 5].map((now) => restarts.next(now))).toEqual([0, 10, 20, 40, 50, undefined]);
  });

  test("next() forgets restarts when they are longer ago than the period", () => {
    const restarts = new RestartIntensity({ restart: "permanent", maxRestarts: 1, withinMs: 100, backoffMs: [10, 50] });
    expect([0, 50, 99, 100, 150, 200].map((now) => restarts.next(now))).toEqual([
      0,
      undefined,
      undefined,
      0,
      undefined,
      0,
    ]);
  });

  test("next() restarts nothing when the actor is temporary", () => {
    expect(
      new RestartIntensity({ restart: "temporary", maxRestarts: 9, withinMs: 1, backoffMs: [1, 1] }).next(0),
    ).toBeUndefined();
  });
});
