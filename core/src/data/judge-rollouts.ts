import { problemWords, valueAt } from "../config/problem-words.js";
import { errors } from "../errors.js";
import type { JsonObject } from "../records/json.js";
import { isGradable, type Verdict } from "../records/verdict.js";
import type { OpenJudge } from "../verify/open-judge.js";
import { drop, type DataRow, type Decision } from "./row.js";

/** Who answered, and how; kept with every score. */
export interface ScoreOrigin {
  readonly policy: string;
  readonly sampling: string;
  /** What the prompt wrote into the assistant's turn before each response. */
  readonly assistantPrefix: string;
}

interface Judged {
  readonly verdicts: readonly Verdict[];
  readonly add: JsonObject;
}

/**
 * Judges every answer to a row and adds its `difficulty`: attempts, passes, mean tokens, policy, verifier and version.
 * A row without answers, or with one that could not be judged, is dropped: a score of the rest would be biased.
 */
export async function scoreRow(row: DataRow, gold: string, open: OpenJudge, origin: ScoreOrigin): Promise<Decision> {
  const judged = await judgeAll(row, gold, open, origin);
  return "keep" in judged ? judged : { keep: true, add: judged.add };
}

/**
 * Keeps a row whose reference is the answer that a teacher gives most often, and adds its `difficulty`. Answers without
 * a final answer do not vote; of a tie the reference does not come out first.
 *
 * Source: AceReason (arXiv:2505.16400), up to 8 attempts.
 */
export async function voteRow(row: DataRow, gold: string, open: OpenJudge, origin: ScoreOrigin): Promise<Decision> {
  const judged = await judgeAll(row, gold, open, origin);
  if ("keep" in judged) return judged;
  const { verdicts, add } = judged;
  const passes = verdicts.filter(({ kind }) => kind === "pass").length;
  if (passes === 0) return drop("never-solved", `0 of ${verdicts.length}`);
  const wrong = verdicts.flatMap(({ kind, parts }) => {
    const answer = parts?.["answer"];
    return kind === "pass" || typeof answer !== "string" ? [] : [answer];
  });
  const [answer, votes] = await largestGroup(wrong, open);
  return votes >= passes
    ? drop("majority-differs", `${votes} say ${answer}, ${passes} the reference`)
    : { keep: true, add };
}

async function judgeAll(row: DataRow, gold: string, open: OpenJudge, origin: ScoreOrigin): Promise<Judged | Decision> {
  const { rollouts = [] } = row;
  if (rollouts.length === 0) return drop("no-rollouts");
  const verdicts: Verdict[] = [];
  for (const { response } of rollouts)
    verdicts.push(await judgeOne(open, { gold, response, assistantPrefix: origin.assistantPrefix }));
  const failed = verdicts.find((verdict) => !isGradable(verdict));
  if (failed !== undefined) return drop("not-gradable", `${failed.kind}: ${failed.reason}`);
  const tokens = rollouts.flatMap((one) => (one.tokens === undefined ? [] : [one.tokens]));
  const add = {
    difficulty: {
      attempts: verdicts.length,
      passes: verdicts.filter(({ kind }) => kind === "pass").length,
      ...(tokens.length === rollouts.length
        ? { tokens: Math.round(tokens.reduce((sum, one) => sum + one, 0) / tokens.length) }
        : {}),
      policy: origin.policy,
      sampling: origin.sampling,
      verifier: open.judge.verifier,
      verifierVersion: open.judge.version,
    },
  };
  return { verdicts, add };
}

/** A verdict on a case, which the judge's schema must admit. @throws CASE_NOT_VALID */
export async function judgeOne({ judge, caseSchema, environment }: OpenJudge, one: JsonObject): Promise<Verdict> {
  const parsed = caseSchema.safeParse(one);
  if (parsed.success) return judge.judge(parsed.data);
  const problem = parsed.error.issues
    .map((issue) => `field "${issue.path.join(".")}": ${problemWords(issue, valueAt(one, issue.path))}`)
    .join("; ");
  throw errors.caseNotValid({ source: `judge "${environment}"`, line: 0, problem });
}

/** The answer that most of these say, and how many do; answers are one where the judge says so. */
async function largestGroup(answers: readonly string[], open: OpenJudge): Promise<readonly [string, number]> {
  const groups: { readonly answer: string; votes: number }[] = [];
  for (const answer of answers) {
    let own: (typeof groups)[number] | undefined;
    for (const group of groups) {
      const isSame = group.answer === answer || (await judgeOne(open, { gold: group.answer, answer })).kind === "pass";
      if (isSame) {
        own = group;
        break;
      }
    }
    if (own === undefined) groups.push({ answer, votes: 1 });
    else own.votes++;
  }
  const largest = groups.reduce((best, group) => (group.votes > best.votes ? group : best), { answer: "", votes: 0 });
  return [largest.answer, largest.votes];
}
