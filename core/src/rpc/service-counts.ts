import { VERDICT_KINDS, type VerdictKind } from "../records/verdict.js";
import type { VerifyReply } from "./verify-message.js";

/** A figure that a service shows, in the text format of Prometheus. */
interface Metric {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly values: readonly (readonly [labels: Readonly<Record<string, string>>, value: number])[];
}

/** What a service has counted since it was opened. */
export class ServiceCounts {
  readonly #verdicts = new Map<string, Record<VerdictKind, number>>();
  readonly #seconds = new Map<string, number>();
  readonly #requests = new Map<string, number>();

  verdict({ verifier, verdict, ms }: VerifyReply): void {
    let kinds = this.#verdicts.get(verifier);
    if (kinds === undefined) this.#verdicts.set(verifier, (kinds = noKinds()));
    kinds[verdict]++;
    this.#seconds.set(verifier, (this.#seconds.get(verifier) ?? 0) + ms / 1000);
  }

  /** @param outcome "judged", "remembered", or the code of the error that it was refused with */
  request(outcome: string): void {
    this.#requests.set(outcome, (this.#requests.get(outcome) ?? 0) + 1);
  }

  /** @param gauges figures of this moment, by verifier */
  text(gauges: readonly { readonly verifier: string; readonly waiting: number; readonly threads: number }[]): string {
    const metrics: readonly Metric[] = [
      {
        name: "troupe_verify_requests_total",
        type: "counter",
        help: "Requests by outcome",
        values: [...this.#requests].map(([outcome, count]) => [{ outcome }, count]),
      },
      {
        name: "troupe_verify_verdicts_total",
        type: "counter",
        help: "Verdicts by verifier and kind",
        values: [...this.#verdicts].flatMap(([verifier, kinds]) =>
          VERDICT_KINDS.map((kind) => [{ verifier, kind }, kinds[kind]] as const),
        ),
      },
      {
        name: "troupe_verify_seconds_total",
        type: "counter",
        help: "Time that verdicts took, without waiting",
        values: [...this.#seconds].map(([verifier, seconds]) => [{ verifier }, seconds]),
      },
      {
        name: "troupe_verify_waiting",
        type: "gauge",
        help: "Answers that no thread has yet",
        values: gauges.map(({ verifier, waiting }) => [{ verifier }, waiting]),
      },
      {
        name: "troupe_verify_threads",
        type: "gauge",
        help: "Threads that judge",
        values: gauges.map(({ verifier, threads }) => [{ verifier }, threads]),
      },
    ];
    return metrics.map(textOf).join("");
  }
}

function noKinds(): Record<VerdictKind, number> {
  return { pass: 0, fail: 0, partial: 0, abstain: 0, error: 0, timeout: 0, infra: 0 };
}

function textOf({ name, type, help, values }: Metric): string {
  const lines = values.map(([labels, value]) => {
    const pairs = Object.entries(labels).map(([key, text]) => `${key}=${JSON.stringify(text)}`);
    return `${name}{${pairs.join(",")}} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join("")}`;
}
