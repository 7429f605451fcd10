import { join } from "node:path";
import { writeFileAtomically } from "../../src/store/durable-files.js";
import { difficultyCurve } from "../report/curves.js";
import { drawing, type Box } from "../report/chart-frame.js";
import { headroomTable } from "../report/html-report.js";
import { htmlPage } from "../report/html-page.js";
import { markup, type Markup } from "../report/markup.js";
import { summaryDrawing, summarySvg } from "../report/svg.js";
import { count, duration, percent } from "../render/quantities.js";
import { boundText, effectText, measureText, pText, VERDICT_WORDS } from "./finding-text.js";
import type { StudySummary } from "./study-summary.js";

/** What stands above all studies of a report. */
export interface StudyFacts {
  readonly command: string;
  /** Whether these are the short forms, which decide nothing. */
  readonly isQuick: boolean;
  /** Seconds that the calls took which made it, as far as this folder knows. */
  readonly wallSeconds: number;
}

const CHART: Box = { x: 0, y: 0, width: 560, height: 320 };

/**
 * Writes `RESULTS.md` with one drawing a study beside it, `study.html` with everything in one file, and `results.json`.
 *
 * @returns the paths of Markdown and page
 */
export async function writeStudyReport(
  folder: string,
  facts: StudyFacts,
  summaries: readonly StudySummary[],
): Promise<readonly string[]> {
  const [text, page] = [join(folder, "RESULTS.md"), join(folder, "study.html")];
  for (const summary of summaries)
    await writeFileAtomically(join(folder, `${summary.name}.svg`), summarySvg(drawnOf(summary)));
  await writeFileAtomically(page, studyHtml(facts, summaries));
  await writeFileAtomically(
    join(folder, "results.json"),
    `${JSON.stringify({ ...facts, studies: summaries }, null, 1)}\n`,
  );
  await writeFileAtomically(text, studyMarkdown(facts, summaries));
  return [text, page];
}

/** The report as Markdown. */
export function studyMarkdown(facts: StudyFacts, summaries: readonly StudySummary[]): string {
  const lines = ["# Study", "", `Made by \`${facts.command}\`. ${METHOD}`, ""];
  if (facts.isQuick) lines.push(`**${QUICK}**`, "");
  lines.push(...table(["fact", ""], factRows(facts, summaries)), "");
  for (const summary of summaries) {
    lines.push(`## ${summary.paper}`, "", summary.organism, "");
    lines.push("Headroom, before any reinforcement:", "");
    lines.push(
      ...table(
        ["mode", "easiest", "greedy", "sampled", "pass@k", "mixed groups"],
        summary.headroom.map((row) => [
          row.mode,
          percent(row.singleStep),
          percent(row.greedy),
          percent(row.sampled),
          `${percent(row.passAtK)} (k = ${row.k})`,
          percent(row.mixedGroups),
        ]),
      ),
      "",
    );
    lines.push(
      ...table(
        ["the paper", "here", "bound", "effect (95 %)", "p", "verdict"],
        summary.findings.map((finding) => [
          finding.question.claim,
          `${finding.question.expects}: ${measureText(finding)}`,
          boundText(finding.question),
          effectText(finding),
          pText(finding.p),
          finding.verdict === "reproduced" ? "reproduced" : `**${VERDICT_WORDS[finding.verdict]}**`,
        ]),
      ),
      "",
    );
    lines.push(...failuresOf(summary).map(({ claim, why }) => `- *${claim}*: ${why}`));
    lines.push("", `![accuracy against tokens, and training curves](${summary.name}.svg)`, "");
    lines.push(...table(ARM_TITLES, armRows(summary)), "");
  }
  return `${lines
    .join("\n")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trim()}\n`;
}

/** The report as one page without outside resources. */
export function studyHtml(facts: StudyFacts, summaries: readonly StudySummary[]): string {
  const content = markup`<h1>Study</h1>
<p class="soft">${METHOD}</p>
${facts.isQuick ? markup`<p class="notice">${QUICK}</p>` : ""}
<dl>${factRows(facts, summaries).map(([name = "", value = ""]) => markup`<dt>${name}</dt><dd>${value}</dd>`)}</dl>
${summaries.map((summary) => sectionOf(summary))}`;
  return htmlPage("Study", content);
}

