import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { makeScratchFolder } from "../../../core/src/store/scratch-folder.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const own = temporaryFolder();
const before = process.env["TMPDIR"];
process.env["TMPDIR"] = own;
afterAll(() => {
  if (before === undefined) delete process.env["TMPDIR"];
  else process.env["TMPDIR"] = before;
});

const MODULE = new URL("../../../core/dist/src/store/scratch-folder.js", import.meta.url).href;

/** A process that has made a folder, and lives until it is killed, or this one ends. */
async function owner(name: string): Promise<{ path: string; kill: () => Promise<void> }> {
  const source = `import { makeScratchFolder } from ${JSON.stringify(MODULE)};
process.stdout.write(await makeScratchFolder(${JSON.stringify(name)}));
process.stdin.resume();`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = once(child, "exit");
  const [path] = await once(child.stdout, "data");
  return {
    path: String(path),
    async kill() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}

describe("makeScratchFolder()", () => {
  test("removes what a killed process left, and nothing of a live one or of other names", async () => {
    const dead = await owner("troupe-test");
    mkdirSync(join(dead.path, "policy"));
    writeFileSync(join(dead.path, "policy", "weights"), "…");
    const other = await owner("troupe-test-other");
    const live = await owner("troupe-test");
    const foreign = join(own, "troupe-test-00000000-1-1-abcdef");
    mkdirSync(foreign);
    await dead.kill();
    await other.kill();
    expect(existsSync(dead.path)).toBe(true);

    const mine = await makeScratchFolder("troupe-test");
    const again = await makeScratchFolder("troupe-test");
    expect(
      readdirSync(own)
        .map((name) => join(own, name))
        .toSorted(),
    ).toEqual([other.path, live.path, foreign, mine, again].toSorted());
    await live.kill();
  });
});
