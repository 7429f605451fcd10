import { defineErrors } from "./error-catalogue.js";

/** Every error of core: permanent code, message, hint. `core/docs/errors.md` explains each. */
export const errors = defineErrors({
  groupTooSmall: {
    message: (d: { taskId: string; size: number }) =>
      `Cannot compute advantages for task "${d.taskId}" as a group needs at least 2 trajectories: current size is ${d.size}`,
    hint: "Raise groupSize, or choose a method that does not compare within a group",
    exitCode: 2,
  },
  emptyRange: {
    message: (d: { low: number; high: number }) =>
      `Cannot draw a whole number from [${d.low}, ${d.high}): the bounds must be whole and low must lie below high`,
    hint: "Check that the list or range is not empty",
  },
});
