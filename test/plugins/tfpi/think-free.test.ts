import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { CLOSED_BLOCK, opensTwice, thinkFree } from "../../../plugins/tfpi/think-free.js";

const QWEN = "<|im_start|>user\nQ<|im_end|>\n<|im_start|>assistant\n";
const R1 = "<｜begin▁of▁sentence｜><｜User｜>Q<｜Assistant｜>";
const TINY = fileURLToPath(new URL("../../../examples/policies/tiny", import.meta.url));
const MINIMIND = fileURLToPath(new URL("../../../../shared/data/models/tokenizers/minimind", import.meta.url));

describe("thinkFree()", () => {
  it.each([
    ["Qwen3 hybrid", QWEN, `${QWEN}<think>\n\n</think>\n\n`],
    ["Qwen3 that opens the tag", `${QWEN}<think>\n`, `${QWEN}<think>\n\n</think>\n\n`],
    ["R1-Distill, older template", R1, `${R1}<think>\n\n</think>\n\n`],
    ["R1-Distill that opens the tag", `${R1}<think>\n`, `${R1}<think>\n\n</think>\n\n`],
  ])("gives one closed block when normalising %s", (_family, prompt, wanted) => {
    expect(thinkFree(prompt, "normalize")).toBe(wanted);
  });

  it("gives two opening tags when a template that opens the tag is taken literally", () => {
    const prompt = thinkFree(`${R1}<think>\n`, "literal");
    expect(prompt).toBe(`${R1}<think>\n<think>\n\n</think>\n\n`);
    expect(opensTwice(prompt)).toBe(true);
    expect(opensTwice(thinkFree(R1, "literal"))).toBe(false);
  });

  it("is idempotent and leaves one tag of each kind when applied to any assistant prefix", () => {
    const part = fc.constantFrom("<|im_start|>assistant\n", "<｜Assistant｜>", "\n", "");
    const opening = fc.constantFrom("", "<think>", "<think>\n", "<think>\n\n  ", CLOSED_BLOCK);
    fc.assert(
      fc.property(part, opening, (header, open) => {
        const once = thinkFree(header + open, "normalize");
        expect(thinkFree(once, "normalize")).toBe(once);
        expect(once.split("<think>")).toHaveLength(2);
        expect(once.split("</think>")).toHaveLength(2);
        expect(once.endsWith(CLOSED_BLOCK)).toBe(true);
      }),
    );
  });

  it("leaves a user message alone when it speaks of <think>", () => {
    const prompt = "<|im_start|>user\nWhat does <think> mean?<|im_end|>\n<|im_start|>assistant\n";
    expect(thinkFree(prompt, "normalize")).toBe(prompt + CLOSED_BLOCK);
  });

  it("adds four tokens when the whole prompt is encoded in one call, and others when pieced together", () => {
    const tokenizer = Tokenizer.fromDirectory(TINY);
    const { context, assistantPrefix } = tokenizer.render([{ role: "user", content: "3+4 mod 10" }]);
    const header = context + assistantPrefix.replace(/<think>\s*$/, "");
    const whole = tokenizer.encode(thinkFree(context + assistantPrefix, "normalize"));
    const block = Array.from(whole.subarray(tokenizer.encode(header).length));
    expect(block.map((token) => tokenizer.decode(Int32Array.of(token)))).toEqual([
      "<think>",
      "\n\n",
      "</think>",
      "\n\n",
    ]);
    const pieces = [...tokenizer.encode(context + assistantPrefix), ...tokenizer.encode("\n</think>\n\n")];
    expect(pieces).not.toEqual([...whole]);
  });

  it.skipIf(!existsSync(MINIMIND))(
    "equals the template's own rendering when the template closes the block itself",
    () => {
      const tokenizer = Tokenizer.fromDirectory(MINIMIND);
      const { context, assistantPrefix } = tokenizer.render([{ role: "user", content: "Q" }]);
      expect(assistantPrefix).toBe(`<|im_start|>assistant\n${CLOSED_BLOCK}`);
      const prompt = thinkFree(`${context}<|im_start|>assistant\n`, "normalize");
      expect(prompt).toBe(context + assistantPrefix);
      expect(thinkFree(prompt, "normalize")).toBe(prompt);
      expect(tokenizer.encode("<think>")).toHaveLength(1);
      expect(tokenizer.encode("</think>")).toHaveLength(1);
    },
  );
});
