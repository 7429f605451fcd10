import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it, describe } from "vitest";
import { tryEnvironment } from "../../../core/src/plugin-kit/environment-kit.js";
import { temporaryFolder } from "../../support/temporary-folder.js";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

describe("tryEnvironment()", () => {
  const folder = temporaryFolder();

  it.each([
    "arithmetic",
    "base-conversion",
    "boolean-evaluation",
    "corpus",
    "countdown",
    "path-finding",
    "calculator",
    "guess-number",
  ])("finds every promise kept when it tries %s", async (name) => {
    expect((await tryEnvironment(name, ROOT)).filter(({ isKept }) => !isKept)).toEqual([]);
  });
