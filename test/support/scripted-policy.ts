import { ORIGIN } from "../../core/src/records/trajectory.js";
import type { Completion, GenerateRequest, Sampler } from "../../core/src/engines/policy-engine.js";

/** A policy that answers as it is told to, and remembers what it was asked. */
export class ScriptedPolicy implements Sampler {
  readonly capabilities = { generate: true, score: false, train: false, zeroMismatch: true };
  readonly kernelSet = "by hand";
  readonly requests: GenerateRequest[] = [];
  readonly #answer: (request: GenerateRequest, index: number) => Pick<Completion, "tokens" | "stopReason">;

  constructor(answer: (request: GenerateRequest, index: number) => Pick<Completion, "tokens" | "stopReason">) {
    this.#answer = answer;
  }

  version(): number {
    return 4;
  }

  async generate(requests: readonly GenerateRequest[]): Promise<readonly Completion[]> {
    return requests.map((request) => {
      const { tokens, stopReason } = this.#answer(request, this.requests.push(request) - 1);
      return {
        tokens,
        stopReason,
        origins: Uint8Array.from(tokens, (_, t) =>
          t < (request.forcedTokens?.length ?? 0) ? ORIGIN.forced : ORIGIN.sampled,
        ),
        logprobs: Float32Array.from(tokens, (_, t) => -(t + 1) / 4),
        entropies: Float32Array.from(tokens, (_, t) => (t + 1) / 2),
        version: 4,
      };
    });
  }

  async score(): Promise<never> {
    throw new Error("a scripted policy does not score");
  }

  dispose(): void {}
}
