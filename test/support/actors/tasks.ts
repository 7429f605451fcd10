/** Does what the task says; for `TaskPool`, which calls it in its own threads. */
export function work(task: { readonly kind: "double" | "throw" | "loop" | "exit"; readonly n: number }): number {
  if (task.kind === "throw") throw Object.assign(new RangeError("odd task"), { code: "E_ODD" });
  if (task.kind === "exit") process.exit(7);
  if (task.kind === "loop") for (;;);
  return task.n * 2;
}
