/**
 * Turns Ctrl-C and SIGTERM into an abort: the first asks for a stop after the running step, the second ends the process.
 * Returns the signal, and a function that gives the process its old handlers back and tells which signal came.
 */
export function stopOnSignals(onFirst: () => void): {
  readonly signal: AbortSignal;
  release(): NodeJS.Signals | undefined;
} {
  const controller = new AbortController();
  let received: NodeJS.Signals | undefined;
  const handle = (name: NodeJS.Signals): void => {
    if (received) process.exit(name === "SIGTERM" ? 143 : 130);
    received = name;
    onFirst();
    controller.abort();
  };
  process.on("SIGINT", handle);
  process.on("SIGTERM", handle);
  return {
    signal: controller.signal,
    release() {
      process.off("SIGINT", handle);
      process.off("SIGTERM", handle);
      return received;
    },
  };
}
