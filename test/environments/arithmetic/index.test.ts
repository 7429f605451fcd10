import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadEnvironment } from "../../../core/src/environments/environment-loader.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

describe("arithmetic", () => {
  it("gives tasks, verifier and teacher when a run loads it by name", async () => {
    const { definition, config } = await loadEnvironment("arithmetic", { maxSteps: 2 }, ROOT);
    const context = { baseDirectory: ROOT, seed: 1 };
    const [train, held] = await Promise.all(
      (["train", "eval"] as const).map((split) => definition.taskset(config, split, context)),
    );
    expect(train?.at(3).domain).toBe("arithmetic");
    expect(held?.at(0).id).toBe("eval/0");
    expect(definition.verifier(config).name).toBe("arithmetic");
    expect(definition.teacher?.(config)).toBeDefined();
  });
});
