import type { ActorRef } from "../actors/actor-ref.js";
import type { ActorSystem } from "../actors/actor-system.js";
import type { PluginParcel } from "../hooks/plugin-loader.js";
import type { Trajectory } from "../records/trajectory.js";
import type { RolloutOrder } from "./rollout.js";
import { rolloutActor, type RolloutActorArgs, type RolloutProtocol } from "./rollout-actor.js";

/** Rollout actors behind one call: groups are dealt out evenly, and every group is rolled out by one actor. */
export class RolloutPool {
  readonly #actors: readonly ActorRef<RolloutProtocol>[];
  readonly #deadlineMs: number;

  private constructor(actors: readonly ActorRef<RolloutProtocol>[], deadlineMs: number) {
    this.#actors = actors;
    this.#deadlineMs = deadlineMs;
  }

  static async start(
    system: ActorSystem,
    args: RolloutActorArgs,
    options: { actors: number; deadlineMs: number },
  ): Promise<RolloutPool> {
    const actors = Array.from({ length: options.actors }, () =>
      system.spawn(rolloutActor, args, {
        placement: { at: "thread" },
        mailbox: { capacity: 4 },
        supervision: { restart: "permanent", maxRestarts: 3, withinMs: 60_000, backoffMs: [50, 2000] },
      }),
    );
    return new RolloutPool(await Promise.all(actors), options.deadlineMs);
  }

  /** Trajectories of every group in the order of the groups, each as soon as its actor is done. */
  async rollOut(order: RolloutOrder, signal: AbortSignal): Promise<readonly (readonly Trajectory[])[]> {
    const shares = this.#actors.map((_, actor) =>
      order.groups.filter((_, index) => index % this.#actors.length === actor),
    );
    const answers = await Promise.all(
      this.#actors.map((actor, index) => {
        const groups = shares[index] ?? [];
        return groups.length === 0
          ? []
          : actor.ask("rollOut", { ...order, groups }, { deadlineMs: this.#deadlineMs, signal });
      }),
    );
    const byGroup = new Map(order.groups.map((group): [string, Trajectory[]] => [group.id, []]));
    for (const trajectory of answers.flat()) byGroup.get(trajectory.groupId)?.push(trajectory);
    return [...byGroup.values()];
  }

  /** Replaces the plugins in every actor; called between two steps, when none is busy. */
  async loadPlugins(plugins: readonly PluginParcel[]): Promise<void> {
    await Promise.all(this.#actors.map((actor) => actor.ask("loadPlugins", plugins, { deadlineMs: this.#deadlineMs })));
  }
}
