import type { Area } from "./area.js";
import { BestPeaks } from "./best-peaks.js";
import { actorsArea, engineArea, sandboxArea, stepArea, verifyArea } from "./areas.js";
import { machineText } from "./machine.js";
import { toJson, type Row } from "./row.js";
import { areaText } from "./table.js";

const AREAS: readonly Area[] = [engineArea, stepArea, actorsArea, verifyArea, sandboxArea];

await main(process.argv.slice(2));

/** `main.js [area] [--json]` */
async function main(words: readonly string[]): Promise<void> {
  const isJson = words.includes("--json");
  const wanted = words.filter((word) => word !== "--json");
  const areas = AREAS.filter(({ name }) => wanted.length === 0 || wanted.includes(name));
  const unknown = wanted.find((word) => !AREAS.some(({ name }) => name === word));
  if (unknown !== undefined) {
    process.stderr.write(
      `Cannot run the benchmark "${unknown}": there are ${AREAS.map(({ name }) => name).join(", ")}\n`,
    );
    process.exitCode = 2;
    return;
  }
  process.stdout.write(`${machineText()}\n`);
  const rows: Row[] = [];
  const peaks = new BestPeaks();
  for (const area of areas) {
    const findings = await area.measure({ peaks, progress: (what) => process.stderr.write(`${area.name}: ${what}\n`) });
    rows.push(...findings.rows);
    process.stdout.write(`\n${areaText(area, findings)}\n`);
  }
  if (isJson) process.stdout.write(`${JSON.stringify(toJson(rows))}\n`);
}
