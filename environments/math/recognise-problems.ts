import type { RecognisedData } from "@troupe/core/sdk";
import { recogniseColumns } from "../recognise-columns.js";
import { problemOf } from "./read-problems.js";

/**
 * What columns of a file hold problems and answers, and the settings that read them.
 *
 * @throws PROBLEM_FILE_UNREADABLE, PROBLEM_FORMAT_UNKNOWN
 */
export async function recogniseProblems(path: string): Promise<RecognisedData> {
  const { task, truth, looked, usable, problem, has } = await recogniseColumns(path, {
    task: ["problem", "question", "prompt", "query", "input", "instruction"],
    truth: ["answer", "final_answer", "expected_answer", "ground_truth", "gold", "target", "solution", "output"],
    others: ["id"],
    read: (row, number, columns) =>
      problemOf(
        row,
        { file: path, row: number, goodRows: number - 1 },
        { problem: columns.task, answer: columns.truth, calculations: "calculations" },
      ),
  });
  const isOrdinary = task === "problem" || (task === "question" && !has("problem"));
  const fields = { ...(isOrdinary ? {} : { problem: task }), ...(truth === "answer" ? {} : { answer: truth }) };
  return {
    settings: {
      data: {
        path,
        ...(Object.keys(fields).length > 0 ? { fields } : {}),
        ...(usable < looked ? { onBadRow: "skip" } : {}),
      },
    },
    columns: { problem: task, answer: truth },
    looked,
    usable,
    ...(problem === undefined ? {} : { problem }),
  };
}
