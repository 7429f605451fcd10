import { CommanderError } from "commander";
import { TroupeError } from "../src/error-catalogue.js";

/** Exit code of a command that ended with this error; `spec` of codes: core/docs/errors.md. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  return error instanceof TroupeError ? error.exitCode : 1;
}

/** Prints an error for people on stderr: code, message, hint; for programs as one JSON record on stdout. */
export function printError(error: unknown, options: { readonly debug: boolean; readonly json: boolean }): void {
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
