import { pluginChangeText } from "./plugin-change-text.js";
import type { Progress, RunEvent, SampleView } from "../../src/records/run-event.js";
import type { StepReport } from "../../src/records/step-report.js";
import { splitThinking } from "../../src/records/think-block.js";
import { LiveBlock } from "./live-block.js";
import { paintFor, type Paint } from "./paint.js";
import { displayWidth, fit, oneLine, printable, truncate, withoutTemplate } from "./printable.js";
import { duration, significant, unitShare } from "./quantities.js";
import { statusOf } from "./status.js";
import type { View, ViewOptions } from "./view.js";

/** Reports that the reward's arrow looks back over. */
const ARROW_SPAN = 10;

/** A sample stays at least this long, so that it can be read. */
const SAMPLE_HOLD_MS = 6000;

/** Columns of the stage's name in the status lines, and of each value: fixed, so that numbers do not wander. */
const STAGE_WIDTH = 20;
const VALUE_WIDTH = 5;

/** Columns of what is counted: "2.25/≤5.00 M tokens". */
const LABEL_WIDTH = 19;

/** What is known about one piece of work. */
interface Part {
  readonly name: string;
  state: "queued" | "running" | "stopped" | "done";
  progress: Progress;
  /** The newest reports, at most `ARROW_SPAN`. */
  reports: readonly StepReport[];
  accuracy: number | undefined;
  evaluatedStep: number | undefined;
  tokens: number | undefined;
  seconds: number;
}

interface ShownSample {
  readonly part: string;
  readonly step: number;
  readonly view: SampleView;
}

/** The live picture: header, lines that stay, one bar a part, the running part's numbers, the last sample, a hint. */
export class TtyView implements View {
  readonly #paint: Paint;
  readonly #hint: string;
  readonly #parts: Map<string, Part>;
  readonly #block: LiveBlock;
  #current: Part | undefined;
  #sample: ShownSample | undefined;
  #sampleHold: NodeJS.Timeout | undefined;

  constructor({ stderr, header, parts, hint }: ViewOptions) {
    this.#paint = paintFor(stderr);
    this.#hint = hint;
    this.#parts = new Map(parts.map((name) => [name, newPart(name)]));
    const [title = "", ...rest] = header.map(oneLine);
    stderr.write([this.#paint("bold", title), ...rest, "", ""].join("\n"));
    this.#block = new LiveBlock(stderr, (width) => this.#draw(width));
  }

  event(event: RunEvent): void {
    const part = this.#partOf(event.part);
    switch (event.type) {
      case "started":
        part.state = "running";
        this.#current = part;
        break;
      case "step":
        part.state = "running";
        part.progress = event.progress;
        part.reports = [...part.reports, event.report].slice(-ARROW_SPAN);
        part.tokens = event.report.metrics["len/mean"] ?? part.tokens;
        this.#current = part;
        break;
      case "sample":
        this.#showSample({ part: event.part, step: event.step, view: event.sample });
        break;
      case "evaluated":
        // A policy that is only measured has nothing to count: what it was taught on stays.
        part.progress = { ...event.progress, label: event.progress.label || part.progress.label };
        // A part's own mode is evaluated first; the others follow at the same step.
        if (event.step !== part.evaluatedStep) {
          part.evaluatedStep = event.step;
          part.accuracy = event.evaluation.accuracy;
          part.tokens = event.evaluation.tokensPerAnswer;
        }
        break;
      case "notice":
        this.#stay(event.level === "warning" ? "!" : "·", event.part, event.message, event.step);
        break;
      case "plugin":
        this.#stay(event.action === "roll-back" ? "!" : "·", event.part, pluginChangeText(event), event.step);
        break;
      case "finished":
        part.state = ["failed", "interrupted"].includes(event.reason) ? "stopped" : "done";
        part.seconds = event.seconds;
        this.#stay(
          event.reason === "failed" ? "✗" : part.state === "stopped" ? "·" : "✓",
          event.part,
          event.reason,
          event.step,
        );
        break;
      case "checkpoint":
        break;
    }
    this.#block.refresh();
  }

  note(line: string): void {
    this.#block.print(printable(line).split("\n"));
  }

  close(): void {
    clearTimeout(this.#sampleHold);
    this.#block.close();
  }

  #showSample(sample: ShownSample): void {
    if (this.#sampleHold !== undefined) return;
    this.#sample = sample;
    this.#sampleHold = setTimeout(() => {
      this.#sampleHold = undefined;
    }, SAMPLE_HOLD_MS).unref();
  }

