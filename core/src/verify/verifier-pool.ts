import { isActorFailure, startTried } from "../actors/actor-failure.js";
import type { ActorRef } from "../actors/actor-ref.js";
import type { ActorSystem } from "../actors/actor-system.js";
import { defaultSupervision } from "../actors/supervisor.js";
import type { Placement } from "../actors/transport.js";
import type { TroupeError } from "../error-catalogue.js";
import type { Verifier } from "../environments/environment.js";
import { PoolPlugins, type PluginList, type PreparedPlugins } from "../hooks/plugin-shelf.js";
import type { Trajectory } from "../records/trajectory.js";
import type { Verdict } from "../records/verdict.js";
import { Quarantine } from "./quarantine.js";
import {
  verifyActor,
  type Finding,
  type VerifyActorArgs,
  type VerifyOrder,
  type VerifyProtocol,
} from "./verify-actor.js";

/** Name and version of a verifier, as its verdicts carry them. */
export type VerifierIdentity = Pick<Verifier, "name" | "version">;

/**
 * Verifier actors behind one call. A deadline is enforced from outside: an actor that does not answer is ended and
 * replaced, its group is verified again sample by sample, and only the sample that ends an actor a second time gets a
 * verdict of kind "timeout" or "infra". It is quarantined: asked about it again, the pool answers without an actor.
 */
export class VerifierPool {
  readonly #system: ActorSystem;
  readonly #deadlineMs: number;
  /** Taken by turns. */
  readonly #places: readonly Placement[];
  readonly #verifier: VerifierIdentity;
  readonly #args: Omit<VerifyActorArgs, "lists">;
  readonly #plugins: PoolPlugins;
  readonly #actors: (ActorRef<VerifyProtocol> | undefined)[];
  readonly #waiting: ((index: number) => void)[] = [];
  readonly #idle: number[];
  readonly #quarantine = new Quarantine();

  /** @param verifier who a verdict is from when its actor cannot say so any more */
  constructor(
    system: ActorSystem,
    args: Omit<VerifyActorArgs, "lists">,
    plugins: PluginList,
    options: { actors: number; deadlineMs: number; places?: readonly Placement[] },
    verifier: VerifierIdentity,
  ) {
    this.#system = system;
    this.#args = args;
    this.#plugins = new PoolPlugins(plugins);
    this.#verifier = { name: verifier.name, version: verifier.version };
    this.#deadlineMs = options.deadlineMs;
    this.#places = options.places ?? [{ at: "thread" }];
    this.#actors = Array.from({ length: options.actors }, () => undefined);
    this.#idle = Array.from({ length: options.actors }, (_, index) => index);
  }

  /** Findings of one group, in the order of its trajectories. Never rejects because of what an answer contains. */
  async verify(order: VerifyOrder): Promise<readonly Finding[]> {
    const hasKnown = order.trajectories.some((trajectory) => this.#quarantined(trajectory) !== undefined);
    try {
      if (!hasKnown) return await this.#ask(order);
    } catch (error) {
      if (!isActorFailure(error)) throw error;
    }
    const findings: Finding[] = [];
    for (const trajectory of order.trajectories) {
      const known = this.#quarantined(trajectory);
      if (known !== undefined) {
        findings.push({ annotations: trajectory.annotations, verdict: known });
        continue;
      }
      try {
        findings.push(...(await this.#ask({ ...order, trajectories: [trajectory] })));
      } catch (error) {
        if (!isActorFailure(error)) throw error;
        const verdict = failureVerdict(error, trajectory.id, this.#deadlineMs, this.#verifier);
        this.#quarantine.put(trajectory.id, trajectory.responseText, verdict);
        findings.push({ annotations: trajectory.annotations, verdict });
      }
    }
    return findings;
  }

  #quarantined({ id, responseText }: Trajectory): Verdict | undefined {
    return this.#quarantine.find(id, () => responseText);
  }

  /** Loads plugins beside those in use in every actor, while it goes on with its order. */
  preparePlugins(prepared: PreparedPlugins): Promise<void> {
    return this.#plugins.prepare(this.#started(), prepared, this.#deadlineMs);
  }

  #started(): readonly ActorRef<VerifyProtocol>[] {
    return this.#actors.filter((actor) => actor !== undefined);
  }

  async #ask(order: VerifyOrder): Promise<readonly Finding[]> {
    const waiter = waiterOf(order);
    const index = await this.#take(waiter);
    try {
      const actor = (this.#actors[index] ??= await this.#spawn(index));
      const options = { deadlineMs: this.#deadlineMs, ...waiter };
      return await this.#plugins.ask(actor, this.#deadlineMs, () => actor.ask("verify", order, options));
    } catch (error) {
      if (isActorFailure(error)) {
        await this.#actors[index]?.stop({ graceMs: 0 });
        this.#actors[index] = undefined;
      }
      throw error;
    } finally {
      this.#give(index);
    }
  }

  #spawn(index: number): Promise<ActorRef<VerifyProtocol>> {
    return startTried(() =>
      this.#system.spawn(
        verifyActor,
        { ...this.#args, lists: this.#plugins.lists },
        {
          placement: this.#places[index % this.#places.length] ?? { at: "thread" },
          mailbox: { capacity: 4 },
          // The pool replaces actors itself: it knows which plugins they have by then.
          supervision: { ...defaultSupervision, restart: "temporary" },
        },
      ),
    );
  }

  #take(waiter: { readonly by: string; readonly why: string }): Promise<number> {
    const index = this.#idle.pop();
    if (index !== undefined) return Promise.resolve(index);
    const wait = { ...waiter, on: "a free verifier" };
    return this.#system.waiting.during(wait, () => new Promise((resolve) => this.#waiting.push(resolve)));
  }

  #give(index: number): void {
    const next = this.#waiting.shift();
    if (next) next(index);
    else this.#idle.push(index);
  }
}

/** Who waits for verdicts, and for which. */
function waiterOf({ step, phase, task, trajectories }: VerifyOrder): { readonly by: string; readonly why: string } {
  return {
    by: phase === "train" ? `step ${step}` : `evaluation at step ${step}`,
    why: `verify ${trajectories.length} answers to "${task.id}"`,
  };
}

/** What is said of a sample that kept its verifier from answering twice. */
export function failureVerdict(
  error: TroupeError,
  sampleId: string,
  deadlineMs: number,
  { name, version }: VerifierIdentity,
): Verdict {
  const timedOut = error.code === "ASK_DEADLINE";
  return {
    kind: timedOut ? "timeout" : "infra",
    reason: timedOut
      ? `deadline: quarantined "${sampleId}" after two tries without a verdict within ${deadlineMs} ms`
      : `verifier-died: quarantined "${sampleId}", which ended its verifier twice: ${error.message}`,
    verifier: name,
    version,
    ms: timedOut ? deadlineMs : 0,
  };
}
