import { CommanderError } from "commander";
import { TroupeError } from "../src/error-catalogue.js";
import { printable } from "./render/printable.js";

/** Exit code of a command that ended with this error; core/docs/errors.md lists them. */
export function exitCodeOf(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const reason = reasonOf(error);
  return reason instanceof TroupeError ? reason.exitCode : 1;
}

/** Errors that only carry what an actor's handler or init threw. */
const MESSENGERS = ["HANDLER_FAILED", "ACTOR_NOT_STARTED"];

/** What really went wrong: an actor's failure is only the messenger of what its code threw. */
function reasonOf(error: unknown): unknown {
  return error instanceof TroupeError && MESSENGERS.includes(error.code) && error.cause !== undefined
    ? reasonOf(error.cause)
    : error;
}

/** Prints an error for people on stderr: code, message, hint; for programs as one JSON record on stdout. */
export function printError(thrown: unknown, options: { readonly debug: boolean; readonly json: boolean }): void {
  const error = reasonOf(thrown);
  if (error instanceof CommanderError) {
    // Commander has printed its own message, or the help that was asked for, for people.
    if (options.json && error.exitCode !== 0) writeRecord({ code: "WRONG_USAGE", message: error.message, hint: USAGE });
    return;
  }
  const known = error instanceof TroupeError;
  if (options.json) {
    writeRecord(known ? error : { code: "BUG", message: String(error), hint: "" });
  }
  const lines = known
    ? [`${error.code}: ${error.message}`, `Fix: ${error.hint}`]
    : [`Unexpected error: ${String(error)}`, "This is a bug in Troupe; the stack below helps to find it."];
  if ((options.debug || !known) && error instanceof Error && error.stack) lines.push(error.stack);
  // A message may quote a data row or a plugin: neither may steer the terminal.
  process.stderr.write(`${printable(lines.join("\n"))}\n`);
}

const USAGE = "`troupe --help` and `troupe COMMAND --help` list arguments and options";

function writeRecord({ code, message, hint }: { code: string; message: string; hint: string }): void {
  process.stdout.write(`${JSON.stringify({ type: "error", code, message, hint })}\n`);
}
