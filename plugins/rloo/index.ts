import { definePlugin, leaveOneOutAdvantages, z } from "@troupe/core/sdk";

export default definePlugin({
  name: "rloo",
  version: "1.0.0",
  description: "Each answer against the mean of its siblings",
  config: z.strictObject({}),
  hooks: {
    advantage: {
      reads: ["reward"],
      writes: ["advantage"],
      run: (_ctx, groups) => groups.flatMap(({ rewards_G }) => leaveOneOutAdvantages(rewards_G)),
    },
  },
});
