import { defineErrors } from "./error-catalogue.js";

/** Every error of core: permanent code, message, hint. `core/docs/errors.md` explains each. */
export const errors = defineErrors({
  groupTooSmall: {
    message: (d: { taskId: string; size: number }) =>
      `Cannot compute advantages for task "${d.taskId}" as a group needs at least 2 trajectories: current size is ${d.size}`,
    hint: "Raise groupSize, or choose a method that does not compare within a group",
    exitCode: 2,
  },
});
