import type { RecognisedData } from "@troupe/core/sdk";
import { recogniseColumns } from "../recognise-columns.js";
import { codeProblemOf } from "./read-code-tasks.js";
import { settingsSchema } from "./settings.js";

/**
 * What columns of a file hold statements and tests, and the settings that read them.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function recogniseCodeTasks(path: string): Promise<RecognisedData> {
  const { task, truth, looked, usable, problem } = await recogniseColumns(path, {
    task: ["prompt", "question", "problem", "text", "description"],
    truth: ["tests", "calls", "input_output", "test", "test_list", "test_cases", "public_tests"],
    others: ["id", "language", "entry_point", "fn_name", "imports", "checker", "difficulty"],
    read: (row, number, columns) =>
      codeProblemOf(
        row,
        { file: path, row: number, goodRows: number - 1 },
        settingsSchema.parse({ data: { path, fields: { prompt: columns.task, tests: columns.truth } } }),
      ),
  });
  return {
    settings: {
      data: {
        path,
        fields: { prompt: task, tests: truth },
        ...(usable < looked ? { onBadRow: "skip" } : {}),
      },
    },
    columns: { statement: task, tests: truth },
    looked,
    usable,
    ...(problem === undefined ? {} : { problem }),
  };
}
