import { CommanderError } from "commander";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { exitCodeOf, printError } from "../../../core/cli/print-error.js";
import { errors } from "../../../core/src/errors.js";

const wrong = errors.overrideNotValid({ text: "a", problem: 'it has no "="' });
const notStarted = errors.actorNotStarted({ address: "learner", problem: "it threw" }, wrong);
const inActor = errors.handlerFailed(
  { address: "rollout-1", type: "rollOut", outcome: "failed", problem: "it threw" },
  wrong,
);

let out = "";
let err = "";
beforeEach(() => {
  out = err = "";
  vi.spyOn(process.stdout, "write").mockImplementation((text) => ((out += String(text)), true));
  vi.spyOn(process.stderr, "write").mockImplementation((text) => ((err += String(text)), true));
});
afterEach(() => void vi.restoreAllMocks());

describe("exitCodeOf()", () => {
  test.each([
    ["an error of the catalogue", wrong, 2],
    ["an actor's failure, by what its handler threw", inActor, 2],
    ["an actor that did not start, by what its init threw", notStarted, 2],
    ["a bug", new TypeError("x is not a function"), 1],
    ["something thrown that is no error", "text", 1],
    ["a mistake in the arguments", new CommanderError(1, "commander.unknownCommand", "unknown command"), 2],
    ["help that was asked for", new CommanderError(0, "commander.help", "(outputHelp)"), 0],
  ])("of %s", (_, error, wanted) => {
    expect(exitCodeOf(error)).toBe(wanted);
  });
});

describe("printError()", () => {
  test("prints code, message and fix, of what really went wrong", () => {
    for (const error of [wrong, inActor]) {
      err = "";
      printError(error, { debug: false, json: false });
      expect(err).toBe(`OVERRIDE_NOT_VALID: Cannot read the setting "a": it has no "="\nFix: ${wrong.hint}\n`);
    }
    expect(out).toBe("");
  });

  test("adds a record for programs", () => {
    printError(inActor, { debug: false, json: true });
    expect(JSON.parse(out)).toEqual({
      type: "error",
      code: "OVERRIDE_NOT_VALID",
      message: wrong.message,
      hint: wrong.hint,
    });
  });

  test("shows the stack of a bug always, and of an error when it is asked to", () => {
    printError(new TypeError("x is not a function"), { debug: false, json: false });
    expect(err).toMatch(
      /^Unexpected error: TypeError: x is not a function\nThis is a bug in Troupe.*\nTypeError: .*\n +at /,
    );
    err = "";
    printError(wrong, { debug: true, json: false });
    expect(err).toMatch(/\nFix: .*\nTroupeError: Cannot read.*\n +at /);
  });

  test("lets no text steer the terminal", () => {
    printError(errors.overrideNotValid({ text: "\u001b[2Ja", problem: "\u001b]0;x\u0007" }), {
      debug: true,
      json: false,
    });
    expect(err).not.toContain("\u001b");
    expect(err).not.toContain("\u0007");
  });

  test("tells programs of wrong usage as well", () => {
    const error = new CommanderError(1, "commander.unknownCommand", "unknown command");
    printError(error, { debug: false, json: true });
    expect(JSON.parse(out)).toMatchObject({ type: "error", code: "WRONG_USAGE", message: "unknown command" });
  });

  test("prints nothing after commander, which has", () => {
    printError(new CommanderError(1, "commander.unknownCommand", "unknown command"), { debug: false, json: false });
    expect(err).toBe("");
  });
});
