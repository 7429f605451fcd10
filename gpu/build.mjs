// Builds build/Release/troupe.node with a C++17 compiler and nothing else: `node gpu/build.mjs`.
// `--tests` builds the native tests in its place; `--sanitize=address` and `--sanitize=thread` either of them with checks.
// An object is rebuilt when the hash of its sources, flags and compiler version changes. $CXX names the compiler.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { digest, fail, findCompiler, findNvcc, openStamps, run } from "./compiler.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const require = createRequire(import.meta.url);
const SANITIZERS = { address: "address,undefined", thread: "thread" };
const wanted = process.argv.find((word) => word.startsWith("--sanitize="))?.slice("--sanitize=".length);
const sanitize = SANITIZERS[wanted];
const isTests = process.argv.includes("--tests");
const output = join(root, "build", wanted ?? "Release");
const sources = join(root, "native");
const tests = join(root, "..", "test", "gpu", "native");

if (wanted !== undefined && sanitize === undefined) {
  fail(`there is no sanitizer "${wanted}"`, `Name one of ${Object.keys(SANITIZERS).join(", ")}`);
}

const compiler = findCompiler();
const macos = compiler.target.includes("apple");
const common = [
  "-std=c++17",
  sanitize ? "-O1" : "-O3",
  // One rounding per written operation, on every compiler: bits must not depend on what it chose to fuse.
  "-ffp-contract=off",
  "-fno-math-errno",
  "-fPIC",
  "-fvisibility=hidden",
  "-pthread",
  "-Wall",
  "-Wextra",
  ...(sanitize ? ["-g", "-fno-omit-frame-pointer", `-fsanitize=${sanitize}`, "-fno-sanitize-recover=all"] : []),
];

// GCC 12's own AVX-512 intrinsics read a deliberately undefined value, which -Wall reports at every use.
const avx512 =
  "-mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mprefer-vector-width=512 -Wno-maybe-uninitialized -Wno-uninitialized".split(
    " ",
  );
/** By kernel set: the getter that select-kernels.cc calls, and flags. */
const kernelSets = {
  baseline: { getter: "kernelsBaseline", flags: [] },
  avx2: { getter: "kernelsAvx2", flags: ["-mavx2", "-mfma"] },
  avx512: { getter: "kernelsAvx512", flags: avx512 },
  avx512bf16: { getter: "kernelsAvx512bf16", flags: [...avx512, "-mavx512bf16"], isRecent: true },
  amx: { getter: "kernelsAmx", flags: [...avx512, "-mavx512bf16", "-mamx-tile", "-mamx-bf16"], isRecent: true },
};

/** Whether the compiler knows the flags; those of recent sets are not asked of every compiler. */
function accepts(flags) {
  try {
    const args = [...compiler.flags, ...flags, "-fsyntax-only", "-x", "c++", "-"];
    execFileSync(compiler.command, args, { input: "", stdio: ["pipe", "ignore", "ignore"] });
    return true;
  } catch {
    return false;
  }
}

function units() {
  const x86 = /^(x86_64|amd64)/.test(compiler.target);
  const sets = Object.entries(kernelSets).filter(
    ([set, { flags, isRecent }]) => set === "baseline" || (x86 && (!isRecent || accepts(flags))),
  );
  const has = sets.map(([set]) => `-DTROUPE_HAS_${set.toUpperCase()}`);
  const kernels = sets.map(([set, { getter, flags }]) => ({
    source: join(sources, "cpu", "kernels.cc"),
    object: `kernels-${set}.o`,
    flags: [`-DTROUPE_KERNELS_NAME=${set}`, `-DTROUPE_KERNELS_GETTER=${getter}`, ...flags],
  }));
  const headers = join(dirname(require.resolve("node-api-headers/package.json")), "include");
  const addon = dirname(require.resolve("node-addon-api/package.json"));
  // The last: an error that a terminated thread can no longer throw is dropped instead of ending the process.
  const napi = "-DNAPI_VERSION=8 -DNODE_ADDON_API_CPP_EXCEPTIONS -DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS".split(" ");
  const binding = [...napi, "-isystem", headers, "-isystem", addon];
  const others = sourcesIn(sources).map((source) => {
    const name = basename(source, ".cc");
    return {
      source,
      object: `${name}.o`,
      flags: name === "binding" ? binding : name === "select-kernels" ? has : [],
    };
  });
  if (!isTests) return [...kernels, ...others];
  const tested = others.filter(({ object }) => object !== "binding.o");
  const own = sourcesIn(tests).map((source) => ({
    source,
    object: `test-${basename(source, ".cc")}.o`,
    flags: ["-I", sources],
    headers: headersIn(tests),
  }));
  return [...kernels, ...tested, ...own];
}

function sourcesIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".cc"))
    .sort()
    .map((name) => join(folder, name));
}

function headersIn(folder) {
  return readdirSync(folder)
    .filter((name) => name.endsWith(".h"))
    .sort()
    .map((name) => readFileSync(join(folder, name)));
}

const headerText = [sources, join(sources, "cpu")].flatMap(headersIn);
const addonVersions = ["node-api-headers", "node-addon-api"].map((name) => require(`${name}/package.json`).version);
const base = [compiler.command, compiler.version, ...addonVersions, ...compiler.flags, ...common];

const targetName = isTests ? "native-tests" : "troupe.node";
const target = join(output, targetName);
const { stamps, save } = openStamps(output);

async function compile(unit) {
  const object = join(output, unit.object);
  const stamp = digest([...base, ...unit.flags, readFileSync(unit.source), ...headerText, ...(unit.headers ?? [])]);
  if (stamps[unit.object] === stamp && existsSync(object)) return;
  await run(compiler.command, [...compiler.flags, ...common, ...unit.flags, "-c", unit.source, "-o", object]);
  stamps[unit.object] = stamp;
}

async function build() {
  const all = units();
  const queue = [...all];
  const lanes = Array.from({ length: availableParallelism() }, async () => {
    for (let unit = queue.shift(); unit; unit = queue.shift()) await compile(unit);
  });
  await Promise.all(lanes);
  const link = [
    "-pthread",
    // Node unloads an addon with the last thread that loaded it, while the addon's own threads still wait for work;
    // macOS never unloads a library with thread-local variables.
    ...(isTests ? [] : ["-shared", ...(macos ? ["-undefined", "dynamic_lookup"] : ["-Wl,-z,nodelete"])]),
    ...(sanitize ? [`-fsanitize=${sanitize}`] : []),
    ...(macos || sanitize ? [] : ["-static-libstdc++", "-static-libgcc"]),
  ];
  const stamp = digest([...base, ...link, ...all.map((unit) => stamps[unit.object])]);
  if (stamps[targetName] !== stamp || !existsSync(target)) {
    // A running process may have the old file mapped: write beside it and rename.
    const temporary = `${target}.${process.pid}`;
    await run(compiler.command, [
      ...compiler.flags,
      ...link,
      ...all.map((unit) => join(output, unit.object)),
      "-o",
      temporary,
    ]);
    renameSync(temporary, target);
    stamps[targetName] = stamp;
    console.log(`built ${target}`);
  }
}

let failure;
try {
  await build();
} catch (error) {
  failure = error;
  // An addon of older sources would run in its place unnoticed.
  rmSync(target, { force: true });
}
save();
if (failure) {
  fail(
    `the compiler stopped with exit code ${failure.code ?? 1}`,
    "Its messages are above; a C++17 compiler is needed (GCC 9, Clang 10 or later)",
  );
}

// nvcc alone is a machine to build on; the minute that it takes is spent unasked where a GPU can use the result.
if (!sanitize && !isTests && existsSync("/dev/nvidiactl") && findNvcc()) {
  try {
    await run(process.execPath, [join(root, "build-cuda.mjs")]);
  } catch {
    console.error("The CPU engine is built; the CUDA engine is not, for the reason above");
  }
}
