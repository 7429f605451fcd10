import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, describe } from "vitest";
import { tryEnvironment } from "../../../core/src/plugin-kit/environment-kit.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

describe("tryEnvironment()", () => {
  const folder = temporaryFolder();

  it.each([
    "arithmetic",
    "base-conversion",
    "boolean-evaluation",
    "corpus",
    "countdown",
    "path-finding",
    "calculator",
    "guess-number",
  ])("finds every promise kept when it tries %s", async (name) => {
    expect((await tryEnvironment(name, ROOT)).filter(({ isKept }) => !isKept)).toEqual([]);
  });

  it("names each broken promise when an environment keeps none", async () => {
    writeFileSync(
      join(folder, "index.ts"),
      `import { defineEnvironment, z } from "@troupe/core/sdk";
let calls = 0;
const task = (index: number) => ({ id: String(index), domain: "d", prompt: [{ role: "user" as const, content: "same" }],
  reference: "1", meta: { call: ++calls, hidden: (() => 0) as unknown as number } });
export default defineEnvironment({ name: "broken", version: "1.0.0", description: "Keeps nothing", config: z.strictObject({}),
  taskset: async () => ({ size: 5, at: task }),
  verifier: () => ({ name: "broken", version: "1", verify: (_task, { responseText }) => {
    if (responseText === "") throw new Error("empty");
    return { kind: "error", reason: "call-" + ++calls, verifier: "broken", version: "1", ms: 0 };
  } }) });
`,
    );
    const results = await tryEnvironment(folder, ROOT);
    expect(results.map(({ isKept }) => isKept)).toEqual(results.map(() => false));
    expect(results.find(({ promise }) => promise === "total")?.problem).toContain("empty");
  });

  it("names each broken promise of an environment that talks", async () => {
    writeFileSync(
      join(folder, "talker.ts"),
      `import { defineEnvironment, z } from "@troupe/core/sdk";
const task = (split: string) => (index: number) => ({ id: split + index, domain: "d",
  prompt: [{ role: "user" as const, content: split + index }], reference: "1", meta: {} });
let calls = 0;
const say = (content: string) => [{ role: "user" as const, content }];
export default defineEnvironment({ name: "talker", version: "1.0.0", description: "Keeps nothing", config: z.strictObject({}),
  taskset: async (_config, split) => ({ size: 5, at: task(split) }),
  episodes: () => ({
    reset: () => ({ state: { turns: [] as string[] }, messages: say(String(++calls)), isDone: false }),
    step: (_scene, state, { responseText }) => {
      if (responseText === "") throw new Error("say something");
      state.turns.push(responseText);
      return { state, messages: say("on"), isDone: false };
    },
  }),
  teacher: () => ({ demonstrate: () => ({ prefix: "", response: "a", turns: [{ messages: say("off"), response: "b" }] }) }),
  verifier: () => ({ name: "talker", version: "1", verify: (_task, { turns }) => {
    if (turns.length < 2) throw new Error("no turns");
    return { kind: "fail", score: 0, reason: "no", verifier: "talker", version: "1", ms: 0 };
  } }) });
`,
    );
    const results = await tryEnvironment(join(folder, "talker.ts"), ROOT);
    const broken = results.filter(({ isKept }) => !isKept);
    expect(broken.map(({ promise }) => promise)).toEqual([
      "references",
      "unshaken",
      "replayable",
      "state",
      "budget",
      "taught",
    ]);
    expect(broken.find(({ promise }) => promise === "unshaken")?.problem).toMatch(/object is not extensible|read only/);
    expect(broken.find(({ promise }) => promise === "taught")?.problem).toContain("it says nothing");
  });
});
