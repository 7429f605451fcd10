import type { Group, Sample } from "../records/group.js";
import type { Task } from "../records/task.js";
import type { Rollout } from "./rollouts.js";

/** The sample that a rollout was written from: what `describeRollout` took apart. */
function sampleOf({ record, tokens }: Rollout): { readonly task: Task; readonly sample: Sample } {
  const { id, task, domain, messages, reference, taskMeta, verdict } = record;
  return {
    task: { id: task, domain, prompt: messages, reference, meta: taskMeta },
    sample: {
      trajectory: {
        id,
        taskId: task,
        groupId: record.group,
        slot: record.slot,
        mode: record.mode,
        tokens: tokens.tokens,
        origins: tokens.origins,
        logprobs: tokens.logprobs,
        entropies: tokens.entropies,
        turns: record.turns,
        versions: record.versions,
        stopReason: record.stopReason,
        ...(record.failure === undefined ? {} : { failure: record.failure }),
        ...(record.outcome === undefined ? {} : { outcome: record.outcome }),
        ...(record.kernelSet === undefined ? {} : { kernelSet: record.kernelSet }),
        seed: record.seed,
        temperature: record.temperature,
        maxTokens: record.maxTokens,
        assistantPrefix: record.assistantPrefix,
        promptText: record.prompt,
        responseText: record.response,
        plugins: record.plugins,
        annotations: record.annotations,
      },
      verdict,
    },
  };
}

/** Rollouts put together in their groups, in order of sampling. */
export function groupsOf(rollouts: readonly Rollout[]): readonly Group[] {
  const groups = new Map<string, { readonly id: string; readonly task: Task; readonly samples: Sample[] }>();
  for (const rollout of rollouts) {
    const { task, sample } = sampleOf(rollout);
    const id = rollout.record.group;
    const group = groups.get(id) ?? { id, task, samples: [] };
    group.samples.push(sample);
    groups.set(id, group);
  }
  return [...groups.values()];
}
