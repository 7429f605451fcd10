import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { basename } from "node:path";

/**
 * Runs one command in silence, and reports it as one line with its seconds when it succeeds. `command` is program and
 * arguments. Resolves with { exitCode, signal, output }, both streams in one text.
 */
export function runStep(label, done, command, cwd) {
  const started = performance.now();
  const isTerminal = process.stderr.isTTY === true;
  const line = (mark, text, time) => ` ${mark} ${label.padEnd(13)} ${text.padEnd(48)} ${time}`.trimEnd();
  if (isTerminal) process.stderr.write(line("·", "…", ""));
  return new Promise((resolve) => {
    const [program, ...args] = command;
    const child = spawn(program, args, { cwd, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    const collect = (chunk) => {
      output += chunk;
    };
    child.stdout.setEncoding("utf8").on("data", collect);
    child.stderr.setEncoding("utf8").on("data", collect);
    const finish = (exitCode, signal) => {
      if (isTerminal) process.stderr.write("\r\x1b[K");
      const seconds = ((performance.now() - started) / 1000).toFixed(1);
      if (exitCode === 0) process.stderr.write(`${line("✓", done, `${seconds.padStart(6)} s`)}\n`);
      resolve({ exitCode, signal, output });
    };
    child.on("error", (error) => {
      output += `${error.message}\n`;
      finish(null, null);
    });
    child.on("close", finish);
  });
}

/** npm as a program and arguments: the npm that is running this, else the one on the path. */
export function npmCommand(args) {
  const running = process.env.npm_execpath;
  const isNpm = running !== undefined && basename(running).startsWith("npm") && existsSync(running);
  return isNpm ? [process.execPath, running, ...args] : ["npm", ...args];
}
