import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { groupsLeft, processesLeft } from "../../sandbox/hostile/traces.js";
import { strongSandbox } from "../../support/strong-sandbox.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const folder = temporaryFolder();

/** A process that judges a program without end, with temporary files of its own; ended by `kill` alone. */
async function startHarness(temporary: string) {
  mkdirSync(temporary, { recursive: true });
  const module = new URL("../../../environments/dist/code/index.js", import.meta.url).href;
  const script = `
    const { default: environment } = await import(${JSON.stringify(module)});
    const judge = await environment.judge.open();
    const program = "import os\\nos.fork()\\nopen('f', 'w').write('x')\\nwhile True: pass";
    const one = { mode: "stdin", program, tests: [{ input: "", output: "" }], limits: { testMs: 600000 } };
    const verdict = judge.judge(environment.judge.caseSchema.parse(one), {});
    console.log("running");
    await verdict;`;
  const harness = spawn(process.execPath, ["--input-type=module", "-e", script], {
    env: { ...process.env, TMPDIR: temporary },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = once(harness, "exit");
  await once(harness.stdout, "data");
  return { harness, ended };
}

async function expectNothingLeft(temporary: string): Promise<void> {
  await expect.poll(() => existsSync(temporary) && readdirSync(temporary), { timeout: 600_000 }).toEqual([]);
  await expect.poll(() => processesLeft(), { timeout: 600_000 }).toEqual([]);
  await expect.poll(() => groupsLeft(), { timeout: 600_000 }).toEqual([]);
}

/** The interpreter that a process forks its guests from. */
function forkServerOf(parent: number | undefined): number {
  const found = readdirSync("/proc").filter((name) => {
    try {
      const isChild = readFileSync(`/proc/${name}/status`, "latin1").includes(`\nPPid:\t${parent}\n`);
      return isChild && readFileSync(`/proc/${name}/cmdline`, "latin1").includes("fork_server");
    } catch {
      // No process, or one that ended meanwhile.
      return false;
    }
  });
  expect(found).toHaveLength(1);
  return Number(found[0]);
}

describe.skipIf(strongSandbox === undefined)("a harness that is killed", () => {
  it("takes along what runs behind the boundary, with its groups and folders", async () => {
    await strongSandbox?.close();
    const temporary = join(folder, "alone");
    const { harness, ended } = await startHarness(temporary);
    expect(readdirSync(temporary)).toHaveLength(1);
    harness.kill("SIGKILL");
    await ended;
    await expectNothingLeft(temporary);
  });

  it("leaves a folder when its interpreter is killed with it, which the next one removes", async () => {
    await strongSandbox?.close();
    const temporary = join(folder, "together");
    const first = await startHarness(temporary);
    const left = readdirSync(temporary);
    expect(left).toEqual([expect.stringMatching(/^troupe-guests-/)]);
    // It stands still, so that it does not tidy up after its interpreter.
    first.harness.kill("SIGSTOP");
    process.kill(forkServerOf(first.harness.pid), "SIGKILL");
    first.harness.kill("SIGKILL");
    await first.ended;
    expect(readdirSync(temporary)).toEqual(left);

    const second = await startHarness(temporary);
    const [own, ...others] = readdirSync(temporary);
    expect(others).toEqual([]);
    expect(left).not.toContain(own);
    second.harness.kill("SIGKILL");
    await second.ended;
    await expectNothingLeft(temporary);
  });
});
