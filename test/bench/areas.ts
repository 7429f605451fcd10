import { measureActors } from "./actors.js";
import type { Area } from "./area.js";
import { measureEngine } from "./engine.js";
import { SHAPE_1M, SHAPE_2M, SHAPE_5M } from "./engine-work.js";
import { measureSandbox } from "./sandbox.js";
import { measureStep } from "./step.js";
import { measureVerify } from "./verify.js";

/** The native engine alone. */
export const engineArea: Area = {
  name: "engine",
  limits:
    "the limit is the measured multiply-add rate of all threads, in fp32 or bf16, over the FLOPs of a token, and in decoding the time that reading the weights once per step takes, where that is longer.",
  measure: (session) =>
    measureEngine(
      {
        shapes: [
          { name: "1M", shape: SHAPE_1M, isOnlyTrained: true },
          { name: "2M", shape: SHAPE_2M, isOnlyTrained: false },
          { name: "5M", shape: SHAPE_5M, isOnlyTrained: true },
        ],
        batch: { count: 32, length: 256 },
        decodeBatches: [1, 64, 256],
        context: 128,
        comparedTokens: 20_000,
        repetitions: { least: 4, seconds: 1.5 },
      },
      session,
    ),
};

/** A whole step of training. */
export const stepArea: Area = {
  name: "step",
  limits:
    "for step/tokens the limit is what the multiply-add rate allows when a step is arithmetic alone; for sampling and training it is the engine's own rate at the same work, between the steps.",
  measure: (session) =>
    measureStep({ distillTokens: 300_000, promptsPerStep: 32, groupSize: 8, maxTokens: 160, steps: 6 }, session),
};

/** Messages between actors. */
export const actorsArea: Area = {
  name: "actors",
  limits:
    "the limit is the bare link at the same moment: the message port of a worker thread (asks: answers found by number; tells: one post each), the channel of a child process, a stream of gRPC, inline the await of an async function; of a time, 1.00× is the best.",
  measure: (session) =>
    measureActors(
      {
        rounds: 15,
        asks: 300,
        inlineAsks: 5_000,
        asksInFlight: 3_000,
        tells: 20_000,
        records: 20_000,
        farAsks: 400,
        crashes: 15,
        swaps: { warmUp: 100, blocks: 50, swapsPerBlock: 10 },
        step: { distillTokens: 40_000, promptsPerStep: 32, groupSize: 8, maxTokens: 160, steps: 3 },
      },
      session,
    ),
};

/** Verdicts of the math checker. */
export const verifyArea: Area = {
  name: "verify",
  limits:
    "the goals are 5,000 verdicts/s on one core, 5 ms at the 99th percentile, 250 ms at most; the limit of serve/… is the checker alone on one core.",
  measure: (session) =>
    measureVerify(
      { passes: 3, cases: Infinity, hasPeer: true, serve: { rounds: 5, items: 500, requests: 8 } },
      session,
    ),
};

/** Programs judged on tests. */
export const sandboxArea: Area = {
  name: "sandbox",
  limits:
    "the limit of the rate is the bare interpreter, one process for each test, at the same moment; the goals are 50 programs/s, 150 ms cold, 250 ms late.",
  measure: (session) => measureSandbox({ programs: 20, rounds: 3 }, session),
};
