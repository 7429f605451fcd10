import { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { describe, expect, it } from "vitest";
import { displayWidth } from "../../../core/cli/render/printable.js";
import { createView } from "../../../core/cli/render/terminal.js";
import { chooseMode, type View, type ViewMode } from "../../../core/cli/render/view.js";
import type { RunEvent } from "../../../core/src/records/run-event.js";
import type { StepReport } from "../../../core/src/records/step-report.js";
import { arms } from "./report-example.js";

class Screen extends Writable {
  columns = 80;
  rows = 24;
  written = "";
  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.written += chunk.toString();
    done();
  }
}

const progress = { done: 0.5, etaSeconds: 21, label: "60/120 steps" };
const reportOf = (number: number): StepReport => ({
  step: number,
  stage: "think",
  version: number,
  trainTokens: 100,
  metrics: { "reward/mean": number / 100, "len/mean": 19, "think/rate": 0.12 },
});
const step = (number: number): RunEvent => ({ type: "step", part: "rlvr", report: reportOf(number), progress });
const sample: RunEvent = {
  type: "sample",
  part: "rlvr",
  step: 10,
  sample: {
    id: "10/0/0",
    prompt: "17+26=?",
    response: "<think>\n7+6=13\x1b[2J</think>\n43",
    verdict: "pass",
    reason: "exact",
    reward: 1,
    tokens: 9,
  },
};
const finished: RunEvent = { type: "finished", part: "rlvr", step: 120, reason: "steps done", seconds: 44 };

function open(mode: ViewMode): { view: View; stdout: Screen; stderr: Screen } {
  const [stdout, stderr] = [new Screen(), new Screen()];
  const view = createView({
    mode,
    stdout,
    stderr,
    header: ["troupe demo", "about 3 minutes"],
    parts: ["base", "rlvr"],
    hint: "Ctrl-C saves and stops",
    launch: { command: "demo" },
  });
  return { view, stdout, stderr };
}

