import { quantile } from "@troupe/core";
import type { BenchSession, Findings } from "./area.js";
import { liveBytes } from "./growth.js";
import { row } from "./row.js";
import { SwappedRun } from "./swapped-run.js";

/** Swaps of a live run's plugin. */
export interface SwapSettings {
  /** Blocks of swaps measured, after two that are not: caches fill and code is compiled. */
  readonly blocks: number;
  readonly swapsPerBlock: number;
}

const WARM_UP = 2;
const PAUSE_GOAL_MS = 2;
const KEPT_GOAL_KB = 5;
const PROBE_ROUNDS = 500_000;

/**
 * Swaps the plugin of a live run again and again: how long training stands still, and what a swap leaves in memory beyond
 * what as many steps without one do. Blocks with and without swaps take turns.
 */
export async function measureSwaps(
  { blocks, swapsPerBlock }: SwapSettings,
  { progress }: Pick<BenchSession, "progress">,
): Promise<Findings> {
  const run = await SwappedRun.start("thread");
  try {
    const grown = { swaps: [] as number[], steps: [] as number[] }; // filled below
    const probes: number[] = [];
    let before = 0;
    for (let block = -WARM_UP; block < blocks; block++) {
      progress(`swaps, block ${block + 1} of ${blocks}`);
      if (block === 0) before = run.pauses.length;
      for (const kind of ["swaps", "steps"] as const) {
        const start = liveBytes();
        for (let n = 0; n < swapsPerBlock; n++) {
          probes.push(busyMs());
          await (kind === "swaps" ? run.swap() : run.twoSteps());
        }
        if (block >= 0) grown[kind].push((liveBytes() - start) / 1024 / swapsPerBlock);
      }
    }
    const pauses = run.pauses.slice(before);
    const kept = quantile(grown.swaps, 0.5) - quantile(grown.steps, 0.5);
    const of = (value: number): { readonly value: number; readonly spread: null } => ({ value, spread: null });
    return {
      rows: [
        row("swap/pause", "ms", of(quantile(pauses, 0.5)), PAUSE_GOAL_MS),
        row("swap/pause/p99", "ms", of(quantile(pauses, 0.99)), PAUSE_GOAL_MS),
        row("swap/kept", "KB", of(Math.max(0, kept)), KEPT_GOAL_KB),
      ],
      notes: [
        `swap: ${pauses.length} swaps of a live run, each by a new text; the limits are goals. pause: what the boundary between two steps takes longer. kept: live bytes of the driver after collections, beyond those of as many steps without a swap.`,
        `A loop that took ${quantile(probes, 0.5).toFixed(2)} ms in the middle took ${quantile(probes, 0.99).toFixed(2)} ms at the 99th percentile of the same moments.`,
      ],
    };
  } finally {
    await run.close();
  }
}

/** Milliseconds that a fixed piece of work of about the same length takes: what the machine does to it, it does to a swap. */
function busyMs(): number {
  const start = performance.now();
  let sum = 0;
  for (let i = 0; i < PROBE_ROUNDS; i++) sum = (sum + i * 31) | 0;
  return performance.now() - start + (sum === 1 ? 1e-9 : 0);
}
