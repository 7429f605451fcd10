/** Descriptors that an actor's process is started with: the link to its parent, its lifeline, and its board. */
export const LINK = 3;
export const LIFELINE = 4;
export const BOARD_FILE = 5;

/** What an actor's process is told on its command line. */
export interface ProcessArguments {
  readonly maxMemoryMb: number | undefined;
}

export function writeProcessArguments({ maxMemoryMb }: ProcessArguments): readonly string[] {
  return maxMemoryMb === undefined ? [] : [String(maxMemoryMb)];
}

export function readProcessArguments(argv: readonly string[]): ProcessArguments {
  const [, , maxMemoryMb] = argv;
  return { maxMemoryMb: maxMemoryMb === undefined ? undefined : Number(maxMemoryMb) };
}
