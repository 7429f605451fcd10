import type { Command } from "commander";
import { textTable } from "../render/table.js";
import { updateDirections } from "../update-directions.js";

interface DirectionFlags {
  readonly start: string;
  readonly reference: string;
}

/** `troupe directions`: whether trainings from one start moved the weights the same way. */
export function define(command: Command, program: Command): void {
  command
    .argument("<updated...>", "trainings that are compared: folders with weights, runs, or run@step")
    .requiredOption("--start <weights>", "where all of them began")
    .requiredOption("--reference <weights>", "the training that they are compared with")
    .addHelpText("after", HELP)
    .action(async (updated: readonly string[], { start, reference }: DirectionFlags) => {
      const found = await updateDirections(start, reference, updated);
      if (program.opts<{ json?: boolean }>().json) {
        for (const { name, parts } of found)
          process.stdout.write(`${JSON.stringify({ type: "direction", name, parts: Object.fromEntries(parts) })}\n`);
        return;
      }
      const parts = [...(found[0]?.parts.keys() ?? [])];
      process.stdout.write(
        `${textTable(parts, [
          { title: "part", cell: (part) => part || "whole" },
          ...found.map(({ name, parts: of }) => ({
            title: name,
            align: "right" as const,
            cell: (part: string) => (of.get(part)?.cosine ?? NaN).toFixed(4),
          })),
          {
            title: "random direction",
            align: "right" as const,
            cell: (part: string) => (found[0]?.parts.get(part)?.control ?? NaN).toFixed(4),
          },
        ])}\n`,
      );
    });
}

const HELP = `
A number is the cosine of (updated - start) and (reference - start): 1 is the same direction, 0 none in common. Shared
data and rewards align any two trainings somewhat, so a random direction stands beside them as a control.

Example:
  troupe directions --start models/base --reference 4 5@100 5@200 5`;
