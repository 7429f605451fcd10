import type { Completion, GenerateRequest, ModelShape, Scores } from "@troupe/core/sdk";

/** How a model is opened in a process of its own. */
export interface OnnxModel {
  /** The `.onnx` file. */
  readonly path: string;
  readonly shape: ModelShape;
  readonly threads: number;
  /** Tried in order: "cpu", "cuda" and what else the installed runtime has. */
  readonly providers: readonly string[];
}

/** Orders to the process of a model, answered in turn, and what each gives. */
export type OnnxOrders = {
  open: { in: OnnxModel & { readonly runtime: string }; out: null };
  generate: {
    in: { readonly requests: readonly GenerateRequest[]; readonly version: number };
    out: readonly Completion[];
  };
  score: {
    in: { readonly tokens_N: Int32Array; readonly offsets_S1: Int32Array; readonly temperature: number };
    out: Scores;
  };
  /** Scores [sequences] of whole texts by a reward model. */
  judge: { in: { readonly sequences: readonly Int32Array[] }; out: Float32Array };
};

/** One order on its way; "abort" ends the order with the same id early. */
export type OnnxMessage =
  | {
      [K in keyof OnnxOrders]: { readonly id: number; readonly kind: K; readonly order: OnnxOrders[K]["in"] };
    }[keyof OnnxOrders]
  | { readonly id: number; readonly kind: "abort" };

/** An answer on its way back: what the order gives, or what went wrong. */
export type OnnxAnswer =
  | { readonly id: number; readonly value: OnnxOrders[keyof OnnxOrders]["out"] }
  | { readonly id: number; readonly problem: string };
