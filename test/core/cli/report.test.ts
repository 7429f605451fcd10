import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { htmlReport } from "../../../core/cli/report/html-report.js";
import { markup } from "../../../core/cli/report/markup.js";
import { summarySvg } from "../../../core/cli/report/svg.js";
import { report } from "./report-example.js";

/** Checks that every element is closed in order, and gives the names of all. */
function elementsOf(text: string): readonly string[] {
  const open: string[] = [];
  const seen: string[] = [];
  const empty = new Set(["meta", "br"]);
  for (const [, close, name = "", selfClose] of text.matchAll(/<(\/?)([a-z][a-z0-9]*)(?:\s[^<>]*?)?(\/?)>/gi)) {
    if (close === "/") expect(open.pop()).toBe(name);
    else {
      seen.push(name);
      if (selfClose !== "/" && !empty.has(name)) open.push(name);
    }
  }
  expect(open).toEqual([]);
  return seen;
}

describe("markup()", () => {
  it("escapes everything but markup, and drops control characters", () => {
    const inner = markup`<b>${"<i>"}</b>`;
    expect(markup`<p title="${'"\x1b'}">${inner}${["&", 3]}</p>`.text).toBe(
      '<p title="&quot;"><b>&lt;i&gt;</b>&amp;3</p>',
    );
  });
});

describe("htmlReport()", () => {
  const page = htmlReport(report);

  it("is well formed and shows what a model wrote as text", () => {
    const elements = elementsOf(page);
    expect(elements).not.toContain("script");
    expect(elements).not.toContain("img");
    expect(page).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;");
    expect(page).not.toContain("\x1b");
  });

  it("names no outside resource, and its policy allows nothing but its own style sheet", () => {
    expect(page.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|url\(|@import/);
    expect(page).not.toMatch(/<[^>]*\s(src|href|style)=/);
    const style = /<style>([^]*?)<\/style>/.exec(page)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    expect(page).toContain(`content="default-src 'none'; style-src 'sha256-${hash}'"`);
    expect(page.match(/<style>/g)).toHaveLength(1);
  });

  it("has the table, the charts, headroom, rollouts with folded thinking, settings and how to make it again", () => {
    for (const wanted of [
      "73.0 %",
      "68.0 % to 78.0 %",
      "auto &amp; think",
      "Reward in training",
      "Think rate by difficulty",
      "mixed groups",
      "the thinking never ended",
      "troupe demo --seed 7",
      "0123abc",
    ]) {
      expect(page).toContain(wanted);
    }
    expect(page).toMatch(/<details><summary>thinking, \d+ characters<\/summary>/);
  });

  it("says what share of the samples fed an update and how long actors waited, where that was measured", () => {
    expect(htmlReport(report)).toMatch(/<td>rlvr<\/td><td>83 %<\/td>\s*<td>0\.042<\/td><td>1\.5<\/td>/);
    expect(htmlReport({ ...report, efficiency: [] })).not.toContain("useful samples");
  });

  it("draws nothing that is not a number", () => {
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
});

describe("summarySvg()", () => {
  const svg = summarySvg(report);

  it("is one well-formed drawing with its own style, readable in light and dark", () => {
    elementsOf(svg);
    expect(svg.startsWith('<svg xmlns="http://www.w3.org/2000/svg"')).toBe(true);
    expect(svg).toContain("prefers-color-scheme:dark");
    expect(svg).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("has a mark for every measured point, a hollow one for thinking-free, and names each arm", () => {
    expect(svg.match(/class="mark hollow/g)).toHaveLength(1);
    for (const name of ["base", "rlvr", "auto &amp; think"]) expect(svg).toContain(`>${name}</text>`);
  });

  it("stays a drawing when nothing was measured", () => {
    const empty = summarySvg({ ...report, arms: [], curves: [], marks: [] });
    elementsOf(empty);
    expect(empty).not.toMatch(/NaN|Infinity|undefined/);
  });
});
