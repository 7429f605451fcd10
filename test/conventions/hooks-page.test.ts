import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { HOOKS } from "../../core/src/hooks/hooks.js";
import { planHooks } from "../../core/src/hooks/planner.js";
import { loadPlugin } from "../../core/src/hooks/plugin-loader.js";
import { read } from "./source.js";

const page = read("core/docs/hooks.md");
const folder = mkdtempSync(join(tmpdir(), "troupe-hooks-page-"));
afterAll(() => rmSync(folder, { recursive: true }));

describe("core/docs/hooks.md", () => {
  it("has the table of hooks.ts, row by row", () => {
    const rows = [...page.matchAll(/^\| \[`(\w+)`\]\(#\w+\) \| (\w+) \| (\w+) \| [^|]+ \| ([^|]+) \|$/gm)].map((row) =>
      row.slice(1),
    );
    expect(rows).toEqual(
      Object.entries(HOOKS).map(([name, { kind, thread, undefinedMeans }]) => [name, kind, thread, undefinedMeans]),
    );
  });

  it.each(Object.keys(HOOKS))("has an example of %s that loads and can be planned", async (hook) => {
    const code = new RegExp(`^## ${hook}\\n(?:(?!^## )[^])*?\`\`\`ts\\n([^]*?)\`\`\``, "m").exec(page)?.[1];
    const path = join(folder, `${hook}.ts`);
    writeFileSync(path, code ?? "");
    const { plugin } = await loadPlugin(path, {}, folder);
    expect(Object.keys(plugin.hooks)).toEqual([hook]);
    expect(planHooks([plugin]).map((line) => line.hook)).toEqual([hook]);
  });
});
