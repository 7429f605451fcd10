import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { Tokenizer } from "../../../core/src/engines/tokenizer.js";
import { withEllipsis } from "../../../plugins/autothink/ellipsis.js";

const TINY = fileURLToPath(new URL("../../../examples/policies/tiny", import.meta.url));

describe("withEllipsis()", () => {
  it.each([
    "<|im_start|>assistant\n",
    "<|im_start|>assistant\n<think>\n",
    "<|im_start|>assistant\n<think>\n\n</think>\n\n",
  ])("ends %j in one open block with three ASCII dots when applied once or twice", (prefix) => {
    const once = withEllipsis(prefix);
    expect(once).toBe("<|im_start|>assistant\n<think>\n...\n");
    expect(withEllipsis(once)).toBe(once);
  });

  it("keeps the template's header when the template opens the tag itself", () => {
    const { context, assistantPrefix } = Tokenizer.fromDirectory(TINY).render([
      { role: "user", content: "3+4 mod 10" },
    ]);
    const prompt = context + withEllipsis(assistantPrefix);
    expect(prompt.endsWith("<|im_end|>\n<|im_start|>assistant\n<think>\n...\n")).toBe(true);
    expect(prompt.split("<think>")).toHaveLength(2);
  });
});
