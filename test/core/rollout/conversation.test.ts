import { cpSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { labelDemonstration } from "../../../core/src/label-demonstration.js";
import type { Message } from "../../../core/src/records/task.js";
import { continueConversation } from "../../../core/src/rollout/conversation.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { writeTinyPolicy } from "../../support/tiny-run.js";

const folder = temporaryFolder();
const plain = Tokenizer.fromDirectory(writeTinyPolicy(folder));
const PROMPT: readonly Message[] = [{ role: "user", content: "Go." }];
const ANSWER: readonly Message[] = [{ role: "tool", content: "on" }];
const STOP = "<|im_end|>";

/** A tokenizer with another chat template. */
function withTemplate(name: string, template: string): Tokenizer {
  const directory = join(folder, name);
  cpSync(join(folder, "policy"), directory, { recursive: true });
  writeFileSync(join(directory, "chat_template.jinja"), template);
  return Tokenizer.fromDirectory(directory);
}

const GENERATION = "{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n{% endif %}";
const turnOf = (content: string): string => `<|im_start|>{{ m.role }}\n${content}<|im_end|>\n`;
const TEMPLATES: Readonly<Record<string, Tokenizer>> = {
  plain,
  // As Qwen3's: a finished turn gets its thinking back, an empty block where there was none.
  rewriting: withTemplate(
    "rewriting",
    `{% for m in messages %}{% if m.role == 'assistant' %}<|im_start|>assistant\n<think>\n{{ m.content.split('</think>')[0].split('<think>')[-1].strip('\\n') if '</think>' in m.content else '' }}\n</think>\n\n{{ m.content.split('</think>')[-1].lstrip('\\n') }}<|im_end|>\n{% else %}${turnOf("{{ m.content }}")}{% endif %}{% endfor %}${GENERATION}`,
  ),
  forgetful: withTemplate(
    "forgetful",
    `{% for m in messages %}${turnOf("{{ m.content.split('</think>')[-1] }}")}{% endfor %}${GENERATION}`,
  ),
};

function goOn(tokenizer: Tokenizer, said: string, stop = STOP, prefix?: string) {
  const { context, assistantPrefix } = tokenizer.render(PROMPT);
  const own = prefix ?? assistantPrefix;
  const before = { messages: PROMPT, text: context + own, assistantPrefix: own };
  return { before, ...continueConversation(tokenizer, before, said + stop, stop, ANSWER) };
}

describe("continueConversation()", () => {
  test.each([
    ["plain", "why</think>\n\na", false],
    ["plain", "no end of thinking", false],
    ["plain", "", false],
    ["rewriting", "why\n</think>\n\na", false],
    // The template would have put a line break there.
    ["rewriting", "why</think>\n\na", true],
    ["forgetful", "why</think>\n\na", true],
    ["forgetful", "no thinking ended", false],
  ])("with the %s template after %j says whether the past reads otherwise now", (name, said, isBreak) => {
    const tokenizer = TEMPLATES[name]!;
    const next = goOn(tokenizer, said);
    expect(next.isBreak).toBe(isBreak);
    const whole = isBreak ? next.text : next.before.text + said + STOP + next.text;
    expect(next.conversation.text).toBe(whole);
    expect(whole.endsWith("<|im_start|>tool\non<|im_end|>\n<|im_start|>assistant\n<think>\n")).toBe(true);
  });

  test("ends a turn that a stop string ended, and begins the next with the method's own prefix", () => {
    const prefix = "<|im_start|>assistant\n<think>\n\n</think>\n\n";
    const next = goOn(plain, "a</calc>", "", prefix);
    expect(next.isBreak).toBe(false);
    expect(next.text).toBe(`<|im_end|>\n<|im_start|>tool\non<|im_end|>\n${prefix}`);
  });
});

describe("labelDemonstration()", () => {
  const demonstration = {
    prefix: "<think>\n",
    response: "x</think>a",
    turns: [{ messages: ANSWER, response: "y</think>b" }],
  };

  test("makes one sequence of the turns: loss on what the policy says and on what ends it", () => {
    const [sequence, ...more] = labelDemonstration(plain, PROMPT, demonstration);
    expect(more).toEqual([]);
    const { tokens, lossFrom, without = [] } = sequence!;
    const hasLoss = (t: number): boolean => t >= lossFrom && !without.some(([start, end]) => t >= start && t < end);
    const learned = plain.decode(tokens.filter((_, t) => hasLoss(t)));
    expect(learned).toBe("x</think>a<|im_end|>y</think>b<|im_end|>");
    const all = [...PROMPT, { role: "assistant", content: "<think>\nx</think>a" } as const, ...ANSWER];
    expect(plain.decode(tokens)).toBe(
      `${plain.render(all).context}<|im_start|>assistant\n<think>\ny</think>b<|im_end|>`,
    );
  });

  test("makes a sequence of every turn where the template writes the past anew", () => {
    const sequences = labelDemonstration(TEMPLATES["forgetful"]!, PROMPT, demonstration);
    expect(sequences.map(({ tokens, lossFrom }) => plain.decode(tokens.slice(lossFrom)))).toEqual([
      "x</think>a<|im_end|>",
      "y</think>b<|im_end|>",
    ]);
    expect(plain.decode(sequences[1]!.tokens)).toContain("<|im_start|>assistant\na<|im_end|>");
  });

  test("is what it was for a single answer", () => {
    const [sequence] = labelDemonstration(plain, PROMPT, { prefix: "<think>\n\n</think>\n\n", response: "a" });
    const { context } = plain.render(PROMPT);
    const prompt = plain.encode(`${context}<|im_start|>assistant\n<think>\n\n</think>\n\n`);
    expect(sequence).toEqual({
      tokens: Int32Array.of(...prompt, ...plain.encode("a"), plain.eosToken),
      lossFrom: prompt.length,
    });
  });
});
