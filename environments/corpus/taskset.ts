import { deriveKey, Random, type EnvironmentContext, type Split, type Task, type Taskset } from "@troupe/core/sdk";
import { errors } from "../errors.js";
import { documentsOf, type Mark } from "./documents.js";
import { beginsCharacter, CHARACTERS, passagesOf, type Passage } from "./passages.js";
import { canBeBoxed } from "./prediction.js";
import { promptOf } from "./prompt.js";
import type { Settings } from "./settings.js";
import { TIERS, tiersOf, type Tier } from "./tiers.js";

/** Tokens of the continuation that a prediction may run to. */
const CONTINUATION = 16;

/** A token that is asked for. */
interface Position {
  readonly passage: Passage;
  /** Index among the passage's tokens. */
  readonly token: number;
  /** Absent where no policy has measured it. */
  readonly entropy?: number;
  readonly tier?: Tier;
  /** Number of a repetition, for teaching. */
  readonly copy?: number;
}

/**
 * Tasks that ask for one token of a text each: all tokens of the split that some tier holds, or all where there is no
 * policy to measure entropies. Held-out tasks come tier by tier in turns, in an order that no seed changes.
 *
 * A token is asked for when it is whole characters, when a box can hold it, and when something stands before it.
 *
 * @throws what `documentsOf` throws, and CORPUS_WITHOUT_TASKS
 */
export async function corpusTaskset(settings: Settings, split: Split, context: EnvironmentContext): Promise<Taskset> {
  const reader = context.reader ?? CHARACTERS;
  const documents = await documentsOf(settings, split, context);
  const passages = documents.flatMap((document) => passagesOf(document, reader, settings.passageTokens));
  const { topK, renormalise, policy } = settings.entropy;
  const entropies = await context.reader?.entropies?.(
    passages.map(({ whole }) => whole),
    { topK, renormalise, ...(policy === undefined ? {} : { policy }) },
  );
  const positions = passages.flatMap((passage, index) => {
    const of = positionsOf(passage, entropies?.[index], settings);
    return entropies === undefined && split === "train" ? forTeaching(of, settings.teacher.marked) : of;
  });
  if (positions.length === 0)
    throw errors.corpusWithoutTasks({ split, passages: passages.length, threshold: settings.thresholds[0] });
  const order = split === "train" ? positions : heldOut(positions, settings);
  // Callers check the index.
  return {
    size: order.length,
    at: (index) => taskOf(order[index]!, settings),
    fact: (index, name) => {
      const position = order[index]!;
      return name === "tier" ? position.tier : taskOf(position, settings).meta[name];
    },
  };
}

function positionsOf(passage: Passage, entropies_T: Float32Array | undefined, settings: Settings): Position[] {
  const { bytes, ends_T, from } = passage;
  const positions: Position[] = [];
  for (let token = 1; token < ends_T.length; token++) {
    const [start, end] = [ends_T[token - 1]!, ends_T[token]!];
    const isWhole = beginsCharacter(bytes, start) && beginsCharacter(bytes, end);
    if (start < from || !isWhole || !canBeBoxed(tokenText(passage, token))) continue;
    if (entropies_T === undefined) {
      positions.push({ passage, token });
      continue;
    }
    const entropy = entropies_T[token]!;
    const [tier] = tiersOf(entropy, settings.thresholds, "disjoint");
    if (tier !== undefined) positions.push({ passage, token, entropy, tier });
  }
  return positions;
}

/**
 * Positions with those that the text's maker marked so often that they are the wanted share of all. A result is there as
 * often as it has steps, or facts that stand in longer chains would be the rarest thing to learn from.
 */
function forTeaching(positions: readonly Position[], share: number): readonly Position[] {
  const marked = positions.flatMap((position) => {
    const mark = markAt(position.passage, position.token);
    return mark === undefined ? [] : [{ position, weight: Math.max(1, mark.steps.length) }];
  });
  const others = positions.length - marked.length;
  const weights = marked.reduce((sum, { weight }) => sum + weight, 0);
  const rounds = Math.round((share * others) / ((1 - share) * weights));
  const repeated = marked.flatMap(({ position, weight }) =>
    Array.from({ length: Math.max(0, rounds * weight - 1) }, (_, index) => ({ ...position, copy: index + 1 })),
  );
  return [...positions, ...repeated];
}

function markAt({ ends_T, marks }: Passage, token: number): Mark | undefined {
  return marks.find(({ at }) => at >= ends_T[token - 1]! && at < ends_T[token]!);
}

/** Shuffled, then one of every tier by turns, so that every beginning of the list holds about as many of each. */
function heldOut(positions: readonly Position[], { evalTasks, evalTiers, thresholds }: Settings): readonly Position[] {
  const shuffled = new Random(deriveKey(0, "corpus/eval")).shuffle([...positions]);
  if (shuffled.every(({ tier }) => tier === undefined)) return shuffled.slice(0, evalTasks);
  const byTier = TIERS.map((tier) =>
    shuffled
      .filter(({ entropy }) => tiersOf(entropy ?? 0, thresholds, evalTiers).includes(tier))
      .map((position) => ({ ...position, tier })),
  );
  const longest = Math.max(...byTier.map((tier) => tier.length));
  const turns = Array.from({ length: longest }, (_, turn) => byTier.flatMap((tier) => tier[turn] ?? []));
  return turns.flat().slice(0, evalTasks);
}

function taskOf({ passage, token, entropy, tier, copy = 0 }: Position, { prompt }: Settings): Task {
  const { ends_T, units_T, whole } = passage;
  const [start, end] = [ends_T[token - 1]!, ends_T[token]!];
  const { steps = [] } = markAt(passage, token) ?? {};
  return {
    id: [`${passage.id}@${start}`, ...(tier === undefined ? [] : [tier]), ...(copy > 0 ? [copy] : [])].join("/"),
    domain: "corpus",
    prompt: promptOf(whole.slice(0, units_T[token - 1]), prompt),
    reference: tokenText(passage, token),
    meta: {
      place: { text: whole, start, end },
      ends: [...ends_T.subarray(token, token + CONTINUATION)].map((at) => at - start),
      ...(tier === undefined ? {} : { tier, difficulty: TIERS.indexOf(tier) + 1 }),
      ...(entropy === undefined ? {} : { entropy }),
      ...(steps.length === 0 ? {} : { steps }),
    },
  };
}

function tokenText({ whole, units_T }: Passage, token: number): string {
  return whole.slice(units_T[token - 1], units_T[token]);
}
