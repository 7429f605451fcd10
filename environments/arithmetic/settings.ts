import { z } from "@troupe/core/sdk";

const share = z.number().min(0).max(1);
const weight = z.number().min(0);

const teacher = z.strictObject({
  styles: z
    .strictObject({
      think: weight.default(1).describe("Long chain inside an open think block, then the answer"),
      thinkfree: weight.default(1).describe("Short working after an empty, closed think block"),
      "ellipsis-think": weight.default(1).describe("Long chain after the ellipsis prompt"),
      "ellipsis-direct": weight
        .default(1)
        .describe("Think block closed at once after the ellipsis prompt, then the bare answer"),
    })
    .prefault({})
    .refine((styles) => Object.values(styles).some((value) => value > 0), "at least one style has a weight above 0")
    .describe("Style → weight with which it is chosen"),
  repeat: share.default(0.6).describe("Probability that a step of a long chain is stated again as a check"),
  errorRate: z
    .union([share, z.array(share)])
    .default(0.12)
    .describe(
      "Probability that a step of a long chain has a wrong result, which is carried on; or one for each number of operations, from minSteps up",
    ),
  shortErrorRate: share.default(0.2).describe("The same for the short working"),
  directErrorRate: share.default(0.1).describe("Probability that a bare answer is wrong"),
});

/** Settings of the arithmetic environment. */
export const settingsSchema = z
  .strictObject({
    operations: z
      .array(z.enum(["+", "-", "*"]))
      .min(1)
      .default(["+", "-"])
      .describe("Operations that problems use, each equally likely"),
    minSteps: z.int().min(1).default(1).describe("Operations of the easiest problems"),
    maxSteps: z.int().min(1).max(64).default(5).describe("Operations of the hardest problems"),
    weights: z
      .array(weight)
      .optional()
      .describe("Weight of each number of operations, from minSteps up; absent makes them equally likely"),
    evalWeights: z.array(weight).optional().describe("The same for held-out tasks; absent takes weights"),
    modulus: z
      .int()
      .min(2)
      .max(10)
      .default(10)
      .describe("The running value is taken modulo this; operands lie below it"),
    trainTasks: z.int().min(1).optional().describe("Size of the train split; absent makes it endless"),
    evalTasks: z
      .int()
      .min(1)
      .default(500)
      .describe("Held-out tasks at most; fewer where a number of operations has fewer problems"),
    heldOut: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.2)
      .describe("Share of all problems that is held out, decided by a hash of the problem's text"),
    teacher: teacher.prefault({}).describe("How demonstrations are written"),
  })
  .refine(({ minSteps, maxSteps }) => minSteps <= maxSteps, {
    path: ["maxSteps"],
    message: "must be at least minSteps",
  })
  .superRefine(({ minSteps, maxSteps, ...settings }, context) => {
    for (const field of ["weights", "evalWeights"] as const) {
      const weights = settings[field];
      const refuse = (message: string): void => context.addIssue({ code: "custom", path: [field], message });
      if (weights !== undefined && weights.length !== maxSteps - minSteps + 1)
        refuse("must have one weight for each number of operations from minSteps to maxSteps");
      if (weights?.every((value) => value === 0)) refuse("must have a weight above 0");
    }
  })
  .refine(
    ({ teacher: { errorRate }, minSteps, maxSteps }) =>
      typeof errorRate === "number" || errorRate.length === maxSteps - minSteps + 1,
    {
      path: ["teacher", "errorRate"],
      message: "must be one number, or have one for each number of operations from minSteps to maxSteps",
    },
  );

/** Checked settings of the arithmetic environment. */
export type Settings = z.output<typeof settingsSchema>;
