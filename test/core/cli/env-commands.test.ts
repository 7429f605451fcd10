import { execFile } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { newEnvironment } from "../../../core/cli/environments/new-environment.js";
import { analyseSource } from "../../../core/dist/cli/plugins/analyse-source.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { recordsOf, runTroupe, TroupeProcess } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const KINDS = ["single", "multi", "tool"];

describe("newEnvironment()", () => {
  test("writes packages whose own tests pass as they stand, and sources without a finding", async () => {
    const made = join(folder, "new");
    for (const kind of KINDS) {
      const files = await newEnvironment(`my-${kind}`, kind, join(made, kind));
      expect(files).toEqual(["package.json", "index.ts", "index.test.ts", "README.md"]);
    }
    // Where a package manager would have put them.
    symlinkSync(join(ROOT, "node_modules"), join(made, "node_modules"));
    const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
    const args = [vitest, "run", "--root", made, "--reporter", "json", "--testTimeout", "900000"];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    expect(JSON.parse(stdout)).toMatchObject({ numTotalTests: 6, numPassedTests: 6, success: true });

    const entry = join(made, "all.ts");
    writeFileSync(entry, KINDS.map((kind) => `import "./${kind}/index.js";`).join("\n"));
    expect(analyseSource(entry, "environment")).toEqual([]);

    const dice = join(made, "dice.ts");
    writeFileSync(dice, 'import "node:fs";\nexport default Math.random() + Date.now();\n');
    expect(analyseSource(dice, "environment")).toMatchObject([
      { severity: "error", place: "dice.ts:2:16", rule: "forbidden-global" },
    ]);
  });

  test("never overwrites, and names the kinds there are", async () => {
    mkdirSync(folder, { recursive: true });
    await expect(newEnvironment("x", "single", folder)).rejects.toMatchObject({ code: "FOLDER_TAKEN" });
    await expect(newEnvironment("x", "y", join(folder, "y"))).rejects.toMatchObject({
      message: 'Cannot read "--kind y": one of single, multi, tool is wanted',
    });
    await expect(newEnvironment("X y", "single", join(folder, "y"))).rejects.toMatchObject({
      code: "OPTION_NOT_VALID",
    });
  });
});

describe("troupe env", () => {
  test("new and check say what was written and that it is fit for a run", async () => {
    const made = join(folder, "cli");
    const written = await runTroupe(["--json", "env", "new", "mine", "--kind", "tool", "--folder", made], folders);
    expect(recordsOf(written)).toMatchObject([{ type: "environment", name: "mine", kind: "tool", folder: made }]);
    const checked = await runTroupe(["--json", "env", "check", made], folders);
    expect(checked, checked.stderr).toMatchObject({ exitCode: 0 });
    expect(recordsOf(checked)).toMatchObject([
      { type: "environment", name: "mine", offers: ["episodes", "teacher"], findings: [], ok: true },
    ]);
  });

  test("serve says where it listens, has it talked with, and ends with code 0 when it is stopped", async () => {
    let listening = (_line: string): void => {};
    const line = new Promise<string>((resolve) => (listening = resolve));
    const args = ["--json", "env", "serve", "guess-number", "--port", "0"];
    const server = new TroupeProcess(args, folders, (text) => listening(text));
    const said = JSON.parse(await line);
    expect(said).toMatchObject({ type: "listening", environment: "guess-number" });
    const client = new WebSocket(said.url);
    const answer = once(client, "message");
    await once(client, "open");
    client.send('{"type":"reset","data":{"seed":1}}');
    expect(JSON.parse(String((await answer)[0]))).toMatchObject({ type: "observation", data: { done: false } });
    server.signal("SIGTERM");
    expect(await server.ended).toMatchObject({ exitCode: 0, signal: null });
  });

  test("serve refuses other machines without a token", async () => {
    const end = await runTroupe(["env", "serve", "guess-number", "--host", "0.0.0.0", "--port", "0"], folders);
    expect(end).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("SERVICE_NOT_SECURED") });
  });
});
