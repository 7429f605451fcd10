import { isDeepStrictEqual } from "node:util";
import { TroupeError } from "../error-catalogue.js";
import { HOOK_DEADLINE_MS } from "../hooks/hook-deadline.js";
import { evaluateBundle } from "../hooks/module-bundle.js";
import { buildPlugin, configurePlugin, unpackPlugin, type LoadedPlugin } from "../hooks/plugin-loader.js";
import { firstDifference } from "./first-difference.js";
import { practise, type PracticeEntry, type PracticeOptions } from "./practice-run.js";

/** One promise of the hook contract, and whether a plugin keeps it. */
export interface ContractResult {
  readonly promise: "runs" | "deterministic" | "seeded" | "pure" | "state" | "reload";
  readonly isKept: boolean;
  /** What was seen; empty when it is kept. */
  readonly problem: string;
}

/** How to try a plugin. */
export interface ContractOptions {
  /** The plugin's settings; its defaults unless given. */
  readonly with?: unknown;
  /** Milliseconds for one call of hooks; as in a run, 10 000, unless given. */
  readonly deadlineMs?: number;
}

/**
 * Tries a plugin in a made-up run of three steps and says which promises of the hook contract it keeps:
 *
 * - runs: no hook throws, hangs, or returns a wrong length, a NaN or an undeclared field;
 * - deterministic: the same seed gives the same answers;
 * - seeded: chance and time come from the context alone (`Math.random`, `Date.now` and their like are watched);
 * - pure: nothing that a hook is handed is changed;
 * - state: the state survives a checkpoint, that is JSON, between any two steps;
 * - reload: the plugin, loaded again from its own text between two steps, goes on as if nothing had happened.
 *
 * @param use path or name, as in a config
 * @throws what building the plugin throws, and PLUGIN_CONFIG_NOT_VALID
 */
export async function tryContract(
  use: string,
  baseDirectory: string,
  options: ContractOptions = {},
): Promise<readonly ContractResult[]> {
  const loaded = configurePlugin(await buildPlugin(use, baseDirectory), options.with ?? {});
  const play = { seed: 11, deadlineMs: options.deadlineMs ?? HOOK_DEADLINE_MS };
  const { entries, problem, watched } = watching(() => practise([loaded], play));
  const frozenHit = /Cannot (assign to read only|add property|delete property|redefine)|object is not extensible/;
  const isImpure = frozenHit.test(problem);
  const results: ContractResult[] = [
    result("runs", isImpure ? "" : problem),
    result("pure", isImpure ? problem : ""),
    result("seeded", watched.join("; ")),
  ];
  if (!entries) return results;
  return [
    ...results,
    result("deterministic", differenceTo(entries, [loaded], play)),
    // A method made of its own states holds what a checkpoint would have held.
    result("state", differenceTo(entries, [loaded], { ...play, between: (method) => method.with(method.plugins) })),
    result("reload", differenceTo(entries, [loaded], { ...play, between: (method) => method.with([again(loaded)]) })),
  ];
}

function result(promise: ContractResult["promise"], problem: string): ContractResult {
  return { promise, isKept: problem === "", problem };
}

function again(loaded: LoadedPlugin): LoadedPlugin {
  evaluateBundle("plugin", loaded.plugin.name, loaded.bundle);
  return unpackPlugin({ bundle: loaded.bundle, config: loaded.config });
}

function differenceTo(
  expected: readonly PracticeEntry[],
  plugins: readonly LoadedPlugin[],
  options: PracticeOptions,
): string {
  let entries: readonly PracticeEntry[];
  try {
    entries = practise(plugins, options);
  } catch (error) {
    return textOf(error);
  }
  const index = expected.findIndex((entry, i) => !isDeepStrictEqual(entry, entries[i]));
  const first = expected[index];
  if (first === undefined) return entries.length === expected.length ? "" : "more events were recorded";
  const parted = firstDifference(first.answer, entries[index]?.answer);
  const where = parted === undefined || parted.place === "" ? "" : ` in ${parted.place}`;
  return `hook "${first.hook}" at step ${first.step} answered ${shown(parted?.first)}${where}, then ${shown(parted?.second)}`;
}

function shown(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) => (ArrayBuffer.isView(part) ? "…" : part)) ?? "undefined";
  return text.length > 160 ? `${text.slice(0, 159)}…` : text;
}

function textOf(error: unknown): string {
  return error instanceof TroupeError ? `${error.code}: ${error.message}` : String(error);
}

/** Sources of chance and time that a hook must not use: object, name. */
const WATCHED = [
  [Math, "random", "Math.random"],
  [Date, "now", "Date.now"],
  [performance, "now", "performance.now"],
  [globalThis.crypto, "getRandomValues", "crypto.getRandomValues"],
  [globalThis.crypto, "randomUUID", "crypto.randomUUID"],
] as const;

/** Plays while calls of watched functions are noted. */
function watching(play: () => readonly PracticeEntry[]): {
  readonly entries: readonly PracticeEntry[] | undefined;
  readonly problem: string;
  readonly watched: readonly string[];
} {
  const seen = new Set<string>();
  const restore = WATCHED.map(([owner, name, label]) => {
    // Each pair of the table names a function of its owner.
    const table = owner as unknown as Record<string, (...args: unknown[]) => unknown>;
    const original = table[name]!;
    const own = Object.getOwnPropertyDescriptor(owner, name);
    Object.defineProperty(owner, name, {
      configurable: true,
      writable: true,
      value: (...args: unknown[]): unknown => {
        // The runtime's own calls come from elsewhere than a bundle.
        if (/troupe-bundle-/.test(new Error("where").stack ?? "")) seen.add(`a hook calls ${label}`);
        return original.apply(owner, args);
      },
    });
    return () => {
      if (own) Object.defineProperty(owner, name, own);
      else delete table[name];
    };
  });
  try {
    return { entries: play(), problem: "", watched: [...seen] };
  } catch (error) {
    return { entries: undefined, problem: textOf(error), watched: [...seen] };
  } finally {
    for (const undo of restore) undo();
  }
}
