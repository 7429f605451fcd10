/** First and last step in which a plugin is part of a run; a missing end is the run's. */
export interface StepWindow {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/** Whether a step lies in a window; without a window every step does. */
export function isInWindow(window: StepWindow | undefined, step: number): boolean {
  return step >= (window?.from ?? 1) && step <= (window?.to ?? Infinity);
}

/** A window as a table shows it. */
export function windowText(window: StepWindow | undefined): string {
  return window === undefined ? "all" : `${window.from ?? 1} to ${window.to ?? "the end"}`;
}

/** The steps that two windows share, as a message tells them; undefined when there are none. */
export function sharedSteps(a: StepWindow | undefined, b: StepWindow | undefined): string | undefined {
  const from = Math.max(a?.from ?? 1, b?.from ?? 1);
  const to = Math.min(a?.to ?? Infinity, b?.to ?? Infinity);
  if (from > to) return undefined;
  return to === Infinity ? `from step ${from} on` : `in steps ${from} to ${to}`;
}
