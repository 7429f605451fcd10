/** One path among several that are measured by turns, and what was read of it. */
export class Contender {
  readonly readings_R: number[] = [];
  readonly measure: () => Promise<number>;

  constructor(measure: () => Promise<number>) {
    this.measure = measure;
  }
}

/**
 * Measures every contender once a round, each round beginning with another one: whatever else the machine does meets all
 * of them alike. The first round is thrown away.
 */
export async function interleave(rounds: number, contenders: readonly Contender[]): Promise<void> {
  for (let round = 0; round <= rounds; round++) {
    for (let turn = 0; turn < contenders.length; turn++) {
      const contender = contenders[(round + turn) % contenders.length];
      const reading = await contender?.measure();
      if (round > 0 && reading !== undefined) contender?.readings_R.push(reading);
    }
  }
}
