import { pathToFileURL } from "node:url";
import { type ModelShape, TroupeError } from "@troupe/core/sdk";
import { createEngine } from "@troupe/gpu";

const SMALLEST: ModelShape = {
  vocabSize: 32,
  hiddenSize: 16,
  layers: 1,
  heads: 1,
  kvHeads: 1,
  headSize: 16,
  intermediateSize: 16,
  maxPositions: 16,
  ropeTheta: 1e4,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: true,
  qkvBias: false,
};

/** Ends the process with one line and exit code 4 unless an engine starts on a GPU. */
export async function gpuOrExit(): Promise<void> {
  try {
    const engine = await createEngine({ shape: SMALLEST, seed: 1, device: "cuda" });
    engine.dispose();
  } catch (error) {
    const text = error instanceof TroupeError ? `${error.message}. ${error.hint}` : String(error);
    process.stderr.write(`No GPU, nothing to do. ${text}\n`);
    process.exit(4);
  }
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await gpuOrExit();
