import { existsSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { describe, expect, it } from "vitest";
import { ROOT, filesIn, read } from "./source.js";

/** Relative links of a page that lead to no file or folder. */
function findDeadLinks(path: string, text: string): string[] {
  const prose = text.replace(/^```[^]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .flatMap((match) => match[1] ?? [])
    .filter((target) => !/^[a-z]+:|^#/.test(target))
    .filter((target) => !existsSync(join(ROOT, posix.join(dirname(path), target.replace(/#.*$/, "")))))
    .map((target) => `${path} links to "${target}", which does not exist`);
}

describe("documents", () => {
  it("link to what exists", () => {
    const pages = filesIn(["core", "gpu", "environments", "plugins", "examples", "test"], (path) =>
      path.endsWith(".md"),
    );
    const tops = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"];
    expect([...tops, ...pages].flatMap((path) => findDeadLinks(path, read(path)))).toEqual([]);
  });

  it("are found when they do not", () => {
    const text = "[a](gone.md) [b](core/README.md#top) [c](https://example.org) [d](#here) `[e](code.md)`";
    expect(findDeadLinks("README.md", text)).toEqual(['README.md links to "gone.md", which does not exist']);
  });
});
