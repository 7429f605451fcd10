import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { adamwUpdate, type AdamwState, type Tensors } from "../../../core/src/numerics/adamw.js";
import { expectAgreement, readTensors, REFERENCE_MODELS, REFERENCE_STATES } from "./reference-states.js";

const settings = { learningRate: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8, weightDecay: 0, maxGradNorm: Infinity };
const tensor = (...values: number[]) => new Map([["w", Float64Array.from(values)]]);

describe("adamwUpdate()", () => {
  it("moves each weight by the learning rate against its gradient's sign when it is the first update", () => {
    const { parameters, state, gradNorm } = adamwUpdate(tensor(1, 2, 3), tensor(3, -4, 0), undefined, settings);
    expect(parameters.get("w")![0]).toBeCloseTo(0.9, 8);
    expect(parameters.get("w")![1]).toBeCloseTo(2.1, 8);
    expect(parameters.get("w")![2]).toBe(3);
    expect(gradNorm).toBe(5);
    expect(state.steps).toBe(1);
  });

  it("scales gradients to the norm but reports the one before when they are too large", () => {
    const clipped = adamwUpdate(tensor(0, 0), tensor(3, -4), undefined, { ...settings, maxGradNorm: 1 });
    expect(clipped.gradNorm).toBe(5);
    expect(clipped.state.firstMoments.get("w")![0]).toBeCloseTo(0.1 * 0.6, 6);
    const kept = adamwUpdate(tensor(0, 0), tensor(0.3, -0.4), undefined, { ...settings, maxGradNorm: 1 });
    expect(kept.state.firstMoments.get("w")![0]).toBeCloseTo(0.03, 12);
  });

  it("decays weights that have no gradient when decay is on", () => {
    const { parameters } = adamwUpdate(tensor(2), tensor(0), undefined, { ...settings, weightDecay: 0.5 });
    expect(parameters.get("w")![0]).toBeCloseTo(2 * (1 - 0.1 * 0.5), 12);
  });

  it("takes the same step again when the gradient stays the same", () => {
    // Bias correction turns both running means into the gradient itself.
    let parameters: Tensors = tensor(1);
    let state: AdamwState | undefined;
    for (let step = 1; step <= 4; step++) {
      const update = adamwUpdate(parameters, tensor(0.01), state, settings);
      expect(update.parameters.get("w")![0]).toBeCloseTo(1 - 0.1 * step, 5);
      ({ parameters, state } = update);
    }
  });

  it("leaves its inputs as they were when it updates", () => {
    const [parameters, gradients] = [tensor(1), tensor(1)];
    const first = adamwUpdate(parameters, gradients, undefined, settings);
    const before = [...first.state.firstMoments.get("w")!];
    adamwUpdate(first.parameters, gradients, first.state, settings);
    expect([parameters.get("w")![0], gradients.get("w")![0]]).toEqual([1, 1]);
    expect([...first.state.firstMoments.get("w")!]).toEqual(before);
  });

  it("throws LENGTH_MISMATCH when a gradient is missing", () => {
    expect(() => adamwUpdate(tensor(1), new Map(), undefined, settings)).toThrow(
      expect.objectContaining({ code: "LENGTH_MISMATCH" }),
    );
  });
});

describe("adamwUpdate() without gradients", () => {
  it("shrinks matrices and leaves norm weights and biases, unless they are to decay too", () => {
    const names = ["model.norm.weight", "layers.0.self_attn.q_proj.bias", "layers.0.self_attn.q_proj.weight"];
    const ones = new Map(names.map((name) => [name, Float64Array.of(1)]));
    const zeros = new Map(names.map((name) => [name, Float64Array.of(0)]));
    const decayed = (decayVectors?: boolean) => {
      const step = {
        ...settings,
        learningRate: 0.5,
        weightDecay: 0.1,
        ...(decayVectors === undefined ? {} : { decayVectors }),
      };
      return [...adamwUpdate(ones, zeros, undefined, step).parameters.values()].map(([value]) => value);
    };
    expect(decayed()).toEqual([1, 1, 0.95]);
    expect(decayed(true)).toEqual([0.95, 0.95, 0.95]);
  });
});

describe.skipIf(!existsSync(REFERENCE_STATES))("adamwUpdate() against PyTorch", () => {
  it.each(REFERENCE_MODELS)("agrees on the first update when the checkpoint is %s", (model) => {
    const weights = readTensors(join(REFERENCE_STATES, model, "model.safetensors"));
    const reference = readTensors(join(REFERENCE_STATES, model, "reference.safetensors"));
    const gradients = new Map(Array.from(weights.keys(), (name) => [name, reference.get(`grad.${name}`)!]));
    const { parameters, gradNorm } = adamwUpdate(weights, gradients, undefined, {
      ...settings,
      learningRate: 1e-3,
      weightDecay: 0.1,
      maxGradNorm: 1,
      decayVectors: true,
    });
    expectAgreement([gradNorm], reference.get("grad_norm")!);
    for (const [name, values] of parameters) expectAgreement(values, reference.get(`after.${name}`)!);
  });
});
