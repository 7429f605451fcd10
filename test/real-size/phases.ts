import type { ModelShape } from "@troupe/core/sdk";

/** Qwen2.5-0.5B's shape, from its published config. */
export const QWEN2_HALF_BILLION: ModelShape = {
  vocabSize: 151_936,
  hiddenSize: 896,
  layers: 24,
  heads: 14,
  kvHeads: 2,
  headSize: 64,
  intermediateSize: 4_864,
  maxPositions: 32_768,
  ropeTheta: 1_000_000,
  rmsNormEpsilon: 1e-6,
  tieEmbeddings: true,
  qkNorm: false,
  qkvBias: true,
};

/** Runs one phase and prints its time, and the memory of this process after it and at its highest so far. */
export async function phase<T>(name: string, work: () => Promise<T>): Promise<T> {
  const started = performance.now();
  const result = await work();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const gigabytes = (bytes: number) => (bytes / 1e9).toFixed(2);
  const peak = 1024 * process.resourceUsage().maxRSS;
  process.stdout.write(
    `${name.padEnd(38)} ${seconds.padStart(7)} s   ${gigabytes(process.memoryUsage.rss())} GB   peak ${gigabytes(peak)} GB\n`,
  );
  return result;
}

/** Ends the process with 1 and says why when something does not hold. */
export function demand(holds: boolean, problem: string): void {
  if (holds) return;
  process.stdout.write(`FAILED: ${problem}\n`);
  process.exit(1);
}
