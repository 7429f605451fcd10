import type { ArmSummary } from "../report/report-data.js";
import { displayWidth } from "./printable.js";
import { count, duration, percent, unitShare } from "./quantities.js";

/** One column of a text table. */
export interface Column<Row> {
  readonly title: string;
  readonly align?: "left" | "right";
  readonly cell: (row: Row) => string;
}

/**
 * A text table: a line of titles, then a line for each row, two spaces between columns.
 *
 * @example
 * textTable(["a", "bc"], [{ title: "name", cell: (name) => name }]); // "name\na\nbc"
 */
export function textTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[]): string {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ cell }) => cell(row)))];
  const widths = columns.map((_, c) => Math.max(...cells.map((line) => displayWidth(line[c] ?? ""))));
  return cells
    .map((line) =>
      line
        .map((text, c) => {
          const space = " ".repeat((widths[c] ?? 0) - displayWidth(text));
          return columns[c]?.align === "right" ? space + text : text + space;
        })
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** The result: one line an arm, accuracies with their 95 % intervals. */
export function armsTable(arms: readonly ArmSummary[]): string {
  return textTable(arms, [
    { title: "arm", cell: ({ name }) => name },
    { title: "accuracy (95 %)", cell: ({ accuracy, ci95 }) => withInterval(accuracy, ci95) },
    { title: "tokens", align: "right", cell: ({ tokensPerAnswer }) => count(tokensPerAnswer) },
    {
      title: "think-free (95 %)",
      cell: ({ accuracyThinkFree, ci95ThinkFree }) => withInterval(accuracyThinkFree, ci95ThinkFree),
    },
    { title: "tokens", align: "right", cell: ({ tokensPerAnswerThinkFree }) => count(tokensPerAnswerThinkFree) },
    { title: "thinks", align: "right", cell: ({ thinkRate }) => percent(thinkRate) },
    { title: "trained on", align: "right", cell: ({ trainTokens }) => count(trainTokens) },
    { title: "time", align: "right", cell: ({ seconds }) => duration(seconds) },
  ]);
}

function withInterval(value: number, [low, high]: readonly [number, number]): string {
  return `${unitShare(value)} (${unitShare(low)}-${unitShare(high)})`;
}
