import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { GATED } from "../../support/gated.js";
import { temporaryFolder } from "../../support/temporary-folder.js";
import { runTroupe, TroupeProcess } from "../../support/troupe-process.js";

const folder = temporaryFolder();
const folders = { runs: join(folder, "runs"), home: join(folder, "home") };

describe("troupe verify serve", () => {
  it("answers over HTTP, and on SIGTERM finishes what is under way and ends with 0", async () => {
    const config = join(folder, "serve.yaml");
    writeFileSync(config, `verifiers:\n  mine:\n    use: ${GATED}\n    with: { bonus: 0.25 }\n`);
    const [gate, log] = [join(folder, "gate"), join(folder, "log")];
    let heard = (_line: string): void => {};
    const served = new TroupeProcess(
      ["verify", "serve", "--listen", "127.0.0.1:0", "--grpc", "127.0.0.1:0", "--config", config, "--threads", "1"],
      folders,
      (line) => heard(line),
    );
    const lineThat = (begins: string): Promise<string> =>
      new Promise((resolve, reject) => {
        heard = (line) => line.startsWith(begins) && resolve(line);
        served.ended.then(({ stderr }) => reject(new Error(stderr)), reject);
      });
    const url = await lineThat("http://");
    const items = [
      { sample_id: "a", verifier: "mine", response: "no", ground_truth: "yes", meta: { gate, log } },
      { sample_id: "b", verifier: "mine", response: "yes", ground_truth: "yes" },
    ];
    const answer = fetch(`${url}/v1/verify`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ items }),
    });
    while (!existsSync(log)) await new Promise((resolve) => setTimeout(resolve, 5));
    const draining = lineThat("finishing");
    served.signal("SIGTERM");
    await draining;
    const late = await fetch(`${url}/v1/verify`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ items }),
    }).then(({ status }) => status);
    expect(late).toBe(503);
    writeFileSync(gate, "");
    expect(await (await answer).json()).toMatchObject({
      items: [
        { sample_id: "a", verdict: "partial", score: 0.25 },
        { sample_id: "b", verdict: "pass", score: 1 },
      ],
    });
    expect(await served.ended).toMatchObject({ exitCode: 0, signal: null });
  });

  it("does not start without a token beyond loopback, nor with a config that is wrong", async () => {
    const open = await runTroupe(["verify", "serve", "--listen", "0.0.0.0:0"], folders);
    expect(open).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("SERVICE_NOT_SECURED") });
    const config = join(folder, "wrong.yaml");
    writeFileSync(config, "verifers: {}\n");
    const wrong = await runTroupe(["verify", "serve", "--config", config], folders);
    expect(wrong).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('"verifers"') });
  });
});
