import {
  promptLength,
  responseLength,
  type ActorRef,
  type GenerateRequest,
  type PolicyEngine,
  type Run,
  type RunSession,
  type Trajectory,
} from "@troupe/core";
import { BusyTime } from "./busy-time.js";
import { secondsOf } from "./repeat.js";

/** The parts of a step, in order; "other" is what no part took. */
export const PARTS = ["generate", "verify", "train", "publish", "store", "other"] as const;

/** One step as it was, and what its engine work takes by itself. */
export interface MeteredStep {
  /** Wall seconds, whole and by part. */
  readonly seconds: Readonly<Record<"step" | (typeof PARTS)[number], number>>;
  readonly responseTokens: number;
  /** Prompts included. */
  readonly trainedTokens: number;
  /** Of every sequence, prompt and response. */
  readonly lengths: readonly number[];
  /** Tokens per second of the engine alone: new answers to the same prompts, the same batches trained again. */
  readonly alone: { readonly generate: number; readonly train: number };
}

type Learner = RunSession["parts"]["learner"];
type UpdateOrder = (Learner extends ActorRef<infer P> ? P : never)["update"]["in"];

/** Watches a run from outside: times its parts, keeps what was sampled and learned from, and has an engine do it again. */
export class StepMeter {
  readonly #engine: PolicyEngine;
  readonly #stopToken: number;
  readonly #generate = new BusyTime();
  readonly #verify = new BusyTime();
  readonly #store = new BusyTime();
  #sampled: Trajectory[] = [];
  #updates: UpdateOrder[] = [];

  /** `engine` has the weights that the run begins with, published. */
  constructor(session: RunSession, engine: PolicyEngine) {
    this.#engine = engine;
    this.#stopToken = session.parts.tokenizer.eosToken;
    const { rollouts, verifiers, learner } = session.parts;
    const rollOut = this.#generate.around(rollouts.rollOut.bind(rollouts));
    rollouts.rollOut = async (...order) => {
      const groups = await rollOut(...order);
      this.#sampled.push(...groups.flat());
      return groups;
    };
    verifiers.verify = this.#verify.around(verifiers.verify.bind(verifiers));
    session.record = this.#store.around(session.record.bind(session));
    const ask = learner.ask.bind(learner);
    learner.ask = (type, message, options) => {
      // "update" takes an UpdateOrder; the compiler does not narrow the message by its type.
      if (type === "update") this.#updates.push(message as UpdateOrder);
      return ask(type, message, options);
    };
  }

  /** Has the run take a step, then the engine do its work again. */
  async measure(run: Run): Promise<MeteredStep> {
    this.#sampled = [];
    this.#updates = [];
    const start = performance.now();
    const { metrics } = await run.step();
    const step = (performance.now() - start) / 1000;
    const parts = {
      generate: this.#generate.take(),
      verify: this.#verify.take(),
      train: metrics["time/train"] ?? 0,
      publish: metrics["time/publish"] ?? 0,
      store: this.#store.take(),
    };
    return {
      seconds: { ...parts, step, other: Object.values(parts).reduce((rest, seconds) => rest - seconds, step) },
      responseTokens: this.#sampled.reduce((sum, trajectory) => sum + responseLength(trajectory), 0),
      trainedTokens: this.#trainedTokens(),
      lengths: this.#sampled.map(({ tokens }) => tokens.length),
      alone: { generate: await this.#sampleAlone(), train: await this.#trainAlone() },
    };
  }

  #trainedTokens(): number {
    return this.#updates.flatMap(({ batches }) => batches).reduce((sum, { tokens_N }) => sum + tokens_N.length, 0);
  }

  async #sampleAlone(): Promise<number> {
    const requests = this.#sampled.map((trajectory, i): GenerateRequest => {
      const { temperature, maxTokens } = trajectory;
      const promptTokens = trajectory.tokens.slice(0, promptLength(trajectory));
      return {
        promptTokens,
        maxTokens,
        temperature,
        topP: 1,
        topK: 0,
        minP: 0,
        stopTokens: [this.#stopToken],
        seed: [i, 11],
      };
    });
    const start = performance.now();
    const completions = await this.#engine.generate(requests);
    const seconds = (performance.now() - start) / 1000;
    return completions.reduce((sum, { tokens }) => sum + tokens.length, 0) / seconds;
  }

  async #trainAlone(): Promise<number> {
    const seconds = await secondsOf(async () => {
      for (const { batches, spec, optimizer } of this.#updates) {
        for (const batch of batches) {
          await this.#engine.forwardBackward(batch, spec);
          // The policy stays as it is, or its answers would drift away from the run's.
          await this.#engine.optimStep({ ...optimizer, learningRate: 0 });
        }
      }
    });
    return this.#trainedTokens() / seconds;
  }
}
