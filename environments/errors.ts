import { defineErrors } from "@troupe/core/sdk";

/** Every error of the environments: permanent code, message, hint. */
export const errors = defineErrors({
  mathWorkExceeded: {
    message: (d: { what: string; limit: number }) =>
      `Cannot finish a mathematical check as it exceeds its work budget: ${d.what}, and the limit is ${d.limit}`,
    hint: "Answers of ordinary size stay far below the limit; a verifier reports this one as failed with its reason",
  },
  mathUnparsable: {
    message: (d: { found: string; position: number }) =>
      `Cannot read a mathematical expression: found ${d.found} at character ${d.position + 1}`,
    hint: 'Write the expression in LaTeX or plain notation, for example "\\frac{1}{2}" or "1/2"',
  },
  problemFileUnreadable: {
    message: (d: { file: string; reason: string }) => `Cannot read problems from "${d.file}": ${d.reason}`,
    hint: "Set data.path to a readable JSON Lines or Parquet file; a relative path starts where the config file lies",
    exitCode: 4,
  },
  problemFormatUnknown: {
    message: (d: { file: string }) =>
      `Cannot read problems from "${d.file}": the name ends in none of ".jsonl", ".ndjson" and ".parquet"`,
    hint: "Convert the file to JSON Lines (one JSON object a line) or Parquet",
    exitCode: 4,
  },
  problemRowInvalid: {
    message: (d: {
      file: string;
      row: number;
      field: string;
      found: string;
      wanted: string;
      goodRows: number;
      /** Settings below data.fields that name another column. */
      settings?: string;
    }) => `Cannot use ${d.file}:${d.row} as a problem: field "${d.field}" ${d.found}, wanted is ${d.wanted}`,
    hint: (d: { goodRows: number; settings?: string }) =>
      `${d.goodRows} rows before it were fine. Map another field: ${d.settings === undefined ? "data.fields.problem, data.fields.answer or data.fields.id" : `data.fields (${d.settings})`}; or skip such rows: data.onBadRow=skip`,
    exitCode: 4,
  },
  problemSetEmpty: {
    message: (d: { file: string; split: string; rows: number; skipped: number }) =>
      `Cannot make a taskset of "${d.file}": of ${d.rows} rows, ${d.skipped} were skipped and none is left for "${d.split}"`,
    hint: "Widen the filters (data.limit, calculations.maxOperand, calculations.operators), or change data.heldOut",
    exitCode: 4,
  },
  problemsUsedUp: {
    message: (d: { environment: string; split: string; difficulty: number }) =>
      `Cannot draw a problem of difficulty ${d.difficulty} for the ${d.split} split of "${d.environment}": there seems to be none`,
    hint: "Raise the highest difficulty, widen what problems are made of, or move heldOut towards 0.5",
    exitCode: 2,
  },
  corpusWithoutTasks: {
    message: (d: { split: string; passages: number; threshold: number }) =>
      `Cannot make tasks of the corpus: of ${d.passages} passages for "${d.split}", no token that can be boxed has an entropy above ${d.threshold} nats`,
    hint: "Lower the first of thresholds, give more or harder documents, or measure with another policy (entropy.policy)",
    exitCode: 4,
  },
  notAPlace: {
    message: (d: { taskId: string }) => `Cannot demonstrate task "${d.taskId}" as it stands in no text`,
    hint: "Give the corpus teacher tasks of the corpus environment",
    exitCode: 2,
  },
  taskOfAnotherEnvironment: {
    message: (d: { environment: string; taskId: string }) =>
      `Cannot demonstrate task "${d.taskId}" as it is none of environment "${d.environment}"`,
    hint: "Its teacher writes answers to its own tasks alone, with meta and reference as they were made",
    exitCode: 2,
  },
  notArithmetic: {
    message: (d: { taskId: string; found: string }) =>
      `Cannot demonstrate task "${d.taskId}" as it is no arithmetic problem: its meta.problem is "${d.found}"`,
    hint: "The arithmetic teacher writes answers to tasks of the arithmetic environment alone",
    exitCode: 2,
  },
  sandboxMissing: {
    message: (d: { tried: readonly string[]; remedies: readonly string[] }) =>
      `Cannot run untrusted programs as this machine has no boundary to run them behind: ${d.tried.join("; ")}`,
    hint: (d: { tried: readonly string[]; remedies: readonly string[] }) =>
      `Any of these helps: ${d.remedies.join("; or ")}`,
    exitCode: 3,
  },
  notTeachable: {
    message: (d: { view: string }) =>
      `Cannot demonstrate the tasks of view "${d.view}": only calculations can be worked out step by step`,
    hint: 'Set environment.with.view to "calculations", or start from a trained policy and leave out "distill"',
    exitCode: 2,
  },
});
