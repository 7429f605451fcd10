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
  return { size: order.length, at: (index) => taskOf(order[index]!, settings) }; // callers check the index
}

function positionsOf(passage: Passage, entropies_T: Float32Array | undefined, settings: Settings): Position[] {
  const { bytes, ends_T, from } = passage;
  const positions: Position[] = [];
  for (let token = 1; token < ends_T.length; token++) {
    const [start, end] = [ends_T[token - 1]!, ends_T[token]!];
    const isWhole = beginsCharacter(bytes, start) && beginsCharacter(bytes, end);
    if (start < from || !isWhole || !canBeBoxed(textIn(passage, start, end))) continue;
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

/** Positions with those that the text's maker marked so often that they are the wanted share of all. */
function forTeaching(positions: readonly Position[], share: number): readonly Position[] {
  const marked = positions.filter(({ passage, token }) => markAt(passage, token) !== undefined);
  const others = positions.length - marked.length;
  const copies = marked.length === 0 ? 0 : Math.round((share * others) / ((1 - share) * marked.length)) - 1;
  const repeated = Array.from({ length: Math.max(0, copies) }, (_, index) =>
    marked.map((position) => ({ ...position, copy: index + 1 })),
  );
  return [...positions, ...repeated.flat()];
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
  const { ends_T, whole } = passage;
  const [start, end] = [ends_T[token - 1]!, ends_T[token]!];
  const { steps = [] } = markAt(passage, token) ?? {};
  return {
    id: [`${passage.id}@${start}`, ...(tier === undefined ? [] : [tier]), ...(copy > 0 ? [copy] : [])].join("/"),
    domain: "corpus",
    prompt: promptOf(textIn(passage, 0, start), prompt),
    reference: textIn(passage, start, end),
    meta: {
      place: { text: whole, start, end },
      ends: [...ends_T.subarray(token, token + CONTINUATION)].map((at) => at - start),
      ...(tier === undefined ? {} : { tier, difficulty: TIERS.indexOf(tier) + 1 }),
      ...(entropy === undefined ? {} : { entropy }),
      ...(steps.length === 0 ? {} : { steps }),
    },
  };
}

function textIn({ bytes }: Passage, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString("utf8", start, end);
}
