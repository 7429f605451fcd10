import { defineMixture, z } from "@troupe/core/sdk";

export default defineMixture({
  name: "mixed",
  version: "1.0.0",
  description: "Several environments in one run, each task judged by the verifier of its own",
  config: z
    .record(
      z.string().regex(/^[a-z0-9][a-z0-9-]*$/, "lower-case letters, digits and hyphens"),
      z.strictObject({
        use: z.string().min(1).describe("Name of an installed environment, or a path"),
        with: z.record(z.string(), z.unknown()).default({}).describe("The environment's own settings"),
      }),
    )
    .refine((parts) => Object.keys(parts).length > 0, "at least one environment is wanted"),
  parts: (config) => config,
});
