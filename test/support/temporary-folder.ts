import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A new folder that goes with the tests of the file, or of the `describe`, in which this is called. */
export function temporaryFolder(): string {
  const path = mkdtempSync(join(tmpdir(), "troupe-test-"));
  afterAll(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
