import { afterEach, beforeEach, expect, test } from "vitest";
import { TaskPool } from "../../../core/src/actors/task-pool.js";
import { failure } from "../../contracts/actor-placement.js";
import type { work } from "../../support/actors/tasks.js";

type Task = Parameters<typeof work>[0];

const PATIENCE = { deadlineMs: 600_000 };
const module = new URL("../../dist/support/actors/tasks.js", import.meta.url).href;
let pool: TaskPool<Task, number>;

beforeEach(() => void (pool = new TaskPool({ module, exportName: "work", threads: 1, maxQueue: 2 })));
afterEach(() => pool.close());

test("run() gives what the function returns when it succeeds", async () => {
  expect(await Promise.all([1, 2].map((n) => pool.run({ kind: "double", n }, PATIENCE)))).toEqual([2, 4]);
});

test("run() rejects with what the function threw when it throws", async () => {
  const error = await failure(pool.run({ kind: "throw", n: 1 }, PATIENCE));
  expect(error).toMatchObject({
    code: "TASK_FAILED",
    details: { outcome: "failed" },
    cause: { name: "RangeError", code: "E_ODD" },
  });
});

test("run() ends the thread at the deadline when a task never ends, and the next task runs", async () => {
  const error = await failure(pool.run({ kind: "loop", n: 1 }, { deadlineMs: 300 }));
  expect(error).toMatchObject({ code: "TASK_DEADLINE", details: { outcome: "unknown", deadlineMs: 300 } });
  expect(await pool.run({ kind: "double", n: 4 }, PATIENCE)).toBe(8);
});

test("run() rejects with an unknown outcome when the thread ends, and the next task runs", async () => {
  const error = await failure(pool.run({ kind: "exit", n: 1 }, PATIENCE));
  expect(error).toMatchObject({ code: "TASK_FAILED", details: { outcome: "unknown" } });
  expect(await pool.run({ kind: "double", n: 4 }, PATIENCE)).toBe(8);
});

test("run() refuses when as many tasks wait as may", async () => {
  await pool.run({ kind: "double", n: 0 }, PATIENCE);
  const tasks = [1, 2, 3].map((n) => pool.run({ kind: "double", n }, PATIENCE));
  expect(await failure(pool.run({ kind: "double", n: 4 }, PATIENCE))).toMatchObject({
    code: "TASK_POOL_FULL",
    details: { maxQueue: 2 },
  });
  expect(await Promise.all(tasks)).toEqual([2, 4, 6]);
});

test("run() names the module and export when there is no such function", async () => {
  const none = new TaskPool<number, number>({ module, exportName: "nothing", threads: 1, maxQueue: 1 });
  expect((await failure(none.run(1, PATIENCE))).cause).toMatchObject({
    code: "TASK_FUNCTION_NOT_FOUND",
    details: { exportName: "nothing" },
  });
  await none.close();
});
