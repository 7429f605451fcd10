import { isActorFailure } from "../actors/actor-failure.js";
import type { ActorRef } from "../actors/actor-ref.js";
import type { ActorSystem } from "../actors/actor-system.js";
import { defaultSupervision } from "../actors/supervisor.js";
import { commitIn, type PreparedPlugins } from "../hooks/plugin-shelf.js";
import type { Trajectory } from "../records/trajectory.js";
import { Begun } from "./begun.js";
import type { RolloutOrder } from "./rollout.js";
import { rolloutActor, type RolloutActorArgs, type RolloutProtocol } from "./rollout-actor.js";

/**
 * Rollout actors behind one call: groups are dealt out evenly, and every group is rolled out by one actor. An actor that
 * ends, or does not answer within the deadline, is replaced and its groups are asked of the new one: a trajectory depends
 * on its order alone. What ends two actors in a row ends the call.
 */
export class RolloutPool {
  readonly #system: ActorSystem;
  readonly #deadlineMs: number;
  readonly #actors: ActorRef<RolloutProtocol>[] = [];
  #args: RolloutActorArgs;

  private constructor(system: ActorSystem, args: RolloutActorArgs, deadlineMs: number) {
    this.#system = system;
    this.#args = args;
    this.#deadlineMs = deadlineMs;
  }

  static async start(
    system: ActorSystem,
    args: RolloutActorArgs,
    options: { actors: number; deadlineMs: number },
  ): Promise<RolloutPool> {
    const pool = new RolloutPool(system, args, options.deadlineMs);
    pool.#actors.push(...(await Promise.all(Array.from({ length: options.actors }, () => pool.#spawn()))));
    return pool;
  }

  /** Trajectories of every group in the order of the groups, each as soon as its actor is done. */
  async rollOut(order: RolloutOrder, signal: AbortSignal): Promise<readonly (readonly Trajectory[])[]> {
    const shares = this.#actors.map((_, actor) =>
      order.groups.filter((_, index) => index % this.#actors.length === actor),
    );
    const begun = order.begun && new Begun(order.begun);
    for (const groups of shares) if (groups.length > 0) begun?.expect();
    const answers = await Promise.all(
      shares.map((groups, actor) => (groups.length === 0 ? [] : this.#ask(actor, { ...order, groups }, signal))),
    );
    const byGroup = new Map(order.groups.map((group): [string, Trajectory[]] => [group.id, []]));
    for (const trajectory of answers.flat()) byGroup.get(trajectory.groupId)?.push(trajectory);
    return [...byGroup.values()];
  }

  /** Loads plugins beside those in use in every actor, after the order it is busy with. */
  async preparePlugins(prepared: PreparedPlugins): Promise<void> {
    const options = { deadlineMs: this.#deadlineMs };
    await Promise.all(this.#actors.map((actor) => actor.ask("preparePlugins", prepared, options)));
  }

  /** Has every actor use what was prepared; called between two steps, when none is busy. */
  async commitPlugins(prepared: PreparedPlugins): Promise<void> {
    this.#args = { ...this.#args, plugins: prepared.parcels };
    await commitIn(this.#actors, prepared, this.#deadlineMs);
  }

  async #ask(index: number, order: RolloutOrder, signal: AbortSignal): Promise<readonly Trajectory[]> {
    const by = order.phase === "train" ? `step ${order.step}` : `evaluation at step ${order.step}`;
    const options = { deadlineMs: this.#deadlineMs, signal, by, why: `roll out ${order.groups.length} groups` };
    const actor = this.#actors[index]!; // one actor for every share
    try {
      return await actor.ask("rollOut", order, options);
    } catch (error) {
      if (!isActorFailure(error)) throw error;
    }
    await actor.stop({ graceMs: 0 });
    const fresh = await this.#spawn();
    this.#actors[index] = fresh;
    return fresh.ask("rollOut", order, options);
  }

  #spawn(): Promise<ActorRef<RolloutProtocol>> {
    return this.#system.spawn(rolloutActor, this.#args, {
      placement: { at: "thread" },
      mailbox: { capacity: 4 },
      // The pool replaces actors itself: it knows which plugins they have by then.
      supervision: { ...defaultSupervision, restart: "temporary" },
    });
  }
}
