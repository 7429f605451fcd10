import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { verifyMath } from "@troupe/environments/math";
import { fuzzInput, seedTexts, type FuzzInput } from "./math-inputs.js";

/** No verdict may take more CPU time; a slower one is tried again before it counts, as the first may pay for a cleanup. */
const LIMIT_MS = 250;
const REPORT_EVERY = 250_000;

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "10000000" },
    from: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
    seconds: { type: "string", default: "Infinity" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(
    "npm run fuzz:math -- [--inputs 10000000] [--from 0] [--seed 1] [--seconds N]\n" +
      "Judges generated answers; ends with 1 at a crash or an overrun, and says how to see that input again.\n",
  );
} else {
  fuzz(Number(values.seed), Number(values.from), Number(values.inputs), Number(values.seconds));
}

function fuzz(seed: number, from: number, inputs: number, seconds: number): void {
  const seeds = seedTexts();
  const start = performance.now();
  const kinds: Record<string, number> = {};
  let slowest = 0;
  let index = from;
  for (; index < inputs && performance.now() - start < 1000 * seconds; index++) {
    const input = fuzzInput(seed, index, seeds);
    const problem = tried(input, (kind, ms) => {
      kinds[kind] = (kinds[kind] ?? 0) + 1;
      slowest = Math.max(slowest, ms);
    });
    if (problem !== undefined) {
      writeFileSync(`fuzz-${seed}-${index}.json`, JSON.stringify(input));
      process.stderr.write(`input ${index} of seed ${seed} (fuzz-${seed}-${index}.json): ${problem}\n`);
      process.exitCode = 1;
      return;
    }
    if ((index + 1) % REPORT_EVERY === 0) report(index + 1 - from, start, kinds, slowest);
  }
  report(index - from, start, kinds, slowest);
  process.stdout.write(
    index < inputs
      ? `go on with: npm run fuzz:math -- --seed ${seed} --from ${index}\n`
      : `all ${inputs} inputs of seed ${seed} are done\n`,
  );
}

/** What is wrong with the verdict on an input, if anything is. */
function tried({ gold, response }: FuzzInput, note: (kind: string, ms: number) => void): string | undefined {
  let best = Infinity;
  for (let attempt = 0; attempt < 4 && best > LIMIT_MS; attempt++) {
    const start = process.cpuUsage();
    const verdict = verifyMath(gold, response, { extraction: { mode: "boxed-or-phrase", thinking: "by-tags" } });
    best = Math.min(best, process.cpuUsage(start).user / 1000);
    if (verdict.reason.startsWith("grader-failed")) return verdict.reason;
    if (attempt === 0) note(verdict.kind, best);
  }
  return best > LIMIT_MS ? `took ${best.toFixed(0)} ms of CPU time, four times over` : undefined;
}

function report(done: number, start: number, kinds: Readonly<Record<string, number>>, slowest: number): void {
  const seconds = (performance.now() - start) / 1000;
  const shares = Object.entries(kinds).map(([kind, count]) => `${kind} ${((100 * count) / done).toFixed(1)} %`);
  process.stdout.write(
    `${done} inputs in ${seconds.toFixed(0)} s, ${Math.round(done / seconds)}/s: ${shares.join(", ")}; slowest ${slowest.toFixed(0)} ms of CPU time\n`,
  );
}
