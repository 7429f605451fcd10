import type { ActorStatus, Wait } from "./actor-status.js";
import type { SystemReport } from "./system-report.js";

/** Who holds a system up, and who waits because of it. */
export interface Diagnosis {
  /** An actor's address, or the words for what is waited for; absent when nobody waits. */
  readonly culprit?: string;
  /** One sentence. */
  readonly text: string;
  /** The waits that lead to the culprit, the outermost first. */
  readonly chain: readonly Wait[];
  /** Milliseconds that the outermost of them has lasted. */
  readonly heldMs: number;
}

/**
 * Follows the wait-for graph from its oldest wait to its end: whoever is waited for there, and waits for nobody, holds
 * the rest up. Waits that end at an actor go before those that end at words. Waits that lead back to where they began
 * are named as a circle.
 */
export function diagnose(report: SystemReport): Diagnosis {
  const chains = report.waits.toSorted((a, b) => a.since - b.since).map((first) => chainFrom(first, report));
  const found = chains.find((one) => one.isCircle || isActor(one.culprit, report)) ?? chains[0];
  if (!found) return { text: "nobody waits: the driver itself is at work", chain: [], heldMs: 0 };
  const { chain, culprit, isCircle } = found;
  const text = isCircle
    ? `they wait for each other: ${chain.map(({ on }) => on).join(" → ")}`
    : `${culprit} ${whatOf(culprit, report)}`;
  return { culprit, text, chain, heldMs: report.at - (chain[0]?.since ?? report.at) };
}

interface Chain {
  readonly chain: readonly Wait[];
  readonly culprit: string;
  readonly isCircle: boolean;
}

function chainFrom(first: Wait, report: SystemReport): Chain {
  const chain = [first];
  const seen = new Set([first.by, first.on]);
  for (let next = waitOf(report, first.on); next; next = waitOf(report, next.on)) {
    chain.push(next);
    if (seen.has(next.on)) return { chain, culprit: next.on, isCircle: true };
    seen.add(next.on);
  }
  return { chain, culprit: chain.at(-1)?.on ?? first.on, isCircle: false };
}

function isActor(culprit: string, { actors, ends }: SystemReport): boolean {
  return [...actors, ...ends].some(({ address }) => address === culprit);
}

function whatOf(culprit: string, report: SystemReport): string {
  const actor = report.actors.find(({ address }) => address === culprit);
  return actor ? stateOf(actor, report) : elsewhere(culprit, report);
}

/** Whoever `by` waits for, the oldest wait first. */
function waitOf(report: SystemReport, by: string): Wait | undefined {
  return report.waits.filter((wait) => wait.by === by).toSorted((a, b) => a.since - b.since)[0];
}

function stateOf({ address, state, current, mailbox, restarts }: ActorStatus, report: SystemReport): string {
  const behind = mailbox.depth - (current ? 1 : 0);
  const waiting = behind > 0 ? `; ${behind} ${behind === 1 ? "message waits" : "messages wait"} behind it` : "";
  const end = report.ends.findLast((one) => one.address === address);
  const because = end ? ` after its end "${end.reason}"${end.problem === undefined ? "" : ` (${end.problem})`}` : "";
  if (state === "restarting") return `restarts for the ${ordinal(restarts + 1)} time${because}${waiting}`;
  if (state === "starting") return `has not started yet${waiting}`;
  if (current) return `has worked on "${current.type}" for ${seconds(report.at - current.since)}${waiting}`;
  if (state === "stopping") return `is stopping${waiting}`;
  return mailbox.depth > 0 ? `has ${mailbox.depth} messages and works on none of them` : "has nothing to do";
}

function elsewhere(culprit: string, report: SystemReport): string {
  const end = report.ends.findLast(({ address }) => address === culprit);
  if (!end) return "is what they wait for";
  return `ended ${seconds(report.at - end.at)} ago as "${end.reason}"${end.problem === undefined ? "" : ` (${end.problem})`}`;
}

/** "42.1 s". */
export function seconds(ms: number): string {
  return `${(Math.max(0, ms) / 1000).toFixed(1)} s`;
}

function ordinal(n: number): string {
  return ["first", "second", "third"][n - 1] ?? `${n}th`;
}
