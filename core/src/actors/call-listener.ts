/** Calls somebody's listener. What it throws is its own: it surfaces as an uncaught exception, after the caller is through. */
export function callListener(call: () => void): void {
  try {
    call();
  } catch (error) {
    queueMicrotask(() => {
      throw error;
    });
  }
}
