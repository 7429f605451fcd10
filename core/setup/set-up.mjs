import { statfsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { findCompiler } from "./compiler.mjs";
import { isInstalled } from "./installed.mjs";
import { SetUpError, compilerMissing, diskFull, networkMissing, stepFailed } from "./errors.mjs";
import { npmCommand, runStep } from "./step.mjs";

const root = fileURLToPath(new URL("../..", import.meta.url));
const MIN_FREE_MB = 500;

/** What the command line runs on; a mistake in a test does not keep a run from starting. */
export const RUNTIME_PROJECTS = ["core", "gpu", "environments", "plugins", "examples"];
export const ALL_PROJECTS = [...RUNTIME_PROJECTS, "test"];

/**
 * Brings a clone to where the command line runs: packages as locked, TypeScript compiled, native addon built. Each
 * part does nothing when nothing changed. Reports on stderr; returns whether all is ready, else sets the exit code.
 */
export async function setUp(projects) {
  try {
    await installPackages();
    await build(projects);
    return true;
  } catch (error) {
    if (!(error instanceof SetUpError)) throw error;
    if (error.output) process.stderr.write(`${error.output}\n`);
    process.stderr.write(`${error.code}: ${error.message}. Fix: ${error.fix}\n`);
    process.exitCode = error.exitCode;
    return false;
  }
}

async function installPackages() {
  if (isInstalled(root)) return;
  // Asked for before the download, not after it.
  requireCompiler();
  const freeMb = freeMegabytes(root);
  if (freeMb < MIN_FREE_MB) throw diskFull({ root, freeMb, neededMb: MIN_FREE_MB });
  // npm waits 10 s and then 60 s before it asks again; a machine without network should hear so at once.
  const retry = ["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=4000"];
  const step = await runStep(
    "packages",
    "as locked",
    npmCommand(["ci", "--prefer-offline", "--loglevel=error", ...retry]),
    root,
  );
  if (step.exitCode === 0) return;
  if (
    /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|EHOSTUNREACH|ERR_SOCKET_TIMEOUT)\b/.test(
      step.output,
    )
  ) {
    throw networkMissing();
  }
  if (/\bENOSPC\b/.test(step.output)) throw diskFull({ root, freeMb: freeMegabytes(root), neededMb: MIN_FREE_MB });
  throw stepFailed({ action: "install packages", command: "npm ci", step });
}

async function build(projects) {
  const compile = [process.execPath, "node_modules/typescript/bin/tsc", "--build", ...projects];
  const typescript = await runStep("typescript", "up to date", compile, root);
  if (typescript.exitCode !== 0) {
    throw stepFailed({
      action: "compile TypeScript",
      command: `npx tsc --build ${projects.join(" ")}`,
      step: typescript,
    });
  }
  const native = await runStep("native addon", "up to date", [process.execPath, "gpu/build.mjs"], root);
  if (native.exitCode !== 0) {
    requireCompiler();
    throw stepFailed({ action: "build the native addon", command: "node gpu/build.mjs", step: native });
  }
  // Its failure leaves one tier of the code sandbox out, which says so itself.
  await runStep("code sandbox", "up to date", [process.execPath, "environments/build.mjs"], root);
}

function requireCompiler() {
  if (findCompiler() === undefined) throw compilerMissing({ cxx: process.env.CXX, platform: process.platform });
}

function freeMegabytes(path) {
  const { bavail, bsize } = statfsSync(path);
  return Math.floor((bavail * bsize) / 2 ** 20);
}
