import type { Evaluation } from "./evaluation.js";
import type { StepReport } from "./step-report.js";
import type { VerdictKind } from "./verdict.js";

/** How far a piece of work is, for bars and estimates. */
export interface Progress {
  /** In [0, 1]. */
  readonly done: number;
  /** Seconds left at the present rate; null while unknown. */
  readonly etaSeconds: number | null;
  /** What is counted: "120/400 steps", "1.20/3.00 M tokens"; empty when nothing is. */
  readonly label: string;
}

/** One rollout for people to read. */
export interface SampleView {
  readonly id: string;
  readonly prompt: string;
  /** Assistant prefix and response, special tokens kept. */
  readonly response: string;
  readonly verdict: VerdictKind;
  readonly reason: string;
  readonly reward: number;
  readonly tokens: number;
}

/**
 * What a run tells whoever listens: screens, stores, embedders. `part` names the piece of work: "base" while
 * distilling, else the arm's or run's name.
 */
export type RunEvent =
  | { readonly type: "started"; readonly part: string; readonly detail: string }
  | { readonly type: "step"; readonly part: string; readonly report: StepReport; readonly progress: Progress }
  | { readonly type: "sample"; readonly part: string; readonly step: number; readonly sample: SampleView }
  | {
      readonly type: "evaluated";
      readonly part: string;
      readonly step: number;
      readonly evaluation: Evaluation;
      readonly progress: Progress;
    }
  | {
      readonly type: "checkpoint";
      readonly part: string;
      readonly step: number;
      readonly path: string;
      /** File of tensors → SHA-256 of its bytes: what the run was, when the checkpoint is long gone. */
      readonly digests: Readonly<Record<string, string>>;
    }
  | {
      readonly type: "notice";
      readonly part: string;
      readonly step: number;
      readonly message: string;
      readonly level: "info" | "warning";
    }
  | {
      readonly type: "plugin";
      readonly part: string;
      readonly step: number;
      readonly plugin: string;
      /** Version and hash; empty for a plugin that was not there before, or is no more. */
      readonly from: string;
      readonly to: string;
      readonly action: "swap" | "load" | "unload" | "roll-back";
      readonly reason: string;
      /** Of the new version. */
      readonly settings: Readonly<Record<string, unknown>>;
      /** Milliseconds that training stood still for it. */
      readonly pauseMs: number;
    }
  | {
      readonly type: "finished";
      readonly part: string;
      readonly step: number;
      readonly reason: string;
      readonly seconds: number;
    };
