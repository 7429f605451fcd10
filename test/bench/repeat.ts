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

/** Whatever `work` gives, and the CPU seconds per second that this process got meanwhile. */
export async function withCores<Result>(
  work: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly cores: number }> {
  const before = process.cpuUsage();
  const start = performance.now();
  const result = await work();
  const { user, system } = process.cpuUsage(before);
  return { result, cores: (user + system) / 1000 / (performance.now() - start) };
}
