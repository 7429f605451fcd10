import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { checkCheckpoint } from "../../../core/src/store/check-checkpoint.js";
import { saveCheckpoint, type Checkpoint } from "../../../core/src/store/checkpoint.js";
import { RunDirectory } from "../../../core/src/store/run-directory.js";
import { tensorDigests } from "../../../core/src/store/tensor-digests.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const root = temporaryFolder();
const FILES = ["model.safetensors", "optimizer.safetensors"];

/** A tensor file of one float, as the format has it: length of the header, header, data. */
function tensorFile(path: string): void {
  const header = JSON.stringify({ weight: { dtype: "F32", shape: [1], data_offsets: [0, 4] } });
  const bytes = Buffer.alloc(8 + header.length + 4);
  bytes.writeBigUInt64LE(BigInt(header.length));
  bytes.write(header, 8);
  writeFileSync(path, bytes);
}

function flipLast(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
}

async function twoCheckpoints(): Promise<{ run: RunDirectory; older: Checkpoint; newest: Checkpoint }> {
  const run = await RunDirectory.create({ root, name: "demo" });
  const save = (step: number): Promise<Checkpoint> =>
    saveCheckpoint(run, step, async (folder) => {
      mkdirSync(folder, { recursive: true });
      for (const file of FILES) tensorFile(join(folder, file));
      return { step, digests: await tensorDigests(folder) };
    });
  return { run, older: await save(5), newest: await save(10) };
}

test.each<[string, (path: string) => void, RegExp]>([
  ["a tensor file cut short", (path) => truncateSync(join(path, "model.safetensors"), 70), /model\.safetensors"/],
  ["a missing state", (path) => rmSync(join(path, "state.json")), /state\.json"/],
  ["a torn state", (path) => writeFileSync(join(path, "state.json"), '{"a'), /state\.json"/],
  [
    "changed bytes",
    (path) => flipLast(join(path, "optimizer.safetensors")),
    /"optimizer\.safetensors" are not those that/,
  ],
  ["a missing file", (path) => rmSync(join(path, "optimizer.safetensors")), /"optimizer\.safetensors" is gone$/],
  ["no weights", (path) => FILES.forEach((file) => rmSync(join(path, file))), /it has no weights$/],
])("checkCheckpoint() names %s and the checkpoint before", async (_, damage, message) => {
  const { run, older, newest } = await twoCheckpoints();
  await checkCheckpoint(run, newest);
  damage(newest.path);
  await expect(checkCheckpoint(run, newest)).rejects.toMatchObject({
    code: "CHECKPOINT_DAMAGED",
    exitCode: 4,
    message: expect.stringMatching(message),
    hint: expect.stringContaining("goes on from step 5"),
  });
  damage(older.path);
  await expect(checkCheckpoint(run, older)).rejects.toMatchObject({
    hint: expect.stringContaining("there is no checkpoint before it"),
  });
});
