import { defineErrors } from "@troupe/core/sdk";

/** Every error of the plugins: permanent code, message, hint. */
export const errors = defineErrors({
  stageParametersMissing: {
    message: (d: { plugin: string; step: number }) =>
      `Cannot shape rewards as the plan of step ${d.step} has no parameters of plugin "${d.plugin}": its plan hook did not run`,
    hint: "Judge cohorts with the plugins that they were planned with, or with a later version of them",
    exitCode: 2,
  },
});
