// A training run inside another program: step by step, with a plugin swapped on the way.
//
//     node examples/dist/embedding/in-a-script.js [STEPS]
import { fileURLToPath } from "node:url";
import { createRuntime } from "@troupe/core";

const steps = Number(process.argv[2] ?? 6);
const here = (path: string): string =>
  fileURLToPath(new URL(path, import.meta.resolve("@troupe/examples/package.json")));

const runtime = await createRuntime({
  config: {
    name: "embedded",
    policy: { from: here("policies/tiny") },
    environment: { use: "arithmetic", with: { minSteps: 1, maxSteps: 1, modulus: 3 } },
    plugins: ["grpo"],
    train: { steps, promptsPerStep: 4, groupSize: 4 },
    rollout: { maxTokens: 24 },
    eval: { tasks: 16, every: 0 },
  },
});
try {
  for (let step = 1; step <= steps; step++) {
    if (step === 3) {
      // In force from the next step on; the run does not stop for it.
      void runtime
        .changePlugins({ verb: "load", use: "shorterbetter" })
        .catch((error: Error) => console.log(error.message));
    }
    const { metrics } = await runtime.step();
    console.log(
      `step ${step}: reward ${metrics["reward/mean"]?.toFixed(3)}, ${metrics["len/mean"]?.toFixed(1)} tokens`,
    );
  }
  const { accuracy, ci95 } = await runtime.evaluate();
  console.log(
    `held-out accuracy ${accuracy.toFixed(3)} (95 % interval ${ci95.map((bound) => bound.toFixed(3)).join(" to ")})`,
  );
  await runtime.save();
  console.log(`look at it with: troupe inspect ${runtime.directory.path}`);
} finally {
  await runtime.close();
}