  #partOf(name: string): Part {
    const part = this.#parts.get(name) ?? newPart(name);
    this.#parts.set(name, part);
    return part;
  }

  #stay(mark: string, part: string, message: string, step: number): void {
    const style = mark === "✓" ? "green" : mark === "!" || mark === "✗" ? "yellow" : "dim";
    const name = fit(part, this.#nameWidth());
    this.#block.print([
      ` ${this.#paint(style, mark)} ${name}  ${oneLine(message)}${this.#paint("dim", `  step ${step}`)}`,
    ]);
  }

  #nameWidth(): number {
    return Math.max(8, ...[...this.#parts.keys()].map(displayWidth));
  }

  /** Every line has its fixed place, so nothing jumps; lines without content stay empty. */
  #draw(width: number): readonly string[] {
    return [
      "",
      ...[...this.#parts.values()].map((part) => this.#bar(part, width)),
      "",
      ...this.#status(width),
      "",
      ...this.#lastSample(width),
      "",
      ` ${this.#paint("dim", truncate(this.#hint, width - 2))}`,
    ];
  }

  #bar(part: Part, width: number): string {
    const end =
      part.state === "queued"
        ? "queued"
        : part.state === "done"
          ? `done ${duration(part.seconds)}`
          : part.state === "stopped"
            ? "stopped"
            : `eta ${duration(part.progress.etaSeconds)}`;
    const facts = [
      fit(part.progress.label, LABEL_WIDTH),
      fit(part.accuracy === undefined ? "" : `acc ${unitShare(part.accuracy)}`, 7),
      fit(part.tokens === undefined ? "" : `${significant(part.tokens)} tok`, 8),
      fit(end, 10),
    ].join(" ");
    const name = fit(part.name, this.#nameWidth());
    const cells = width - displayWidth(name) - displayWidth(facts) - 4;
    if (cells < 4) return truncate(` ${name} ${facts}`, width - 1);
    const style = part.state === "done" ? "green" : part.state === "queued" ? "dim" : "cyan";
    return ` ${name} ${this.#paint(style, barOf(part.state === "done" ? 1 : part.progress.done, cells))} ${facts}`;
  }

  #status(width: number): readonly string[] {
    const report = this.#current?.reports.at(-1);
    if (this.#current === undefined || report === undefined) return ["", ""];
    const stage = fit(`${this.#current.name} ${report.step} ${report.stage}`, STAGE_WIDTH);
    const lines = [` ${this.#paint("bold", stage)}`, ` ${" ".repeat(STAGE_WIDTH)}`];
    let [line, used] = [0, STAGE_WIDTH + 1];
    for (const { label, value } of statusOf(report, this.#current.reports[0])) {
      const cell = displayWidth(label) + 2 + VALUE_WIDTH;
      if (used + cell > width) [line, used] = [line + 1, STAGE_WIDTH + 1];
      if (line === lines.length) break;
      lines[line] += ` ${this.#paint("dim", label)} ${fit(value, VALUE_WIDTH)}`;
      used += cell;
    }
    return lines;
  }

  #lastSample(width: number): readonly string[] {
    if (this.#sample === undefined) return ["", "", ""];
    const { part, step, view } = this.#sample;
    const { thinking, answer } = splitThinking({ assistantPrefix: "", responseText: withoutTemplate(view.response) });
    const isRight = view.verdict === "pass";
    const verdict = `${isRight ? "✓" : "✗"} ${oneLine(view.reason)}`;
    const room = width - 12;
    const shortAnswer = truncate(oneLine(answer ?? "(no answer)"), Math.floor(room / 2));
    const answerWidth = shortAnswer === "" ? 0 : displayWidth(shortAnswer) + 1;
    return [
      ` ${this.#paint("dim", "sample   ")} ${truncate(oneLine(withoutTemplate(view.prompt)), room - 18)}${this.#paint("dim", `  ${part} step ${step}`)}`,
      `           ${thinking.trim() === "" ? "" : this.#paint("dim", `${truncate(oneLine(thinking), room - answerWidth)} `)}${shortAnswer}`,
      `           ${this.#paint(isRight ? "green" : "yellow", truncate(verdict, room - 24))}${this.#paint("dim", `  reward ${significant(view.reward)}, ${view.tokens} tokens`)}`,
    ];
  }
}

function newPart(name: string): Part {
  return {
    name,
    state: "queued",
    progress: { done: 0, etaSeconds: null, label: "" },
    reports: [],
    accuracy: undefined,
    evaluatedStep: undefined,
    tokens: undefined,
    seconds: 0,
  };
}

function barOf(done: number, cells: number): string {
  const halves = Math.round(Math.min(1, Math.max(0, done)) * cells * 2);
  const full = Math.floor(halves / 2);
  return `${"█".repeat(full)}${halves % 2 === 1 ? "▌" : ""}`.padEnd(cells, "░");
}
