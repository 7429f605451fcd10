import type { SampleView } from "../../src/records/run-event.js";
import { splitThinking } from "../../src/records/think-block.js";
import { withoutTemplate } from "../render/printable.js";
import { count, duration, percent, significant } from "../render/quantities.js";
import { drawing, legend, LEGEND_ROW, legendRows, stylesOf, type Box } from "./chart-frame.js";
import { CURVE_NAMES, difficultyCurve, trainingCurve } from "./curves.js";
import { htmlPage } from "./html-page.js";
import { markup, type Markup } from "./markup.js";
import type { ArmSamples, ArmSummary, Efficiency, Headroom, ReportData } from "./report-data.js";
import { accuracyScatter } from "./scatter-chart.js";

const CHART: Box = { x: 0, y: 0, width: 560, height: 320 };
const SCATTER: Box = { x: 0, y: 0, width: 620, height: 400 };

/** `report.html`: the whole result in one file; whatever a model wrote is text. */
export function htmlReport(data: ReportData): string {
  const names = legendRows(stylesOf(data.arms.map(({ name }) => name)), 552);
  return htmlPage(
    data.title,
    markup`<h1>${data.title}</h1>
<p class="soft">${data.arms.length} policies on the same ${data.n} held-out tasks · seed ${data.seed} · ${duration(data.wallSeconds)} in all · ${data.machine}</p>
${data.notices.map((notice) => markup`<p class="notice">${notice}</p>`)}
<h2>Result</h2>
${resultTable(data.arms)}
<p class="note">Accuracy is the share of right answers, with its 95 % interval over ${data.n} tasks. Arms whose
intervals overlap widely cannot be told apart by this many tasks. Tokens are sampled response tokens for one answer; the think rate is the share of answers whose thinking block is not empty.</p>
<div class="wide">${chart("accuracy against tokens per answer", accuracyScatter(data.arms, data.n, SCATTER), SCATTER)}</div>
<h2>While training</h2>
${drawing(560, 8 + names.length * LEGEND_ROW, "legend", legend(4, 10 + (names.length * LEGEND_ROW) / 2, names))}
<div class="charts">${CURVE_NAMES.map((name) => chart(name, trainingCurve(name, data, CHART)))}</div>
${data.marks.length === 0 ? "" : markup`<p class="note">Dotted lines: ${data.marks.map(({ arm, trainTokens, label }) => `${arm} at ${count(trainTokens)}: ${label}`).join(" · ")}.</p>`}
${data.efficiency.length === 0 ? "" : efficiencyTable(data.efficiency)}
<h2>By difficulty</h2>
<div class="charts">${(["accuracy", "thinkRate"] as const).map((name) => chart(name, difficultyCurve(name, data.arms, CHART)))}</div>
${data.headroom.length === 0 ? "" : headroomTable(data.headroom)}
${data.samples.length === 0 ? "" : markup`<h2>Before and after</h2>${data.samples.map(samplesOf)}`}
<h2>Settings</h2>
${data.configs.map(({ arm, yaml }) => markup`<details><summary>${arm}</summary><pre>${yaml}</pre></details>`)}
<h2>Again</h2>
<pre>${data.command}</pre>
<dl><dt>commit</dt><dd><code>${data.commit}</code></dd><dt>seed</dt><dd>${data.seed}</dd><dt>machine</dt><dd>${data.machine}</dd></dl>`,
  );
}

function chart(about: string, content: Markup, { width, height }: Box = CHART): Markup {
  return drawing(width, height, about, content);
}

function resultTable(arms: readonly ArmSummary[]): Markup {
  return markup`<div class="scroll"><table>
<thead><tr><th>arm</th><th>accuracy</th><th>tokens</th><th>accuracy,<br>thinking-free</th><th>tokens,<br>thinking-free</th><th>think rate</th><th>trained on</th><th>time</th></tr></thead>
<tbody>${arms.map(
    (arm) => markup`<tr><td>${arm.name}</td>
<td>${withInterval(arm.accuracy, arm.ci95)}</td><td>${number(arm.tokensPerAnswer)}</td>
<td>${withInterval(arm.accuracyThinkFree, arm.ci95ThinkFree)}</td><td>${number(arm.tokensPerAnswerThinkFree)}</td>
<td>${percent(arm.thinkRate)}</td><td>${count(arm.trainTokens)}</td><td>${duration(arm.seconds)}</td></tr>`,
  )}</tbody></table></div>`;
}

/** What the base could do before any reinforcement. */
export function headroomTable(headroom: readonly Headroom[]): Markup {
  return markup`<h2>What the base could already do</h2>
<p class="note">A policy gradient strengthens what the base sometimes gets right: it needs groups with some but not all answers right.</p>
<div class="scroll"><table>
<thead><tr><th>mode</th><th>n</th><th>one-step tasks</th><th>greedy</th><th>sampled, pass@1</th><th>pass@k</th><th>mixed groups</th></tr></thead>
<tbody>${headroom.map(
    (
      row,
    ) => markup`<tr><td>${row.mode}</td><td>${row.n}</td><td>${percent(row.singleStep)}</td><td>${percent(row.greedy)}</td>
<td>${percent(row.sampled)}</td><td>${percent(row.passAtK)}<small>k = ${row.k}</small></td><td>${percent(row.mixedGroups)}</td></tr>`,
  )}</tbody></table></div>`;
}

function efficiencyTable(arms: readonly Efficiency[]): Markup {
  return markup`<p class="note">Useful samples are those that fed an update, of all that were sampled. Idle is the time that
rollout actors waited for the slowest of them, the bubble of a step. Means over steps.</p>
<div class="scroll"><table>
<thead><tr><th>arm</th><th>useful samples</th><th>idle, s a step</th><th>a step, s</th></tr></thead>
<tbody>${arms.map(
    ({ arm, usefulSamples, idleSeconds, stepSeconds }) => markup`<tr><td>${arm}</td><td>${percent(usefulSamples)}</td>
<td>${seconds(idleSeconds)}</td><td>${seconds(stepSeconds)}</td></tr>`,
  )}</tbody></table></div>`;
}

function samplesOf({ arm, pairs }: ArmSamples): Markup {
  return markup`<h3>${arm}</h3>${pairs.map(
    ({ before, after }) => markup`<div class="text">${withoutTemplate(before.prompt)}</div>
<div class="pair">${rollout("before training", before)}${rollout("after", after)}</div>`,
  )}`;
}

function rollout(when: string, sample: SampleView): Markup {
  const { thinking, answer } = splitThinking({ assistantPrefix: "", responseText: withoutTemplate(sample.response) });
  const thought = thinking.trim();
  return markup`<div class="rollout"><h4>${when} · ${sample.tokens} tokens</h4>
${thought === "" ? markup`<p class="note">no thinking</p>` : markup`<details><summary>thinking, ${thought.length} characters</summary><div class="text">${thought}</div></details>`}
<div class="text">${answer?.trim() ?? "(the thinking never ended: no answer)"}</div>
<p class="verdict"><span class="${sample.verdict === "pass" ? "pass" : "other"}">${sample.verdict}</span> ${sample.reason} · reward ${significant(sample.reward)}</p></div>`;
}

function withInterval(value: number, [low, high]: readonly [number, number]): Markup {
  if (!Number.isFinite(value)) return markup`–`;
  return markup`${percent(value, 1)}<small>${percent(low, 1)} to ${percent(high, 1)}</small>`;
}

function seconds(value: number): string {
  return Number.isFinite(value) ? significant(value) : "–";
}

function number(value: number): string {
  return Number.isFinite(value) ? value.toFixed(1) : "–";
}
