// Builds build/Release/troupe-cuda.node, the engine on NVIDIA GPUs, with nvcc: `node gpu/build-cuda.mjs`. With
// --emulated, build/Emulated/troupe-cuda.node: the same sources under a C++ compiler, kernels run by
// native/cuda/emulator, and libcublasLt.so and libnccl.so.2 beside it, what stands for NVIDIA's libraries there. Both link
// the objects that build.mjs made. --archs=90a compiles for fewer chips, --output=FOLDER puts it elsewhere in build/;
// --sanitize adds address and undefined-behaviour checks to the emulated one. --tests builds the kernels' own tests,
// cuda-tests, in its place.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { digest, fail, findCompiler, findNvcc, openStamps, run } from "./compiler.mjs";

const root = dirname(fileURLToPath(import.meta.url));
const sources = join(root, "native");
const release = join(root, "build", "Release");
const tests = join(root, "..", "test", "gpu", "native");
const isEmulated = process.argv.includes("--emulated");
const isSanitized = process.argv.includes("--sanitize");
const isTests = process.argv.includes("--tests");
const option = (name, fallback) =>
  process.argv.find((argument) => argument.startsWith(`--${name}=`))?.slice(name.length + 3) ?? fallback;
const archs = option("archs", "80,90a").split(",");
const output = join(
  root,
  "build",
  option("output", isSanitized ? "EmulatedSanitize" : isEmulated ? "Emulated" : "Release"),
);

const compiler = findCompiler();
const host = ["-ffp-contract=off", "-fno-math-errno", "-fPIC", "-fvisibility=hidden", "-pthread"];
const sanitizers = isSanitized ? ["-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"] : [];

function tools() {
  if (isEmulated) {
    const flags = ["-std=c++17", isSanitized ? "-O1" : "-O2", ...host, ...sanitizers, "-Wall", "-Wextra"];
    return {
      command: compiler.command,
      version: compiler.version,
      device: [...compiler.flags, ...flags, "-x", "c++"],
      link: [...compiler.flags, "-shared", "-pthread", "-ldl", ...sanitizers, "-Wl,-z,nodelete", "-Wl,-z,now"],
      program: [...compiler.flags, "-pthread", ...sanitizers],
    };
  }
  const nvcc = findNvcc();
  if (!nvcc)
    fail(
      "no nvcc found (looked on the PATH and in /usr/local/cuda/bin)",
      "Install the CUDA toolkit, 12 or newer, or set NVCC",
    );
  const codes = archs.map((arch) => `-gencode=arch=compute_${arch},code=sm_${arch}`);
  // Chips that come later compile this at their first start.
  codes.push(`-gencode=arch=compute_${archs[0]},code=compute_${archs[0]}`);
  return {
    command: nvcc.command,
    version: nvcc.version,
    // -fmad=false: one rounding per written operation, or one kernel's bits could differ from another's for the same row.
    device: ["-std=c++17", "-O3", "-fmad=false", "-ccbin", compiler.command, `-Xcompiler=${host.join(",")}`, ...codes],
    link: [
      "-shared",
      "-cudart",
      "static",
      "-ccbin",
      compiler.command,
      "-Xcompiler=-pthread,-static-libstdc++,-static-libgcc",
    ].concat(["-Xlinker=-z,nodelete,-z,now"], codes),
    program: ["-cudart", "static", "-ccbin", compiler.command, ...codes],
  };
}

function headers() {
  const folders = [sources, join(sources, "cuda"), join(sources, "cuda", "emulator"), ...(isTests ? [tests] : [])];
  return folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".h"))
      .sort()
      .map((name) => readFileSync(join(folder, name))),
  );
}

/** Everything that the CPU's build made; the linker takes what is asked for. */
async function archiveObjects() {
  const objects = readdirSync(release).filter(
    (name) => name.endsWith(".o") && !name.startsWith("cuda-") && name !== "binding.o",
  );
  const archive = join(output, "troupe.a");
  rmSync(archive, { force: true });
  await run("ar", ["rcs", archive, ...objects.map((name) => join(release, name))]);
  return archive;
}

/** What the emulated engine opens in place of NVIDIA's libraries. */
async function buildStandIn(name, file, { stamps, save }) {
  const source = join(sources, "cuda", "emulator", name);
  const target = join(output, file);
  const flags = [...compiler.flags, "-std=c++17", "-O2", ...host, ...sanitizers, "-Wall", "-shared"];
  const stamp = digest([compiler.command, compiler.version, ...flags, readFileSync(source)]);
  if (stamps[target] === stamp && existsSync(target)) return;
  await run(compiler.command, [...flags, source, "-o", target]);
  stamps[target] = stamp;
  save();
}

async function build() {
  mkdirSync(output, { recursive: true });
  const { command, version, device, link, program } = tools();
  const { stamps, save } = openStamps(join(output, "cuda-stamps"));
  if (isEmulated) {
    await buildStandIn("cublas-lt.cc", "libcublasLt.so", { stamps, save });
    await buildStandIn("nccl.cc", "libnccl.so.2", { stamps, save });
  }
  const base = [command, version, ...device, ...headers()];
  if (isTests) return buildTests();
  const units = [
    { source: join(sources, "cuda", "engine.cu"), object: join(output, "cuda-engine.o"), command, flags: device },
    {
      source: join(sources, "cuda", "troupe-cuda.cc"),
      object: join(output, "cuda-interface.o"),
      command: compiler.command,
      flags: [...compiler.flags, "-std=c++17", "-O2", ...host, ...sanitizers],
    },
  ];
  for (const unit of units) await compile(unit);
  const target = join(output, "troupe-cuda.node");
  const cpu = readFileSync(join(release, "stamps.json"), "utf8");
  const stamp = digest([...link, cpu, ...units.map((unit) => stamps[unit.object])]);
  if (stamps.link === stamp && existsSync(target)) return;
  const inputs = [...units.map((unit) => unit.object), join(release, "binding.o"), await archiveObjects()];
  // A running process may have the old file mapped: write beside it and rename.
  const temporary = `${target}.${process.pid}`;
  await run(command, [...link, ...inputs, "-o", temporary]);
  renameSync(temporary, target);
  stamps.link = stamp;
  save();
  console.log(`built ${target}`);

  async function compile(unit) {
    const stamp = digest([...base, ...unit.flags, readFileSync(unit.source)]);
    if (stamps[unit.object] === stamp && existsSync(unit.object)) return;
    await run(unit.command, [...unit.flags, "-c", unit.source, "-o", unit.object]);
    stamps[unit.object] = stamp;
    save();
  }

  async function buildTests() {
    const source = join(tests, "cuda", "attention-test.cu");
    const object = join(output, "cuda-attention-test.o");
    await compile({ source, object, command, flags: [...device, "-I", sources] });
    await run(command, [...program, object, "-o", join(output, "cuda-tests")]);
  }
}

try {
  await build();
} catch (error) {
  rmSync(join(output, "troupe-cuda.node"), { force: true });
  fail(`the CUDA engine stopped with exit code ${error.code ?? 1}`, "The compiler's messages are above");
}
