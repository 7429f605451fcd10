import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { recordsOf, runTroupe, TroupeProcess } from "../support/troupe-process.js";
import { UNRULY } from "../support/unruly.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
const { distill: _distill, plugins: _plugins, ...tiny } = TINY_RUN;

test("`troupe why-stuck` and `troupe actors` name a verifier that hangs, while the run lives and after its death", async () => {
  expect(await runTroupe(["why-stuck"], folders)).toMatchObject({
    exitCode: 4,
    stderr: expect.stringContaining("RUN_NOT_FOUND"),
  });
  const file = writeTinyRun(folder, {
    ...tiny,
    environment: { use: UNRULY, with: { fault: "hang" } },
    rollout: { maxTokens: 8 },
    verify: { deadlineMs: 600_000 },
  });
  const run = new TroupeProcess(["run", file], folders);
  for (;;) {
    const [found] = recordsOf(
      await runTroupe(["why-stuck", "--json"], folders).then((end) =>
        end.exitCode === 0 ? end : { ...end, stdout: "" },
      ),
    );
    if (!found || !String(found["culprit"]).startsWith("verify")) continue;
    expect(found).toMatchObject({
      type: "why-stuck",
      run: "0001-tiny",
      state: "live",
      text: expect.stringContaining('has worked on "verify"'),
    });
    break;
  }
  // The other group waits as soon as it is sampled, and the next report says so.
  let stuck = await runTroupe(["why-stuck"], folders);
  while (!stuck.stdout.includes("a free verifier")) stuck = await runTroupe(["why-stuck"], folders);
  expect(stuck.stdout).toMatch(
    /^0001-tiny: live, process \d+, as of [\d.]+ s ago\nverify-\d+ has worked on "verify" for/,
  );
  expect(stuck.stdout).toMatch(/step 1 +verify-\d+ +verify 4 answers to "train\/\d"/);
  expect(stuck.stdout).toMatch(/a free verifier +verify/);
  const actors = await runTroupe(["actors", "1"], folders);
  expect(actors.stdout).toMatch(/learner +thread +running/);
  expect(actors.stdout).toMatch(/verify-\d+ +thread +running +"verify" for [\d.]+ s +1\/4/);
  run.signal("SIGKILL");
  await run.ended;
  const after = await runTroupe(["why-stuck"], folders);
  expect(after.stdout).toContain("died");
  expect(after.stdout).toMatch(/verify-\d+ has worked on "verify"/);
});
