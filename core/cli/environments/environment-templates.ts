/** What `troupe env new --kind` can start from. */
export type EnvironmentKind = "single" | "multi" | "tool";

interface Template {
  readonly summary: string;
  readonly source: (name: string) => string;
  /** A test of the environment's own judgement. */
  readonly test: string;
}

/** Tasks that are made from their index. */
const TASKS = `
/** Tasks of a split: every fifth number is held out. */
function numbers(split: Split): Taskset {
  return {
    size: split === "train" ? 4000 : 1000,
    at: (index) => taskOf(split === "train" ? index + Math.floor(index / 4) + 1 : 5 * index),
  };
}
`;

/** Small environments that work as they stand, one for each way to talk with the policy. */
export const ENVIRONMENT_KINDS: Readonly<Record<EnvironmentKind, Template>> = {
  single: {
    summary: "Whether a number is even or odd: one answer to the prompt.",
    source: (
      name,
    ) => `import { defineEnvironment, splitThinking, z, type Split, type Task, type Taskset } from "@troupe/core/sdk";

export default defineEnvironment({
  name: "${name}",
  version: "0.1.0",
  description: "Whether a number is even or odd",
  config: z.strictObject({}),
  taskset: async (_config, split) => numbers(split),
  verifier: () => ({
    name: "${name}",
    version: "0.1.0",
    // A pass or a fail is learned from; "error" says that the task cannot be judged, and is not.
    verify: ({ reference }, trajectory) => {
      const answer = splitThinking(trajectory).answer?.trim();
      const isRight = answer === reference;
      const reason = isRight ? "equal" : \`wrong-answer: got "\${answer?.slice(0, 40)}", want "\${reference}"\`;
      return { kind: isRight ? "pass" : "fail", score: isRight ? 1 : 0, reason, verifier: "${name}", version: "0.1.0", ms: 0 };
    },
  }),
  // Worked answers, for supervised training before the run.
  teacher: () => ({
    demonstrate: ({ reference }) => ({ prefix: "<think>\\n", response: \`</think>\\n\\n\${reference}\` }),
  }),
});
${TASKS}
function taskOf(number: number): Task {
  return {
    id: String(number),
    domain: "${name}",
    prompt: [{ role: "user", content: \`Is \${number} even or odd?\` }],
    reference: number % 2 === 0 ? "even" : "odd",
    meta: { difficulty: 1 },
  };
}
`,
    test: `  test("passes the right word after the thinking, and nothing else", async () => {
    const config = environment.config.parse({});
    const task = (await environment.taskset(config, "eval", { baseDirectory: ".", seed: 1 })).at(1);
    expect(task).toMatchObject({ id: "5", reference: "odd" });
    const { prefix, response } = environment.teacher!(config).demonstrate(task, new Random([0, 0]));
    expect(prefix + response).toBe("<think>\\n</think>\\n\\nodd");
  });`,
  },
  multi: {
    summary: "Counting up in turns with the environment: several turns, no tool.",
    source: (name) => `import {
  defineEnvironment,
  outcomeVerifier,
  splitThinking,
  z,
  type Episodes,
  type Split,
  type Task,
  type Taskset,
} from "@troupe/core/sdk";

export default defineEnvironment({
  name: "${name}",
  version: "0.1.0",
  description: "Counting up in turns",
  config: z.strictObject({
    rounds: z.int().min(1).max(9).default(3).describe("Numbers that the policy has to say"),
  }),
  taskset: async (_config, split) => numbers(split),
  episodes: ({ rounds }) => counting(rounds),
  // The episode's outcome is the verdict; an episode that a budget ends is a fail.
  verifier: () => outcomeVerifier("${name}", "0.1.0"),
  // Worked episodes, for supervised training before the run.
  teacher: ({ rounds }) => ({
    demonstrate: ({ reference }) => {
      const said = Array.from({ length: rounds }, (_, round) => \`</think>\\n\\n\${Number(reference) + 2 * round}\`);
      return {
        prefix: "<think>\\n",
        response: said[0] ?? "",
        turns: said.slice(1).map((response, round) => ({
          messages: [{ role: "user", content: String(Number(reference) + 2 * round + 1) }],
          response,
        })),
      };
    },
  }),
});

/** The state is the number that is to come next: plain data, all that is remembered between turns. */
export function counting(rounds: number): Episodes<number> {
  return {
    reset: ({ task }) => ({ state: Number(task.reference), messages: [], isDone: false }),
    step: ({ task }, wanted, turn) => {
      const said = splitThinking(turn).answer?.trim();
      const state = wanted + 2;
      if (said !== String(wanted)) {
        const reason = \`wrong-number: got "\${said?.slice(0, 40)}", want "\${wanted}"\`;
        return { state, messages: [], isDone: true, outcome: { kind: "fail", score: 0, reason } };
      }
      if (wanted === Number(task.reference) + 2 * (rounds - 1))
        return { state, messages: [], isDone: true, outcome: { kind: "pass", score: 1, reason: "counted" } };
      return { state, messages: [{ role: "user", content: String(wanted + 1) }], isDone: false };
    },
  };
}
${TASKS}
function taskOf(number: number): Task {
  return {
    id: String(number),
    domain: "${name}",
    prompt: [{ role: "user", content: \`Count up with me, in turns: \${number}\` }],
    reference: String(number + 1),
    meta: { difficulty: 1 },
  };
}
`,
    test: `  test("says the number after the policy's, and ends with the first wrong one", async () => {
    const { counting } = await import("./index.js");
    const task = { id: "7", domain: "d", prompt: [], reference: "8", meta: {} };
    const scene = { task, random: new Random([0, 0]), signal: new AbortController().signal };
    const say = (responseText: string) => ({ index: 0, assistantPrefix: "<think>\\n", responseText });
    const { messages, state } = await counting(2).step(scene, 8, say("</think>\\n\\n8"));
    expect(messages).toEqual([{ role: "user", content: "9" }]);
    expect(await counting(2).step(scene, state, say("</think>\\n\\n10"))).toMatchObject({ outcome: { kind: "pass" } });
    expect(await counting(2).step(scene, state, say("</think>\\n\\n11"))).toMatchObject({ outcome: { kind: "fail" } });
  });`,
  },
  tool: {
    summary: "A sum of digits with a tool that adds two numbers: calls, then an answer.",
    source: (name) => `import {
  defineEnvironment,
  policyTurns,
  splitThinking,
  z,
  type Episodes,
  type Split,
  type Task,
  type Taskset,
} from "@troupe/core/sdk";

export default defineEnvironment({
  name: "${name}",
  version: "0.1.0",
  description: "The sum of a number's digits, with a tool that adds",
  config: z.strictObject({}),
  taskset: async (_config, split) => numbers(split),
  episodes: () => adding,
  verifier: () => ({
    name: "${name}",
    version: "0.1.0",
    // The last turn holds the answer, whatever was asked of the tool before.
    verify: ({ reference }, trajectory) => {
      const last = policyTurns(trajectory).at(-1);
      const answer = last && splitThinking(last).answer?.trim();
      const isRight = answer === \`answer \${reference}\`;
      const reason = isRight ? "equal" : \`wrong-answer: got "\${answer?.slice(0, 40)}", want "answer \${reference}"\`;
      return { kind: isRight ? "pass" : "fail", score: isRight ? 1 : 0, reason, verifier: "${name}", version: "0.1.0", ms: 0 };
    },
  }),
  // Worked episodes, for supervised training before the run.
  teacher: () => ({
    demonstrate: ({ id, reference }) => {
      const [first = 0, ...digits] = [...id].map(Number);
      let sum = first;
      const calls = digits.map((digit) => {
        const call = \`add \${sum} \${digit}\`;
        sum += digit;
        return { call, result: String(sum) };
      });
      const said = [...calls.map(({ call }) => call), \`answer \${reference}\`].map((text) => \`</think>\\n\\n\${text}\`);
      return {
        prefix: "<think>\\n",
        response: said[0] ?? "",
        turns: calls.map(({ result }, index) => ({
          messages: [{ role: "tool", content: result }],
          response: said[index + 1] ?? "",
        })),
      };
    },
  }),
});

/** Adds two numbers a turn until a turn says "answer". The state, all that is remembered between turns, counts the calls. */
export const adding: Episodes<number> = {
  reset: () => ({ state: 0, messages: [], isDone: false }),
  step: (_scene, calls, turn) => {
    const text = splitThinking(turn).answer?.trim() ?? "";
    const [, left, right] = /^add (\\d{1,9}) (\\d{1,9})$/.exec(text) ?? [];
    const content = left === undefined ? "say: add 2 3, or: answer 5" : String(Number(left) + Number(right));
    return { state: calls + 1, messages: [{ role: "tool", content }], isDone: text.startsWith("answer ") };
  },
};
${TASKS}
function taskOf(number: number): Task {
  return {
    id: String(number),
    domain: "${name}",
    prompt: [{ role: "user", content: \`Add the digits of \${number}. "add 2 3" asks the tool; end with "answer 5".\` }],
    reference: String([...String(number)].reduce((sum, digit) => sum + Number(digit), 0)),
    meta: { difficulty: String(number).length },
  };
}
`,
    test: `  test("adds what it is asked to, and says so when it is asked for nothing", async () => {
    const { adding } = await import("./index.js");
    const task = { id: "7", domain: "d", prompt: [], reference: "7", meta: {} };
    const scene = { task, random: new Random([0, 0]), signal: new AbortController().signal };
    const say = (text: string) => ({ index: 0, assistantPrefix: "<think>\\n", responseText: \`</think>\\n\\n\${text}\` });
    const added = await adding.step(scene, 0, say("add 12 5"));
    expect(added).toEqual({ state: 1, messages: [{ role: "tool", content: "17" }], isDone: false });
    expect((await adding.step(scene, 1, say("hm"))).messages[0]?.content).toContain("say: add 2 3");
    expect((await adding.step(scene, 1, say("answer 7"))).isDone).toBe(true);
  });`,
  },
};
