import { errors } from "../errors.js";
import { encodeError, type WireError } from "./error-codec.js";

/** One task, and the function that does it. */
export interface TaskOrder {
  readonly module: string;
  readonly exportName: string;
  readonly task: unknown;
}

/** What a task gave: its value, or its error as data. */
export type TaskAnswer = { readonly value: unknown } | { readonly error: WireError };

/** What piscina calls in its threads. Errors travel as data: piscina's own carrier drops their names and codes. */
export default async function doTask({ module, exportName, task }: TaskOrder): Promise<TaskAnswer> {
  try {
    const loaded: Readonly<Record<string, unknown>> = await import(module);
    const work = loaded[exportName];
    if (typeof work !== "function") throw errors.taskFunctionNotFound({ module, exportName });
    return { value: await work(task) };
  } catch (error) {
    return { error: encodeError(error) };
  }
}