describe("createView() for a terminal", () => {
  it("shows header, a bar for every part, numbers, the last sample and the hint, each line within the window", () => {
    const { view, stdout, stderr } = open("tty");
    for (const event of [step(10), step(20), sample]) view.event(event);
    view.close();
    const text = stripVTControlCharacters(stderr.written);
    for (const wanted of [
      "troupe demo",
      "60/120 steps",
      "eta 0:21",
      "queued",
      "reward .20▲",
      "len 19",
      "think 12%",
      "17+26=?",
      "✓ exact",
      "Ctrl-C",
    ]) {
      expect(text).toContain(wanted);
    }
    for (const line of text.split("\n")) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    expect(stdout.written).toBe("");
  });

  it("keeps its height whatever has happened, so that nothing jumps", () => {
    const { view, stderr } = open("tty");
    const heights: (string | undefined)[] = [];
    for (const event of [step(10), sample, step(20), finished]) {
      view.event(event);
      stderr.written = "";
      view.note("-");
      heights.push(/\x1b\[(\d+)A/.exec(stderr.written)?.[1]);
    }
    view.close();
    expect(new Set(heights).size).toBe(1);
  });

  it("keeps what a policy was taught on when it is measured and nothing is counted", () => {
    const { view, stderr } = open("tty");
    const label = "2.30/2.30 M tokens";
    view.event({ type: "step", part: "base", report: reportOf(1), progress: { done: 1, etaSeconds: 0, label } });
    const evaluation = arms[0]!.modes[0]!;
    const uncounted = { done: 1, etaSeconds: null, label: "" };
    view.event({ type: "evaluated", part: "base", step: 0, evaluation, progress: uncounted });
    stderr.written = "";
    view.note("-");
    view.close();
    expect(stripVTControlCharacters(stderr.written)).toMatch(/base .*2\.30\/2\.30 M tokens +acc \.45/);
  });

  it("takes control characters out of what a model wrote and gives the cursor back at the end", () => {
    const { view, stderr } = open("tty");
    view.event(sample);
    view.close();
    view.close();
    expect(stderr.written).not.toContain("\x1b[2J");
    expect(stderr.written.endsWith("\x1b[?25h")).toBe(true);
  });

  it("gives the cursor back when the process ends first, and only then", () => {
    const before = process.listenerCount("exit");
    const { view, stderr } = open("tty");
    const onExit = process.listeners("exit").at(-1);
    expect(process.listenerCount("exit")).toBe(before + 1);
    expect(stderr.written).not.toContain("\x1b[?25h");
    onExit?.(130);
    expect(stderr.written.endsWith("\x1b[?25h")).toBe(true);
    view.close();
    expect(process.listenerCount("exit")).toBe(before);
  });

  it("shows neither a failed nor an interrupted part as done", () => {
    const { view, stderr } = open("tty");
    view.event({ ...finished, reason: "failed" });
    view.event({ ...finished, part: "base", reason: "interrupted" });
    view.close();
    const text = stripVTControlCharacters(stderr.written);
    expect(text).toContain("✗ rlvr      failed");
    expect(text).toContain("· base      interrupted");
    expect(text).not.toContain("✓");
    expect(text).not.toContain("done");
  });

  it("fits narrow and low windows", () => {
    const { view, stderr } = open("tty");
    stderr.columns = 30;
    stderr.rows = 6;
    view.event(step(10));
    stderr.written = "";
    view.note("x");
    const lines = stripVTControlCharacters(stderr.written).split("\n");
    expect(lines.length).toBeLessThanOrEqual(8);
    for (const line of lines) expect(displayWidth(line)).toBeLessThanOrEqual(30);
    view.close();
  });
});

describe("createView() for a log", () => {
  it("writes a line for the first of every ten steps and for every other event", () => {
    const { view, stdout, stderr } = open("plain");
    for (let number = 1; number <= 25; number++) view.event(step(number));
    view.event(sample);
    view.event({ ...sample, step: 11 });
    view.event(finished);
    view.close();
    const lines = stderr.written.trimEnd().split("\n");
    expect(lines.slice(0, 2)).toEqual(["troupe demo", "about 3 minutes"]);
    expect(lines.filter((line) => line.startsWith("event=step")).map((line) => /step=(\d+)/.exec(line)?.[1])).toEqual([
      "1",
      "10",
      "20",
    ]);
    expect(lines.at(-2)).toContain('response="<think> ⏎ 7+6=13[2J</think> ⏎ 43"');
    expect(lines.at(-1)).toBe('event=finished part=rlvr step=120 reason="steps done" seconds=44');
    expect(stdout.written).toBe("");
  });
});

describe("createView() for programs", () => {
  it("writes launch first, every event as it is, done last and once; notes go to people", () => {
    const { view, stdout, stderr } = open("json");
    view.event(sample);
    view.note("saving");
    view.close({ outcome: "finished" });
    view.close({ outcome: "again" });
    const records = stdout.written
      .trimEnd()
      .split("\n")
      .map((line): unknown => JSON.parse(line));
    expect(records).toEqual([{ type: "launch", command: "demo" }, sample, { type: "done", outcome: "finished" }]);
    expect(stderr.written).toBe("saving\n");
  });
});

describe("chooseMode()", () => {
  it("draws only where the cursor can move and nobody asked for anything else", () => {
    const none = { json: false, plain: false };
    expect(chooseMode(none, { isTTY: true }, { TERM: "xterm" })).toBe("tty");
    expect(chooseMode(none, { isTTY: true }, { TERM: "dumb" })).toBe("plain");
    expect(chooseMode(none, { isTTY: true }, { TERM: "xterm", CI: "true" })).toBe("plain");
    expect(chooseMode(none, {}, {})).toBe("plain");
    expect(chooseMode({ json: false, plain: true }, { isTTY: true }, {})).toBe("plain");
    expect(chooseMode({ json: true, plain: true }, { isTTY: true }, {})).toBe("json");
  });
});
