import type { TaskAnswer, TaskOrder } from "./task-pool-worker.js" with { "resolution-mode": "import" };

/**
 * What piscina loads in its threads. It asks for its file by `require` first, and in Node 20 a required ES module can
 * bring the process down while another thread loads the same one.
 */
async function doTask(order: TaskOrder): Promise<TaskAnswer> {
  const { default: run } = await import("./task-pool-worker.js");
  return run(order);
}

export = doTask;
