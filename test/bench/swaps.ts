import { quantile } from "@troupe/core";
import type { BenchSession, Findings } from "./area.js";
import { growthOf, liveBytes, type Growth, type Reading } from "./growth.js";
import { row } from "./row.js";
import { SwappedRun, type ThreadReading } from "./swapped-run.js";

/** Swaps of a live run's plugin. */
export interface SwapSettings {
  /** Swaps before the measured ones: caches fill, code is compiled, the versions to roll back to are there. */
  readonly warmUp: number;
  /** Memory is read after each block. */
  readonly blocks: number;
  readonly swapsPerBlock: number;
}

const PAUSE_GOAL_MS = 2;
const KEPT_GOAL_KB = 5;
const PROBE_ROUNDS = 500_000;
const STEPS_PER_SWAP = 2;

/**
 * Swaps the plugin of a live run again and again: how long training stands still, and what each swap leaves in memory,
 * on the driver's thread and on those of the actors, beyond what as many steps without a swap leave.
 */
export async function measureSwaps(
  { warmUp, blocks, swapsPerBlock }: SwapSettings,
  { progress }: Pick<BenchSession, "progress">,
): Promise<Findings> {
  const run = await SwappedRun.start("thread");
  try {
    for (let n = 0; n < warmUp; n++) await run.swap();
    const before = run.pauses.length;
    const probes: number[] = [];
    const measure = async (what: string, act: () => Promise<void>): Promise<Kept> => {
      const read = run.threadReadings.length;
      const driver: Reading[] = [];
      for (let block = 0; block < blocks; block++) {
        progress(`${what}, block ${block + 1} of ${blocks}`);
        for (let n = 0; n < swapsPerBlock; n++) {
          probes.push(busyMs());
          await act();
        }
        driver.push({ at: (block + 1) * swapsPerBlock, value: (await liveBytes()) / 1024 });
      }
      return { driver: growthOf(driver), threads: growthOfThreads(run.threadReadings.slice(read)) };
    };
    const swapped = await measure("swaps", () => run.swap());
    const pauses = run.pauses.slice(before);
    const probesOfSwaps = probes.slice();
    const stepped = await measure("steps", () => run.twoSteps());
    const [driver, threads] = [less(swapped.driver, stepped.driver), less(swapped.threads, stepped.threads)];
    const pause = (name: string, q: number): ReturnType<typeof row> => ({
      ...row(name, "ms", { value: quantile(pauses, q), spread: null }, PAUSE_GOAL_MS),
      peer: quantile(probesOfSwaps, q),
    });
    const kept = (name: string, { slope }: Growth): ReturnType<typeof row> =>
      row(name, "KB", { value: slope, spread: null }, KEPT_GOAL_KB);
    return {
      rows: [
        pause("swap/pause", 0.5),
        pause("swap/pause/p99", 0.99),
        kept("swap/kept", driver),
        kept("swap/kept/threads", threads),
      ],
      notes: [
        `swap: ${pauses.length} swaps of a live run, each by a new text; the limits are goals. pause: what the boundary between two steps takes longer; peer is a bare loop of the same moments, which the machine holds up as well.`,
        `swap/kept: slope of live bytes over swaps, after collections, less that of as many steps; with 95 % confidence within ${known(driver)} KB on the driver's thread, ${known(threads)} KB on the actors' threads together.`,
      ],
    };
  } finally {
    await run.close();
  }
}

/** Kilobytes for each swap, or for the steps that a swap takes. */
interface Kept {
  readonly driver: Growth;
  readonly threads: Growth;
}

function known({ within }: Growth): string {
  return within === Infinity ? "unknown" : within.toFixed(1);
}

/** All threads together. */
function growthOfThreads(readings: readonly ThreadReading[]): Growth {
  const byThread = new Map<number, Reading[]>();
  for (const { thread, step, bytes } of readings) {
    const all = byThread.get(thread) ?? [];
    all.push({ at: step / STEPS_PER_SWAP, value: bytes / 1024 });
    byThread.set(thread, all);
  }
  const growths = [...byThread.values()].map(growthOf);
  return {
    slope: growths.reduce((sum, { slope }) => sum + slope, 0),
    within: growths.length === 0 ? Infinity : Math.hypot(...growths.map(({ within }) => within)),
  };
}

/** What one growth has beyond another. */
function less(one: Growth, other: Growth): Growth {
  return { slope: one.slope - other.slope, within: Math.hypot(one.within, other.within) };
}

/** Milliseconds that a fixed piece of work of about the same length takes: what the machine does to it, it does to a swap. */
function busyMs(): number {
  const start = performance.now();
  let sum = 0;
  for (let i = 0; i < PROBE_ROUNDS; i++) sum = (sum + i * 31) | 0;
  return performance.now() - start + (sum === 1 ? 1e-9 : 0);
}
