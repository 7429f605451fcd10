import type { RunEvent } from "../../src/records/run-event.js";
import { oneLine, printable } from "./printable.js";
import { duration, significant } from "./quantities.js";
import type { View, ViewOptions } from "./view.js";

/** Steps between two lines of a kind that every step brings. */
const STEP_INTERVAL = 10;

/** Lines of `key=value` for logs: step and sample of the first of every ten steps, and every other event. */
export class PlainView implements View {
  readonly #stream: NodeJS.WritableStream;
  /** By kind and part. */
  readonly #lastStep = new Map<string, number>();

  constructor({ stderr, header }: ViewOptions) {
    this.#stream = stderr;
    for (const line of header) this.note(line);
  }

  event(event: RunEvent): void {
    if (event.type === "step" && !this.#isDue(event.type, event.part, event.report.step)) return;
    if (event.type === "sample" && !this.#isDue(event.type, event.part, event.step)) return;
    this.#stream.write(`${line({ event: event.type, part: event.part, ...factsOf(event) })}\n`);
  }

  note(line: string): void {
    this.#stream.write(`${printable(line)}\n`);
  }

  close(): void {}

  #isDue(type: string, part: string, step: number): boolean {
    const key = `${type} ${part}`;
    const last = this.#lastStep.get(key);
    const isDue = last === undefined || Math.floor(step / STEP_INTERVAL) > Math.floor(last / STEP_INTERVAL);
    if (isDue) this.#lastStep.set(key, step);
    return isDue;
  }
}

type Facts = Readonly<Record<string, string | number>>;

function factsOf(event: RunEvent): Facts {
  switch (event.type) {
    case "started":
      return { detail: event.detail };
    case "step": {
      const { report, progress } = event;
      return {
        step: report.step,
        stage: report.stage,
        progress: progress.label,
        eta: duration(progress.etaSeconds),
        trainTokens: report.trainTokens,
        ...report.metrics,
      };
    }
    case "sample": {
      const { prompt, response, verdict, reason, reward, tokens } = event.sample;
      return { step: event.step, verdict, reason, reward, tokens, prompt, response };
    }
    case "evaluated": {
      const { mode, n, accuracy, ci95, tokensPerAnswer, thinkRate, truncated, perplexity } = event.evaluation;
      return {
        step: event.step,
        mode,
        n,
        accuracy,
        low: ci95[0],
        high: ci95[1],
        tokensPerAnswer,
        thinkRate,
        truncated,
        ...(perplexity === undefined ? {} : { perplexity }),
      };
    }
    case "checkpoint":
      return { step: event.step, path: event.path };
    case "notice":
      return { step: event.step, level: event.level, message: event.message };
    case "plugin":
      return {
        step: event.step,
        plugin: event.plugin,
        action: event.action,
        from: event.from,
        to: event.to,
        reason: event.reason,
      };
    case "finished":
      return { step: event.step, reason: event.reason, seconds: event.seconds };
  }
}

function line(facts: Facts): string {
  return Object.entries(facts)
    .map(([key, value]) => `${key}=${typeof value === "number" ? significant(value) : quote(oneLine(value))}`)
    .join(" ");
}

/** Quoted where a reader could not tell the value's end. */
function quote(text: string): string {
  return /^[^\s"=]+$/.test(text) ? text : JSON.stringify(text);
}
