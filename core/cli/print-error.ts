import { CommanderError } from "commander";
import { TroupeError } from "../src/error-catalogue.js";

/** Exit code of a command that ended with this error; core/docs/errors.md lists them. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const reason = reasonOf(error);
  return reason instanceof TroupeError ? reason.exitCode : 1;
}

/** What really went wrong: an actor's failure to answer is only the messenger of what its handler threw. */
function reasonOf(error: unknown): unknown {
  return error instanceof TroupeError && error.code === "HANDLER_FAILED" && error.cause !== undefined
    ? reasonOf(error.cause)
    : error;
}

/** Prints an error for people on stderr: code, message, hint; for programs as one JSON record on stdout. */
export function printError(thrown: unknown, options: { readonly debug: boolean; readonly json: boolean }): void {
  const error = reasonOf(thrown);
  // Commander has printed its own message, or the help that was asked for.
  if (error instanceof CommanderError) return;
  const known = error instanceof TroupeError;
  if (options.json) {
    const { code, message, hint } = known ? error : { code: "BUG", message: String(error), hint: "" };
    process.stdout.write(`${JSON.stringify({ type: "error", code, message, hint })}\n`);
  }
  const lines = known
    ? [`${error.code}: ${error.message}`, `Fix: ${error.hint}`]
    : [`Unexpected error: ${String(error)}`, "This is a bug in Troupe; the stack below helps to find it."];
  if ((options.debug || !known) && error instanceof Error && error.stack) lines.push(error.stack);
  process.stderr.write(`${lines.join("\n")}\n`);
}
