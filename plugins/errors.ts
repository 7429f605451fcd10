import { defineErrors } from "@troupe/core/sdk";

/** What a stage may ask of a task. */
interface StageConditions {
  readonly name: string;
  readonly domain?: string | undefined;
  readonly difficulty?: { readonly min?: number | undefined; readonly max?: number | undefined } | undefined;
  readonly maxSolved?: number | undefined;
  readonly dropMastered: boolean;
}

function conditionsOf({ domain, difficulty, maxSolved, dropMastered }: StageConditions): string {
  return [
    ...(domain === undefined ? [] : [`domain "${domain}"`]),
    ...(difficulty === undefined ? [] : [`difficulty ${difficulty.min ?? "any"} to ${difficulty.max ?? "any"}`]),
    ...(maxSolved === undefined ? [] : [`solved at most ${maxSolved}`]),
    ...(dropMastered ? ["an answer that failed in the epoch before"] : []),
  ].join(", ");
}

/** Every error of the plugins: permanent code, message, hint. */
export const errors = defineErrors({
  stageParametersMissing: {
    message: (d: { plugin: string; step: number }) =>
      `Cannot shape rewards as the plan of step ${d.step} has no parameters of plugin "${d.plugin}": its plan hook did not run`,
    hint: "Judge cohorts with the plugins that they were planned with, or with a later version of them",
    exitCode: 2,
  },
  annotationMissing: {
    message: (d: { sample: string; annotation: string; plugin: string }) =>
      `Cannot reward sample "${d.sample}" as it has no annotation "${d.annotation}" of plugin "${d.plugin}"`,
    hint: "Judge cohorts with the plugins that formatted their prompts",
    exitCode: 2,
  },
  referenceAccuracyMissing: {
    message: (d: { task: string; field: string }) =>
      `Cannot take advantages on task "${d.task}": it has no number "${d.field}", and its difficulty none in referenceByDifficulty`,
    hint: "Measure the starting policy (`troupe eval RUN`) and give its accuracy by task or by difficulty",
    exitCode: 2,
  },
  updatesTooMany: {
    message: (d: { stage: string; updatesPerBatch: number }) =>
      `Cannot plan stage "${d.stage}" as ${d.updatesPerBatch} updates per batch are asked for: strictly on-policy is 1`,
    hint: "Set train.updatesPerBatch: 1, or strictlyOnPolicy: false where more are meant",
    exitCode: 2,
  },
  stageDomainUnknown: {
    message: (d: { stage: string; domain: string; known: readonly string[] }) =>
      `Cannot train stage "${d.stage}" on domain "${d.domain}": the tasks are of ${d.known.map((name) => `"${name}"`).join(", ")}`,
    hint: "Give the run an environment of that domain: environment: { use: mixed, with: { <domain>: { use: … } } }",
    exitCode: 2,
  },
  measureEndless: {
    message: (d: { stage: string }) => `Cannot measure the tasks of stage "${d.stage}": they have no end`,
    hint: "Leave measure out, or take an environment with a finite train split",
    exitCode: 2,
  },
  tiersUsedUp: {
    message: (d: { wanted: number; found: number }) =>
      `Cannot draw ${d.wanted} tasks of the curriculum's tiers: only ${d.found} are there`,
    hint: "Give the corpus more documents, lower its thresholds, or ask for fewer prompts a step",
    exitCode: 4,
  },
  stageWithoutTasks: {
    message: (d: { stage: StageConditions; wanted: number; looked: number }) =>
      `Cannot choose ${d.wanted} tasks for stage "${d.stage.name}": of ${d.looked} looked at too few have ${conditionsOf(d.stage) || "what it asks"}`,
    hint: "Widen the stage's domain, difficulty or maxSolved, end it earlier, or give it more tasks",
    exitCode: 4,
  },
});
