import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { JsonObject } from "../../core/src/records/json.js";
import { temporaryFolder } from "../support/temporary-folder.js";
import { TINY_RUN, writeTinyRun } from "../support/tiny-run.js";
import { runTroupe, TroupeProcess } from "../support/troupe-process.js";
import { UNRULY } from "../support/unruly.js";

const folder = temporaryFolder();
const { distill: _distill, plugins: _plugins, ...tiny } = TINY_RUN;

/** Trains two steps whose verifier ends its thread, process or node's thread on slot 1 of every other task; gives the ledger. */
async function ledgerWith(placement: string | JsonObject): Promise<string> {
  const own = join(folder, typeof placement === "string" ? placement : "nodes");
  const file = writeTinyRun(own, {
    ...tiny,
    environment: { use: UNRULY, with: { fault: "exit" } },
    train: { ...tiny.train, steps: 2 },
    rollout: { maxTokens: 8 },
    eval: { tasks: 4 },
    verify: { placement, actors: 2, maxErrorRate: 0.5 },
  });
  const runs = join(own, "runs");
  const end = await runTroupe(["run", file], { runs, home: join(own, "home") });
  expect(end, end.stderr).toMatchObject({ exitCode: 0 });
  return readFileSync(join(runs, "0001-tiny", "ledger.jsonl"), "utf8");
}

test("verifiers in threads, in processes and on another node give a run the same ledger, their deaths included", async () => {
  const token = "a token for tests alone";
  const tokenFile = join(folder, "token");
  writeFileSync(tokenFile, token);
  let heard: (address: string) => void = () => {};
  const listening = new Promise<string>((resolve) => (heard = resolve));
  const words = ["node", "--listen", "127.0.0.1:0", "--token-file", tokenFile];
  const node = new TroupeProcess(words, { runs: folder, home: folder }, (line) => {
    if (line.startsWith("listening on ")) heard(line.slice("listening on ".length));
  });
  const address = await listening;
  process.env["TROUPE_NODE_TOKEN"] = token;
  const inThreads = await ledgerWith("thread");
  expect(await ledgerWith("process")).toBe(inThreads);
  expect(await ledgerWith({ nodes: [address] })).toBe(inThreads);
  node.signal("SIGTERM");
  expect(await node.ended).toMatchObject({ exitCode: 143, stdout: expect.stringContaining(": linked") });
});
