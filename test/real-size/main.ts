import { fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

// Phases run in processes of their own, so that each one's peak of memory is its own.

const { values } = parseArgs({
  options: {
    folder: { type: "string" },
    keep: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(
    "npm run test:real-size -- [--folder DIR] [--keep]\n" +
      "Makes a randomly initialised policy of Qwen2.5-0.5B's shape (1 GB), loads it, samples, takes a training step and\n" +
      "breaks its files one by one; prints time and memory. Needs 24 GB of memory, and about ten minutes of two cores.\n",
  );
} else {
  const folder = values.folder ?? mkdtempSync(join(tmpdir(), "troupe-real-size-"));
  try {
    for (const phase of ["make", "use"]) {
      const file = fileURLToPath(new URL(`${phase}.js`, import.meta.url));
      const code = await new Promise<number | NodeJS.Signals | null>((resolve, reject) => {
        const child = fork(file, [folder]);
        child.on("error", reject);
        child.on("exit", (exit, signal) => resolve(signal ?? exit));
      });
      if (code !== 0) {
        process.stdout.write(`${phase} ended with ${code}\n`);
        process.exitCode = 1;
        break;
      }
    }
  } finally {
    if (!values.keep) rmSync(folder, { recursive: true, force: true });
  }
}
