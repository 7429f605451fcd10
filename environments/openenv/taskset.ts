import type { Split, Task, Taskset } from "@troupe/core/sdk";
import type { Settings } from "./settings.js";

/** Tasks that are seeds: even ones to learn from, odd ones held out. What they stand for, the server says. */
export function seedTaskset({ prompt, trainTasks, evalTasks }: Settings, split: Split): Taskset {
  return {
    size: split === "train" ? (trainTasks ?? Infinity) : evalTasks,
    at: (index): Task => ({
      id: `${split}/${index}`,
      domain: "openenv",
      prompt: prompt === "" ? [] : [{ role: "user", content: prompt }],
      reference: "",
      meta: { seed: 2 * index + (split === "train" ? 0 : 1) },
    }),
  };
}
