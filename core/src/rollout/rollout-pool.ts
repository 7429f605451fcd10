import { isActorFailure, startTried } from "../actors/actor-failure.js";
import type { ActorRef, AskOptions } from "../actors/actor-ref.js";
import type { ActorSystem } from "../actors/actor-system.js";
import { systemClock } from "../actors/clock.js";
import { defaultSupervision } from "../actors/supervisor.js";
import type { Placement } from "../actors/transport.js";
import { PoolPlugins, type PluginList, type PreparedPlugins } from "../hooks/plugin-shelf.js";
import { mean } from "../numerics/statistics.js";
import type { Trajectory } from "../records/trajectory.js";
import { dealOut, ExpectedLengths } from "./expected-lengths.js";
import type { RolloutOrder } from "./rollout.js";
import { rolloutActor, type RolloutActorArgs, type RolloutProtocol } from "./rollout-actor.js";

/** How a place finds the policy. */
export interface PolicyAccess {
  readonly args: Pick<RolloutActorArgs, "engineHandle" | "tokenizerDirectory">;
  /** Actor whose end ends those that sample there. */
  readonly parent?: string;
}

/** What rollout actors of every place are started with. */
type SharedArgs = Omit<RolloutActorArgs, keyof PolicyAccess["args"] | "lists">;

/** Where rollout actors live. */
export interface RolloutPlace {
  readonly placement: Placement;
  /** Asked before every start of an actor there. */
  access(): Promise<PolicyAccess>;
  /** Called when a version was published, where that is not seen by itself. */
  follow?(): Promise<void>;
}

/** Orders that may wait for one actor: those of all steps ahead. */
const MOST_ORDERS = 64;

/**
 * Rollout actors behind one call: groups are dealt out so that all actors are done at about the same time, and every
 * group is rolled out by one of them. An actor that
 * ends, or does not answer within the deadline, is replaced and its groups are asked of the new one: a trajectory depends
 * on its order alone. What ends two actors in a row ends the call.
 */
export class RolloutPool {
  readonly #system: ActorSystem;
  readonly #deadlineMs: number;
  readonly #places: readonly RolloutPlace[];
  readonly #actors: ActorRef<RolloutProtocol>[] = [];
  /** New actors in place of some that failed, while they start. */
  readonly #replacements = new WeakMap<ActorRef<RolloutProtocol>, Promise<ActorRef<RolloutProtocol>>>();
  readonly #args: SharedArgs;
  readonly #plugins: PoolPlugins;
  readonly #lengths = new ExpectedLengths();
  readonly #isEndless: boolean;
  readonly #idle = new Map<number, number>();

  private constructor(
    system: ActorSystem,
    args: SharedArgs,
    plugins: PluginList,
    options: { deadlineMs: number; places: readonly RolloutPlace[]; isEndless: boolean },
  ) {
    this.#system = system;
    this.#args = args;
    this.#plugins = new PoolPlugins(plugins);
    this.#deadlineMs = options.deadlineMs;
    this.#places = options.places;
    this.#isEndless = options.isEndless;
  }

  /**
   * @param options.places taken by turns
   * @param options.isEndless whether the tasks of training come from a taskset without end
   */
  static async start(
    system: ActorSystem,
    args: SharedArgs,
    plugins: PluginList,
    options: { actors: number; deadlineMs: number; places: readonly RolloutPlace[]; isEndless: boolean },
  ): Promise<RolloutPool> {
    const pool = new RolloutPool(system, args, plugins, options);
    pool.#actors.push(...(await Promise.all(Array.from({ length: options.actors }, (_, index) => pool.#spawn(index)))));
    return pool;
  }

  /** Trajectories of every group in the order of the groups. */
  async rollOut(order: RolloutOrder, signal: AbortSignal): Promise<readonly (readonly Trajectory[])[]> {
    const shares = dealOut(order.groups, this.#actors.length, (group) => this.#lengths.of(group));
    const doneAt = shares.map(() => systemClock.now());
    const answers = await Promise.all(
      shares.map(async (groups, actor) => {
        if (groups.length === 0) return [];
        const answer = await this.#ask(actor, { ...order, groups }, signal);
        doneAt[actor] = systemClock.now();
        return answer;
      }),
    );
    if (order.phase === "train") this.#noteIdle(order.step, doneAt);
    const byGroup = new Map(order.groups.map((group): [string, Trajectory[]] => [group.id, []]));
    for (const trajectory of answers.flat()) byGroup.get(trajectory.groupId)?.push(trajectory);
    const isSeenAgain = order.phase === "eval" || !this.#isEndless;
    for (const group of order.groups) this.#lengths.observe(group, byGroup.get(group.id) ?? [], isSeenAgain);
    return [...byGroup.values()];
  }

  /** Seconds that actors had nothing to do for a training step while the slowest was at work, mean over the actors. */
  takeIdleSeconds(step: number): number {
    const seconds = this.#idle.get(step) ?? 0;
    this.#idle.delete(step);
    return seconds;
  }

  #noteIdle(step: number, doneAt: readonly number[]): void {
    const last = Math.max(...doneAt);
    const idle = mean(doneAt.map((at) => last - at)) / 1000;
    this.#idle.set(step, (this.#idle.get(step) ?? 0) + idle);
  }

  /** A version was published: from now on every place can sample from it. */
  async follow(): Promise<void> {
    await Promise.all(this.#places.map((place) => place.follow?.()));
  }

  /** Loads plugins beside those in use in every actor, while it goes on with its order. */
  preparePlugins(prepared: PreparedPlugins): Promise<void> {
    return this.#plugins.prepare(this.#actors, prepared, this.#deadlineMs);
  }

  async #ask(index: number, order: RolloutOrder, signal: AbortSignal): Promise<readonly Trajectory[]> {
    const by = order.phase === "train" ? `step ${order.step}` : `evaluation at step ${order.step}`;
    const options = { deadlineMs: this.#deadlineMs, signal, by, why: `roll out ${order.groups.length} groups` };
    const actor = this.#actors[index]!; // one actor for every share
    try {
      return await this.#rollOut(actor, order, options);
    } catch (error) {
      if (!isActorFailure(error)) throw error;
    }
    return this.#rollOut(await this.#replaced(index, actor), order, options);
  }

  #rollOut(actor: ActorRef<RolloutProtocol>, order: RolloutOrder, options: AskOptions): Promise<readonly Trajectory[]> {
    return this.#plugins.ask(actor, this.#deadlineMs, () => actor.ask("rollOut", order, options));
  }

  /** The actor in place of one that failed; all orders that waited for that one get the same. */
  async #replaced(index: number, failed: ActorRef<RolloutProtocol>): Promise<ActorRef<RolloutProtocol>> {
    const known = this.#replacements.get(failed);
    if (known) return known;
    const fresh = failed.stop({ graceMs: 0 }).then(() => this.#spawn(index));
    this.#replacements.set(failed, fresh);
    this.#actors[index] = await fresh;
    return fresh;
  }

  #spawn(index: number): Promise<ActorRef<RolloutProtocol>> {
    const place = this.#places[index % this.#places.length]!; // there is at least one
    return startTried(async () => {
      const { args, parent } = await place.access();
      return this.#system.spawn(
        rolloutActor,
        { ...this.#args, ...args, lists: this.#plugins.lists },
        {
          placement: place.placement,
          ...(parent === undefined ? {} : { parent }),
          mailbox: { capacity: MOST_ORDERS },
          startDeadlineMs: this.#deadlineMs,
          // The pool replaces actors itself: it knows which plugins they have by then.
          supervision: { ...defaultSupervision, restart: "temporary" },
        },
      );
    });
  }
}
