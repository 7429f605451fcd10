import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { quantile } from "@troupe/core/sdk";
import { verifyAnswer, verifyMath } from "@troupe/environments/math";
import type { BenchSession, Findings } from "./area.js";
import { mathVerifyFindings, type PeerFindings } from "./math-verify-peer.js";
import { rateOf, row, type Row } from "./row.js";
import { measureServe, type ServeWork } from "./serve.js";

/** How much work each measurement does. */
export interface VerifyWork {
  /** Passes over all cases after a first one that is thrown away. */
  readonly passes: number;
  /** Labelled cases that are used, from the top. */
  readonly cases: number;
  readonly hasPeer: boolean;
  readonly serve: ServeWork;
}

interface LabelledCase {
  readonly gold: string;
  readonly answer: string;
  readonly isSame: boolean;
}

/** From dist/bench: the repository, and the folder with the public problem sets beside it. */
const ROOT = new URL("../../../", import.meta.url);
const DATA = new URL("../shared/data/", ROOT);

/** Rates and times of math verdicts on one core, beside Math-Verify where that is installed, and through the service. */
export async function measureVerify(work: VerifyWork, session: BenchSession): Promise<Findings> {
  const cases = labelledCases().slice(0, work.cases);
  const responses = [
    ...publicResponses(),
    ...cases.map(({ gold, answer }) => ({ gold, response: `\\boxed{${answer}}` })),
  ];
  session.progress(`${responses.length} responses`);
  const seconds: number[] = [];
  const fastest = responses.map(() => Infinity);
  for (let pass = 0; pass <= work.passes; pass++) {
    const start = performance.now();
    for (const [index, { gold, response }] of responses.entries()) {
      const begun = performance.now();
      verifyMath(gold, response);
      // Of a case that the machine interrupted, another pass tells the truth.
      if (pass > 0) fastest[index] = Math.min(fastest[index] ?? Infinity, performance.now() - begun);
    }
    if (pass > 0) seconds.push((performance.now() - start) / 1000);
  }
  session.progress(`${cases.length} labelled cases`);
  const accepted = cases.map(({ gold, answer }) => verifyAnswer(gold, answer).kind === "pass");
  const peer = work.hasPeer ? await mathVerifyFindings(cases) : undefined;
  const labelled = secondsOfPasses(cases, work.passes);
  const served = await measureServe(responses, work.serve, session);
  return {
    rows: [
      row("verify/math/rate", "verdicts/s", rateOf(responses.length, seconds)),
      row("verify/math/p50", "ms", { value: quantile(fastest, 0.5), spread: null }),
      row("verify/math/p99", "ms", { value: quantile(fastest, 0.99), spread: null }),
      row("verify/math/max", "ms", { value: Math.max(...fastest), spread: null }),
      beside(row("verify/labelled/rate", "verdicts/s", rateOf(cases.length, labelled)), peer, rateOfPeer),
      beside(row("verify/labelled/right", "share", single(rightShare(cases, accepted))), peer, (found) =>
        rightShare(cases, found.accepted),
      ),
      beside(row("verify/labelled/false-accepts", "cases", single(falseAccepts(cases, accepted))), peer, (found) =>
        falseAccepts(cases, found.accepted),
      ),
      ...served.rows,
    ],
    notes: [
      ...served.notes,
      peer === undefined
        ? "No peer: no Python here imports math_verify (TROUPE_PYTHON names another one)."
        : `peer: Math-Verify ${peer.version} in Python on the same ${cases.length} labelled cases, golds between delimiters, answers in a box.`,
      existsSync(DATA) ? "" : "No public problem sets: there is no folder ../shared/data.",
    ].filter((note) => note !== ""),
  };
}

function single(value: number): { readonly value: number; readonly spread: null } {
  return { value, spread: null };
}

function beside(one: Row, peer: PeerFindings | undefined, value: (found: PeerFindings) => number): Row {
  return peer === undefined ? one : { ...one, peer: value(peer) };
}

function rateOfPeer({ ms }: PeerFindings): number {
  return ms.length / (ms.reduce((sum, one) => sum + one, 0) / 1000);
}

function rightShare(cases: readonly LabelledCase[], accepted: readonly boolean[]): number {
  return cases.filter(({ isSame }, index) => isSame === accepted[index]).length / cases.length;
}

function falseAccepts(cases: readonly LabelledCase[], accepted: readonly boolean[]): number {
  return cases.filter(({ isSame }, index) => !isSame && accepted[index] === true).length;
}

function secondsOfPasses(cases: readonly LabelledCase[], passes: number): number[] {
  return Array.from({ length: passes }, () => {
    const start = performance.now();
    for (const { gold, answer } of cases) verifyAnswer(gold, answer);
    return (performance.now() - start) / 1000;
  });
}

/** Labelled cases with one reference and an answer that stands alone. */
function labelledCases(): LabelledCase[] {
  const lines = readFileSync(new URL("environments/math/calibration.jsonl", ROOT), "utf8").trimEnd().split("\n");
  return lines.flatMap((line) => {
    // The calibration set is our own; its form is tested.
    const { gold, answer, label } = JSON.parse(line) as Record<string, unknown>;
    return typeof gold === "string" && typeof answer === "string" ? [{ gold, answer, isSame: label === "pass" }] : [];
  });
}

/** For every public problem its reference in a box, another answer in a box, and where there is one its solution. */
function publicResponses(): { readonly gold: string; readonly response: string }[] {
  if (!existsSync(DATA)) return [];
  return ["gsm8k_test.jsonl", "math500.jsonl", "aime_2022_2024.jsonl"].flatMap((file) =>
    readFileSync(fileURLToPath(new URL(file, DATA)), "utf8")
      .trimEnd()
      .split("\n")
      .flatMap((line) => {
        // The folder's README states these fields for every set.
        const { answer, solution } = JSON.parse(line) as { readonly answer: string; readonly solution?: string };
        const responses = [
          `It is $\\boxed{${answer}}$.`,
          `It is $\\boxed{${answer}+1}$.`,
          ...(solution ? [solution] : []),
        ];
        return responses.map((response) => ({ gold: answer, response }));
      }),
  );
}
