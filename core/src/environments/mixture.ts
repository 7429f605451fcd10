import type { JsonValue } from "../records/json.js";
import type { Task } from "../records/task.js";
import type { Episodes, Reply } from "./episode.js";
import type { EnvironmentContext, EnvironmentDefinition, Split, Taskset, Teacher, Verifier } from "./environment.js";
import { factOf } from "./selection-from.js";

/** One environment of a mixture with its checked settings. */
export interface MixturePart {
  readonly domain: string;
  readonly definition: EnvironmentDefinition;
  readonly config: unknown;
}

/**
 * What a mixture's parts are together: their tasks by turns, and by a task's domain the verifier and the teacher. A task
 * takes the name of its part for a domain, and before its id.
 *
 * @param about name, version, description and schema of the mixture
 */
export function mixtureOf(
  about: Pick<EnvironmentDefinition, "name" | "version" | "description" | "config">,
  parts: readonly MixturePart[],
): EnvironmentDefinition {
  const { name, version, description, config } = about;
  return {
    name,
    version,
    description,
    config,
    taskset: (_config, split, context) => mixedTaskset(parts, split, context),
    verifier: () => mixedVerifier({ name, version }, parts),
    ...(parts.some(({ definition }) => definition.episodes) ? { episodes: () => mixedEpisodes(parts) } : {}),
    ...(parts.every(({ definition }) => definition.teacher) ? { teacher: () => mixedTeacher(parts) } : {}),
  };
}

async function mixedTaskset(
  parts: readonly MixturePart[],
  split: Split,
  context: EnvironmentContext,
): Promise<Taskset> {
  const tasksets = await Promise.all(parts.map(({ definition, config }) => definition.taskset(config, split, context)));
  const sizes = tasksets.map(({ size }) => size);
  const size = sizes.reduce((sum, one) => sum + one, 0);
  const placeOf = size === Infinity ? endlessPlace(sizes) : finitePlace(sizes);
  return {
    size,
    domains: parts.map(({ domain }) => domain),
    at(index): Task {
      const { part, inner } = placeOf(index);
      const { domain } = parts[part]!; // as many as tasksets
      const task = tasksets[part]!.at(inner);
      return { ...task, id: `${domain}/${task.id}`, domain };
    },
    fact(index, name) {
      const { part, inner } = placeOf(index);
      return factOf(tasksets[part]!, inner, name); // as many as tasksets
    },
  };
}

interface Place {
  readonly part: number;
  readonly inner: number;
}

/** Strict turns; a part that ends begins again. */
function endlessPlace(sizes: readonly number[]): (index: number) => Place {
  return (index) => {
    const part = index % sizes.length;
    const turn = Math.floor(index / sizes.length);
    const size = sizes[part]!;
    return { part, inner: size === Infinity ? turn : turn % size };
  };
}

/** Turns among the parts that are not spent yet, so that the first tasks of a split show every part. */
function finitePlace(sizes: readonly number[]): (index: number) => Place {
  const ends = [...new Set(sizes)].toSorted((a, b) => a - b);
  let first = 0;
  let before = 0;
  const rounds = ends.map((end) => {
    const open = sizes.flatMap((size, part) => (size >= end ? [part] : []));
    const round = { first, before, open };
    first += (end - before) * open.length;
    before = end;
    return round;
  });
  return (index) => {
    const round = rounds.findLast((one) => one.first <= index)!; // the first begins at 0
    const offset = index - round.first;
    return {
      part: round.open[offset % round.open.length]!,
      inner: round.before + Math.floor(offset / round.open.length),
    };
  };
}

function mixedVerifier(identity: Pick<Verifier, "name" | "version">, parts: readonly MixturePart[]): Verifier {
  const verifiers = new Map(parts.map(({ domain, definition, config }) => [domain, definition.verifier(config)]));
  return {
    ...identity,
    verify(task, trajectory) {
      const verifier = verifiers.get(task.domain);
      if (verifier) return verifier.verify(task, trajectory);
      const known = [...verifiers.keys()].join(", ");
      const reason = `no-verifier: domain "${task.domain}" is none of ${known}`;
      return { kind: "error", reason, verifier: identity.name, version: identity.version, ms: 0 };
    },
  };
}

/** The part that a task comes from talks with the policy; one that does not talk ends with the first answer. */
function mixedEpisodes(parts: readonly MixturePart[]): Episodes {
  const episodes = new Map(
    parts.map(({ domain, definition, config }) => [domain, definition.episodes?.(config) ?? ONE_ANSWER]),
  );
  // Tasks of a mixture have the domain of one of its parts, and a state says whose it is.
  const of = (domain: string): Episodes => episodes.get(domain)!;
  const marked = (domain: string, reply: Reply): Reply<MixedState> => ({
    ...reply,
    state: { domain, of: reply.state },
  });
  return {
    reset: async (scene) => marked(scene.task.domain, await of(scene.task.domain).reset(scene)),
    step: async (scene, state: MixedState, turn) =>
      marked(state.domain, await of(state.domain).step(scene, state.of, turn)),
    close: (state: MixedState) => of(state.domain).close?.(state.of),
  };
}

type MixedState = { readonly domain: string; readonly of: JsonValue };

const ONE_ANSWER: Episodes = {
  reset: () => ({ state: null, messages: [], isDone: false }),
  step: () => ({ state: null, messages: [], isDone: true }),
};

function mixedTeacher(parts: readonly MixturePart[]): Teacher {
  const teachers = new Map(parts.map(({ domain, definition, config }) => [domain, definition.teacher!(config)]));
  return {
    // Tasks of a mixture have the domain of one of its parts.
    demonstrate: (task, random) => teachers.get(task.domain)!.demonstrate(task, random),
    read: (task, random) => teachers.get(task.domain)!.read?.(task, random),
  };
}
