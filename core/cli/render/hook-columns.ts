import type { PlannedHook } from "../../src/hooks/planner.js";
import { windowText } from "../../src/hooks/step-window.js";
import type { Column } from "./table.js";

/** Columns of a planned pipeline; steps where a plugin is not part of every step. */
export function hookColumns(hooks: readonly PlannedHook[]): readonly Column<PlannedHook>[] {
  return [
    { title: "hook", cell: ({ hook }) => hook },
    { title: "plugin", cell: ({ plugin }) => plugin },
    ...(hooks.some(({ steps }) => steps)
      ? [{ title: "steps", cell: ({ steps }: PlannedHook) => windowText(steps) }]
      : []),
    { title: "reads", cell: ({ reads }) => reads.join(" ") },
    { title: "writes", cell: ({ writes }) => writes.join(" ") },
  ];
}
