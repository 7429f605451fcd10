import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const core = join(import.meta.dirname, "../../../core");

/** Records that the command line writes itself; those of a run are `RunEvent`. */
function typesWritten(): ReadonlySet<string> {
  const files = readdirSync(join(core, "cli"), { recursive: true, encoding: "utf8" }).filter((name) =>
    name.endsWith(".ts"),
  );
  const sources = [...files.map((name) => join(core, "cli", name)), join(core, "src", "records", "run-event.ts")].map(
    (path) => readFileSync(path, "utf8"),
  );
  const types = sources.flatMap((text) => [...text.matchAll(/\btype: "([a-z-]+)"/g)].map((match) => match[1] ?? ""));
  // The field of a package.json.
  return new Set(types.filter((type) => type !== "module"));
}

test("json-output.md names every type of record that the command line writes", () => {
  const documented = readFileSync(join(core, "docs", "json-output.md"), "utf8");
  const missing = [...typesWritten()].filter((type) => !documented.includes(`\`${type}\``));
  expect(typesWritten().size).toBeGreaterThan(30);
  expect(missing).toEqual([]);
});
