import { describe, expect, it } from "vitest";
import { extractProgram, type ExtractedProgram } from "../../../environments/code/extract-program.js";
import type { Language } from "../../../environments/code/sandbox.js";

function extract(responseText: string, assistantPrefix = "", language: Language = "python"): ExtractedProgram {
  return extractProgram({ responseText, assistantPrefix }, language);
}

describe("extractProgram()", () => {
  it.each([
    ["```python\na\n```", "a\n"],
    ["```\na\n```", "a\n"],
    ["```py\na\n```\nbetter:\n```python\nb\n```\ndone", "b\n"],
    ["```python\na\n```\nprints\n```text\n5\n```", "a\n"],
    ["````python\nx = '''\n```\n'''\n````", "x = '''\n```\n'''\n"],
    ["  ```Python\r\n  a\r\n  ```", "  a\n"],
    ["~~~python\na\n~~~", "a\n"],
    ["<think>```python\nno\n```</think>```python\na\n```", "a\n"],
  ])("finds the program in %j", (response, program) => expect(extract(response)).toEqual({ program }));

  it.each([
    ["print(1)", "", "no-code-block"],
    ["```python\nprint(1)", "", "no-code-block"],
    ["```cpp\nint main;\n```", "", "no-code-block"],
    ["```python\n \n```", "", "empty-code-block"],
    ["```python\nprint(1)\n```", "<think>\n", "no-think-close"],
    ["<think>```python\nprint(1)\n```", "", "no-think-close"],
    ["```python\nprint(1)\n```</think>done", "<think>\n", "no-code-block"],
  ])("finds none in %j after %j: %s", (response, prefix, reason) =>
    expect(extract(response, prefix)).toEqual({ program: undefined, reason }),
  );

  it("takes blocks of the task's language alone", () => {
    const response = "```python\na\n```\n```js\nb\n```";
    expect(extract(response)).toEqual({ program: "a\n" });
    expect(extract(response, "", "javascript")).toEqual({ program: "b\n" });
  });
});
