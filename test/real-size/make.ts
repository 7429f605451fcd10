import { createEngine } from "@troupe/gpu";
import { phase, QWEN2_HALF_BILLION } from "./phases.js";

// Makes the folder: weights drawn by the engine, written in bfloat16 and shards as published models are.
const [directory = "."] = process.argv.slice(2);
const engine = await phase("draw random weights", () => createEngine({ shape: QWEN2_HALF_BILLION, seed: 1 }));
await phase("save in bfloat16 and shards", () =>
  engine.save(directory, { elementType: "bfloat16", maxShardBytes: 400_000_000 }),
);
engine.dispose();
