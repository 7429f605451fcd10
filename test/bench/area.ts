import type { BestPeaks } from "./best-peaks.js";
import type { Row } from "./row.js";

/** What an area found. */
export interface Findings {
  readonly rows: readonly Row[];
  /** What a reader of the rows has to know beside them, one line each. */
  readonly notes: readonly string[];
}

/** What the areas of one run share. */
export interface BenchSession {
  /** Told what is measured next. */
  readonly progress: (what: string) => void;
  /** Readings of every area are readings of the same machine. */
  readonly peaks: BestPeaks;
}

/** One group of benchmarks: `npm run bench:<name>`. */
export interface Area {
  readonly name: string;
  /** One sentence for people: what the limits of its rows are. */
  readonly limits: string;
  measure(session: BenchSession): Promise<Findings>;
}
