import { systemClock } from "../actors/clock.js";
import type { Completion, GenerateRequest, Sampler } from "../engines/policy-engine.js";
import type { VersionSpan } from "../records/trajectory.js";

const LOOK_EVERY_MS = 5;

/** A completion that may be the work of several policy versions; spans count response tokens. */
export interface SpannedCompletion {
  readonly completion: Completion;
  readonly versions: readonly VersionSpan[];
}

/**
 * Samples responses that go on with a new version as soon as it is live: those under way are stopped, and what they have
 * is given to the new version as the beginning of the response. Every token keeps the logprob of the version that drew
 * it; chance is keyed by position, so a version that equals the old one would have said the same.
 */
export async function generateThroughVersions(
  sampler: Sampler,
  requests: readonly GenerateRequest[],
  signal: AbortSignal,
): Promise<readonly SpannedCompletion[]> {
  const done = new Map<number, SpannedCompletion>();
  let open = requests.map((_, index) => index);
  while (open.length > 0) {
    const stop = new AbortController();
    const onAbort = (): void => stop.abort(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    const endWatch = whenVersionChanges(sampler, () => stop.abort());
    try {
      const completions = await sampler.generate(
        open.map((index) => goOn(requests[index]!, done.get(index))),
        { signal: stop.signal },
      );
      for (const [i, index] of open.entries()) done.set(index, join(done.get(index), completions[i]!));
    } finally {
      endWatch();
      signal.removeEventListener("abort", onAbort);
    }
    open = signal.aborted ? [] : open.filter((index) => done.get(index)?.completion.stopReason === "aborted");
  }
  return requests.map((_, index) => done.get(index)!); // every request was in the first round
}

function goOn(request: GenerateRequest, before: SpannedCompletion | undefined): GenerateRequest {
  return before ? { ...request, forcedTokens: before.completion.tokens } : request;
}

function join(before: SpannedCompletion | undefined, next: Completion): SpannedCompletion {
  const start = before?.completion.tokens.length ?? 0;
  const versions = [...(before?.versions ?? [])];
  if (next.tokens.length > start) addSpan(versions, { version: next.version, start, end: next.tokens.length });
  if (!before) return { completion: next, versions };
  const { origins, logprobs, entropies } = before.completion;
  const completion: Completion = { ...next };
  completion.origins.set(origins);
  completion.logprobs.set(logprobs);
  completion.entropies.set(entropies);
  return { completion, versions };
}

/** A version that went live just before a call began has drawn all of it, and what the call that followed added. */
function addSpan(spans: VersionSpan[], span: VersionSpan): void {
  const last = spans.at(-1);
  if (last?.version === span.version) spans[spans.length - 1] = { ...last, end: span.end };
  else spans.push(span);
}

function whenVersionChanges(sampler: Sampler, call: () => void): () => void {
  const version = sampler.version();
  let cancel = (): void => {};
  const look = (): void => {
    if (sampler.version() !== version) call();
    else cancel = systemClock.after(LOOK_EVERY_MS, look);
  };
  cancel = systemClock.after(LOOK_EVERY_MS, look);
  return () => cancel();
}
