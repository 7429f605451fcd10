/** How often a piece of work is repeated: at least `least` times, and until `seconds` have passed. */
export interface Repetitions {
  readonly least: number;
  readonly seconds: number;
}

/** Seconds that one call takes. */
export async function secondsOf(work: () => unknown): Promise<number> {
  const start = performance.now();
  await work();
  return (performance.now() - start) / 1000;
}

/** Readings of `measure`, after one that is thrown away: first calls pay for memory and compilation. */
export async function repeat(measure: () => Promise<number>, { least, seconds }: Repetitions): Promise<number[]> {
  await measure();
  const readings: number[] = [];
  const end = performance.now() + 1000 * seconds;
  while (readings.length < least || performance.now() < end) readings.push(await measure());
  return readings;
}
