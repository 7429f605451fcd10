import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { groupsLeft, processesLeft } from "../../sandbox/hostile/traces.js";
import { strongSandbox } from "../../support/strong-sandbox.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();

describe.skipIf(strongSandbox === undefined)("a harness that is killed", () => {
  it("takes along what runs behind the boundary, with its groups and folders", async () => {
    await strongSandbox?.close();
    const temporary = join(folder, "tmp");
    mkdirSync(temporary);
    const module = new URL("../../../environments/dist/code/index.js", import.meta.url).href;
    const script = `
      const { default: environment } = await import(${JSON.stringify(module)});
      const judge = await environment.judge.open();
      const program = "import os\\nos.fork()\\nopen('f', 'w').write('x')\\nwhile True: pass";
      const one = { mode: "stdin", program, tests: [{ input: "", output: "" }], limits: { testMs: 600000 } };
      const verdict = judge.judge(environment.judge.caseSchema.parse(one), {});
      console.log("running");
      await verdict;`;
    const env = { ...process.env, TMPDIR: temporary };
    const harness = spawn(process.execPath, ["--input-type=module", "-e", script], {
      env,
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(harness.stdout, "data");
    expect(readdirSync(temporary)).toHaveLength(1);
    harness.kill("SIGKILL");
    await once(harness, "exit");
    await expect.poll(() => existsSync(temporary) && readdirSync(temporary), { timeout: 600_000 }).toEqual([]);
    await expect.poll(() => processesLeft(), { timeout: 600_000 }).toEqual([]);
    await expect.poll(() => groupsLeft(), { timeout: 600_000 }).toEqual([]);
  });
});
