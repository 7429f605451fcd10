import type { Command } from "commander";
import type { Wait } from "../../src/actors/actor-status.js";
import { diagnose, seconds, type Diagnosis } from "../../src/actors/diagnosis.js";
import { textTable } from "../render/table.js";
import { runActors, type RunActors } from "../run-actors.js";

/** `troupe why-stuck [RUN]`: who waits for whom, why and since when, and who holds the rest up. */
export function define(command: Command, program: Command): void {
  command
    .argument("[run]", "number, name or path; the latest run unless given")
    .addHelpText(
      "after",
      `
Reads what the run wrote last, so it works on a run that hangs or has died too. Every wait has an owner, a reason, an
age and, nearly always, a deadline at which it ends by itself.

Example:
  troupe why-stuck 7`,
    )
    .action(async (wanted: string | undefined) => {
      const { title, record, state, freshness } = await runActors(wanted);
      const diagnosis = inTime(diagnose(record), state);
      if (program.opts<{ json?: boolean }>().json) {
        const found = { ...diagnosis, waits: record.waits, at: record.at, freshness };
        process.stdout.write(`${JSON.stringify({ type: "why-stuck", run: title, state, ...found })}\n`);
        return;
      }
      const waits = record.waits.toSorted((a, b) => a.since - b.since);
      const lines = [
        `${title}: ${freshness}`,
        diagnosis.text,
        ...(waits.length === 0 ? [] : ["", table(waits, record.at)]),
      ];
      process.stdout.write(`${lines.join("\n")}\n`);
    });
}

/** What nobody's waiting means for a run that is over. */
function inTime(diagnosis: Diagnosis, state: RunActors["state"]): Diagnosis {
  if (diagnosis.chain.length > 0 || state === "live" || state === "silent") return diagnosis;
  const text =
    state === "finished" ? "nothing holds it up: it is over" : "nobody waited: the driver itself was at work";
  return { ...diagnosis, text };
}

function table(waits: readonly Wait[], at: number): string {
  return textTable(waits, [
    { title: "who", cell: ({ by }) => by },
    { title: "waits for", cell: ({ on }) => on },
    { title: "reason", cell: ({ why }) => why },
    { title: "since", align: "right", cell: ({ since }) => seconds(at - since) },
    {
      title: "gives up in",
      align: "right",
      cell: ({ deadlineAt }) => (deadlineAt === undefined ? "never" : seconds(deadlineAt - at)),
    },
  ]);
}
