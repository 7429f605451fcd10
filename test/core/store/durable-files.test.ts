import { existsSync } from "node:fs";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { onFile, writeFileAtomically } from "../../../core/src/store/durable-files.js";

describe("onFile()", () => {
  it.skipIf(!existsSync("/dev/full"))("fails with DISK_FULL naming the file when no room is left", async () => {
    await expect(onFile("runs/x", "write", () => writeFile("/dev/full", "x"))).rejects.toMatchObject({
      code: "DISK_FULL",
      exitCode: 4,
      message: expect.stringContaining("runs/x"),
    });
  });

  it("fails with FILE_NOT_PERMITTED when the system refuses, and passes other failures through", async () => {
    const refused = Object.assign(new Error("refused"), { code: "EACCES" });
    await expect(onFile("a", "read", () => Promise.reject(refused))).rejects.toMatchObject({
      code: "FILE_NOT_PERMITTED",
      cause: refused,
    });
    const other = new Error("other");
    await expect(onFile("a", "read", () => Promise.reject(other))).rejects.toBe(other);
  });
});

describe("writeFileAtomically()", () => {
  it("makes folders, replaces the old content and leaves no temporary file", async () => {
    const folder = await mkdtemp(join(tmpdir(), "troupe-store-"));
    const file = join(folder, "deep", "state.json");
    await writeFileAtomically(file, "old");
    await writeFileAtomically(file, "new");
    expect(await readFile(file, "utf8")).toBe("new");
    expect(await readdir(join(folder, "deep"))).toEqual(["state.json"]);
    await rm(folder, { recursive: true });
  });
});
