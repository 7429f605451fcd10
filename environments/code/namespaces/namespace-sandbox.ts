import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { packageRoot } from "../package-root.js";
import {
  LANGUAGES,
  type Language,
  type Limits,
  type Program,
  type Sandbox,
  type Session,
  type Tier,
} from "../sandbox.js";
import { Guest } from "../guests/guest.js";
import { GuestPool } from "../guests/guest-pool.js";
import { GuestSession } from "../guests/guest-session.js";
import { findCgroupFolders } from "./cgroup-folders.js";
import { findInterpreter } from "./interpreter.js";
import { GuestStarter } from "./guest-starter.js";
import { namespaceRemedy } from "./namespace-remedy.js";

/** Tier A, or why this machine does not have it and what would give it one. */
export type NamespaceProbe = { readonly sandbox: Sandbox } | { readonly missing: string; readonly remedy: string };

/** The limits that the first guests are kept ready for. */
export interface NamespaceOptions {
  readonly limits: Limits;
  readonly language: Language;
}

/**
 * Tier A: Linux namespaces, an own user, a seccomp filter, resource limits, and cgroups where they can be had. Tries it
 * out before it says that it is there.
 */
export async function openNamespaceSandbox({ limits, language }: NamespaceOptions): Promise<NamespaceProbe> {
  const missing = (what: string, remedy: string): NamespaceProbe => ({ missing: what, remedy });
  if (process.platform !== "linux")
    return missing(`namespaces are Linux's, and this is ${process.platform}`, "use Linux");
  const launcher = join(packageRoot(), "build", "launcher");
  if (!existsSync(launcher))
    return missing("its launcher is not built", "install a C++17 compiler (apt-get install g++), then npm run build");
  const cgroups = findCgroupFolders();
  const atOnce = availableParallelism();
  const starter = new GuestStarter(launcher, cgroups.paths);
  const pool = new GuestPool((kind, guestLimits) => starter.start(kind, guestLimits), atOnce);
  const languages = LANGUAGES.filter((one) => findInterpreter(one, limits.memoryMb) !== undefined);
  const first = languages.includes(language) ? language : languages[0];
  if (first === undefined) return missing("there is no interpreter on the path", "install python3");
  const trial = await pool.start(first, limits);
  if (!(trial instanceof Guest)) {
    await pool.close();
    await starter.close();
    return missing(trial.says, namespaceRemedy());
  }
  pool.keep(first, limits, trial);
  const tier: Tier = {
    name: "A",
    boundary: ["Linux namespaces", "seccomp", "rlimits", cgroups.bounds || "memory watchdog"].join(", "),
    limits: [],
  };
  return { sandbox: new NamespaceSandbox(tier, languages, atOnce, pool, starter) };
}

class NamespaceSandbox implements Sandbox {
  readonly #pool: GuestPool;
  readonly #starter: GuestStarter;
  readonly tier: Tier;
  readonly languages: readonly Language[];
  readonly modes = ["stdin", "function", "calls", "asserts"] as const;
  readonly atOnce: number;

  constructor(tier: Tier, languages: readonly Language[], atOnce: number, pool: GuestPool, starter: GuestStarter) {
    this.tier = tier;
    this.languages = languages;
    this.atOnce = atOnce;
    this.#pool = pool;
    this.#starter = starter;
  }

  open(program: Program, limits: Limits): Session {
    return new GuestSession(this.#pool, program, limits);
  }

  async close(): Promise<void> {
    await this.#pool.close();
    await this.#starter.close();
  }
}