function sectionOf(summary: StudySummary): Markup {
  const { arms, findings } = summary;
  return markup`<h2>${summary.paper}</h2>
<p>${summary.organism}</p>
${headroomTable(summary.headroom)}
<div class="scroll"><table class="claims">
<thead><tr><th>the paper</th><th>here</th><th>bound</th><th>effect (95 %)</th><th>p</th><th>verdict</th></tr></thead>
<tbody>${findings.map(
    (
      finding,
    ) => markup`<tr><td>${finding.question.claim}</td><td>${finding.question.expects}<small>${measureText(finding)}</small></td>
<td>${boundText(finding.question)}</td><td>${effectText(finding)}<small>${finding.bySeed.map(({ seed, effect }) => `${seed}: ${effect.toPrecision(2)}`).join(" · ")}</small></td>
<td>${pText(finding.p)}</td><td><span class="${finding.verdict === "reproduced" ? "pass" : "other"}">${VERDICT_WORDS[finding.verdict]}</span></td></tr>`,
  )}</tbody></table></div>
${failuresOf(summary).map(({ claim, why }) => markup`<p class="notice"><em>${claim}</em>: ${why}</p>`)}
<figure>${summaryDrawing(drawnOf(summary))}</figure>
<div class="charts">${(["accuracy", "thinkRate"] as const).map((name) => drawing(CHART.width, CHART.height, name, difficultyCurve(name, arms, CHART)))}</div>
<div class="scroll"><table><thead><tr>${ARM_TITLES.map((title) => markup`<th>${title}</th>`)}</tr></thead>
<tbody>${armRows(summary).map((row) => markup`<tr>${row.map((cell) => markup`<td>${cell}</td>`)}</tr>`)}</tbody></table></div>`;
}

const METHOD =
  "Every seed teaches one base, and all arms of a seed begin with it: the same held-out problems, the same budget of sampled tokens. Effects are means over seeds of differences, or of log ratios, between two policies of a seed; intervals are Student's, 95 %, over the seeds. p is a two-sided permutation test that swaps the two policies' answers to a problem within each seed; it speaks of these policies alone. A claim is reproduced when the whole interval clears its bound.";

const QUICK =
  "This is the short form: bases that are hardly taught and few seeds. It shows that everything works and decides nothing.";

function factRows(facts: StudyFacts, summaries: readonly StudySummary[]): readonly (readonly string[])[] {
  const all = (pick: (summary: StudySummary) => readonly (string | number)[]): string =>
    [...new Set(summaries.flatMap(pick))].join(", ");
  return [
    ["commit", all(({ commits }) => commits)],
    ["machine", all(({ machines }) => machines)],
    ["seeds", all(({ seeds }) => seeds)],
    ["wall time", duration(facts.wallSeconds)],
    ["process time of all runs", duration(summaries.reduce((sum, { seconds }) => sum + seconds, 0))],
  ];
}

const ARM_TITLES = [
  "arm",
  "accuracy (95 %)",
  "tokens",
  "told not to think (95 %)",
  "tokens",
  "think rate",
  "trained on",
  "time",
];

function armRows({ arms }: StudySummary): readonly (readonly string[])[] {
  const withInterval = (value: number, [low, high]: readonly [number, number]): string =>
    Number.isFinite(value) ? `${percent(value, 1)} (${percent(low, 1)} to ${percent(high, 1)})` : "–";
  return arms.map((arm) => [
    arm.name,
    withInterval(arm.accuracy, arm.ci95),
    Number.isFinite(arm.tokensPerAnswer) ? arm.tokensPerAnswer.toFixed(1) : "–",
    withInterval(arm.accuracyThinkFree, arm.ci95ThinkFree),
    Number.isFinite(arm.tokensPerAnswerThinkFree) ? arm.tokensPerAnswerThinkFree.toFixed(1) : "–",
    percent(arm.thinkRate),
    count(arm.trainTokens),
    duration(arm.seconds),
  ]);
}

function failuresOf({ findings }: StudySummary): readonly { readonly claim: string; readonly why: string }[] {
  return findings
    .filter(({ verdict }) => verdict !== "reproduced")
    .map(({ question, verdict }) => ({
      claim: question.expects,
      why: `${VERDICT_WORDS[verdict]}. ${question.otherwise ? `The study's explanation: ${question.otherwise}` : "The study has no explanation."}`,
    }));
}

/** What is drawn of a study. */
function drawnOf({ name, seeds, ...data }: StudySummary): Parameters<typeof summarySvg>[0] {
  return { ...data, title: `${name}, mean of ${seeds.length} seeds` };
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): readonly string[] {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|").replaceAll("\n", " ")).join(" | ")} |`;
  return [line(titles), line(titles.map(() => "---")), ...rows.map(line)];
}
