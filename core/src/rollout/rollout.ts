import { setMaxListeners } from "node:events";
import type { GenerateRequest, Sampler } from "../engines/policy-engine.js";
import { withinDeadline } from "../hooks/hook-deadline.js";
import { versionsOf } from "../hooks/hook-runner.js";
import { activePlugins, type LoadedPlugin } from "../hooks/plugin-loader.js";
import type { SamplingPlan } from "../hooks/prompt.js";
import { deriveKey, type RandomKey } from "../numerics/random.js";
import type { StepPlan } from "../records/step-plan.js";
import type { Task } from "../records/task.js";
import type { Trajectory } from "../records/trajectory.js";
import { EpisodePlayer } from "./episode-player.js";
import { formatPrompt, type FormattedPrompt } from "./format-prompt.js";
import { generateThroughVersions, type SpannedCompletion } from "./generate-through.js";
import { SlotRollout, type SlotTools } from "./slot-rollout.js";

/** One group to roll out. */
export interface GroupOrder {
  readonly id: string;
  readonly task: Task;
  readonly size: number;
}

/** What a batch of rollouts needs to know. */
export interface RolloutOrder {
  readonly seed: number;
  readonly step: number;
  readonly phase: "train" | "eval";
  readonly mode: string;
  readonly plan: StepPlan;
  readonly sampling: SamplingPlan;
  readonly groups: readonly GroupOrder[];
  /** Responses under way go on with a new version as soon as it is live. */
  readonly partial?: boolean;
  /** Key of the plugins that it is for. */
  readonly plugins: string;
  /** The policy version to sample from; with `partial`, it is the live one. */
  readonly version: number;
}

/** The policy's side of a rollout, on whichever thread it runs. */
export interface RolloutTools extends SlotTools {
  readonly sampler: Sampler;
  readonly plugins: readonly LoadedPlugin[];
  /** Loaded for their evaluation modes alone. */
  readonly evalPlugins: readonly LoadedPlugin[];
  readonly hookDeadlineMs: number;
}

/**
 * Samples every trajectory of an order: format, tokenise, generate, record; with an environment that talks, turn by turn
 * until every episode is over. Chance is keyed by (seed, step, task, slot, turn), so a trajectory does not depend on which
 * actor made it or on what was sampled beside it.
 *
 * @throws HOOK_FAILED, HOOK_DEADLINE, HOOK_RESULT_NOT_VALID, PROMPT_TOO_LONG, CHAT_TEMPLATE_FAILED; what an environment
 *   does is an outcome of its trajectory, not an error
 */
export async function rollOut(
  tools: RolloutTools,
  order: RolloutOrder,
  signal: AbortSignal,
): Promise<readonly Trajectory[]> {
  const plugins = activePlugins(tools.plugins, tools.evalPlugins, order);
  const slots = order.groups.flatMap((group) => Array.from({ length: group.size }, (_, slot) => ({ group, slot })));
  // Every episode of the order listens, however many there are.
  if (tools.episodes) setMaxListeners(0, signal);
  const together = Math.max(1, Math.min(slots.length, tools.episodes?.atOnce ?? Infinity));
  const trajectories: Trajectory[] = [];
  for (let first = 0; first < slots.length; first += together)
    trajectories.push(...(await rollOutSlots(tools, plugins, order, slots.slice(first, first + together), signal)));
  return trajectories;
}

/** One place in a group. */
interface Slot {
  readonly group: GroupOrder;
  readonly slot: number;
}

/** Samples some slots of an order beside each other. */
async function rollOutSlots(
  tools: RolloutTools,
  plugins: readonly LoadedPlugin[],
  order: RolloutOrder,
  slots: readonly Slot[],
  signal: AbortSignal,
): Promise<readonly Trajectory[]> {
  const { episodes } = tools;
  const players = await Promise.all(
    slots.map(({ group, slot }) => {
      const seat = { task: group.task, seed: order.seed, key: keyOf(order, group, slot), signal };
      return episodes && EpisodePlayer.begin(episodes, seat);
    }),
  );
  try {
    const prompts = withinDeadline(tools.hookDeadlineMs, () =>
      slots.map(({ group, slot }, i) => format(tools, plugins, order, withOpening(group, players[i]), slot)),
    );
    const rollouts = prompts.map((prompt, i) => {
      const { group, slot } = slots[i]!; // one prompt per slot
      const seed = (turn: number): RandomKey =>
        deriveKey(order.seed, ...keyOf(order, group, slot), ...(turn === 0 ? [] : ["turn", turn]));
      return new SlotRollout(tools, prompt, seed, players[i]);
    });
    for (let open = rollouts.filter(({ isOver }) => !isOver); open.length > 0;) {
      const requests = open.map((rollout) => rollout.request());
      const completions = await generate(tools.sampler, requests, order, signal);
      await Promise.all(open.map((rollout, i) => rollout.take(completions[i]!))); // one completion per request
      open = open.filter(({ isOver }) => !isOver);
    }
    // Those of other steps too: the record of any step then names every plugin of the run.
    const versions = versionsOf(order.phase === "train" ? tools.plugins : plugins);
    return rollouts.map((rollout, i) => {
      const { group, slot } = slots[i]!; // one rollout per slot
      return {
        id: `${group.id}/${slot}`,
        taskId: group.task.id,
        groupId: group.id,
        slot,
        mode: order.mode,
        kernelSet: tools.sampler.kernelSet,
        plugins: versions,
        ...rollout.record(),
      };
    });
  } finally {
    await Promise.all(players.map((player) => player?.close()));
  }
}

/** What a trajectory's chance depends on, beside the run's seed. */
function keyOf(order: RolloutOrder, group: GroupOrder, slot: number): readonly (string | number)[] {
  return [order.phase, order.mode, order.step, group.id, group.task.id, slot];
}

/** The group's task as the policy gets to see it: with what the environment said at the beginning. */
function withOpening(group: GroupOrder, player: EpisodePlayer | undefined): GroupOrder {
  if (player === undefined || player.messages.length === 0) return group;
  return { ...group, task: { ...group.task, prompt: [...group.task.prompt, ...player.messages] } };
}

async function generate(
  sampler: Sampler,
  requests: readonly GenerateRequest[],
  { partial, version }: RolloutOrder,
  signal: AbortSignal,
): Promise<readonly SpannedCompletion[]> {
  if (partial) return generateThroughVersions(sampler, requests, signal);
  return (await sampler.generate(requests, { signal, version })).map((completion) => ({
    completion,
    versions: [{ version: completion.version, start: 0, end: completion.tokens.length }],
  }));
}

function format(
  tools: RolloutTools,
  plugins: readonly LoadedPlugin[],
  order: RolloutOrder,
  group: GroupOrder,
  slot: number,
): FormattedPrompt {
  return formatPrompt(tools.tokenizer, plugins, group.task, order.sampling, tools.maxPositions, order.phase, {
    seed: order.seed,
    step: order.step,
    about: `task "${group.task.id}" slot ${slot}`,
    context: () => ({
      plan: order.plan,
      phase: order.phase,
      mode: order.mode,
      slot,
      countTokens: (text: string) => tools.tokenizer.encode(text).length,
    }),
  });
}
