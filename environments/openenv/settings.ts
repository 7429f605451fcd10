import { z } from "@troupe/core/sdk";

/** Settings of the openenv environment. */
export const settingsSchema = z
  .strictObject({
    url: z
      .string()
      .regex(/^wss?:\/\/[^\s]+$/, "the address of a WebSocket such as ws://127.0.0.1:8480/ws")
      .describe("Where the server is, with its path, which is /ws"),
    prompt: z.string().default("").describe("Said to the policy before what the server says first; nothing when empty"),
    trainTasks: z.int().min(1).optional().describe("Size of the train split; absent makes it endless"),
    evalTasks: z.int().min(1).default(200).describe("Held-out tasks"),
    action: z.string().min(1).default("message").describe("Field of the action that the policy's text goes into"),
    fields: z.record(z.string(), z.json()).default({}).describe("Further fields of every action, as they stand"),
    reset: z.record(z.string(), z.json()).default({}).describe("Further fields of every reset, beside the seed"),
    observation: z
      .string()
      .optional()
      .describe(
        "Field of the observation that the policy is told; absent takes its messages, or else all of it as JSON",
      ),
    reward: z.enum(["last", "sum"]).default("last").describe("Which rewards of an episode count"),
    lowest: z.number().default(0).describe("Reward that is worth a score of 0"),
    highest: z.number().default(1).describe("Reward that is worth a score of 1"),
    tries: z
      .int()
      .min(1)
      .default(6)
      .describe("Times that a session is asked for, with growing pauses, before it is lost"),
    tokenVariable: z
      .string()
      .default("TROUPE_ENV_TOKEN")
      .describe("Variable of the process that holds the server's token, if it wants one"),
    maxFrameKb: z.int().min(1).default(4096).describe("Size of a server's frame at most, KiB"),
  })
  .refine(({ lowest, highest }) => lowest < highest, { path: ["highest"], message: "must be above lowest" });

/** Checked settings of the openenv environment. */
export type Settings = z.output<typeof settingsSchema>;
