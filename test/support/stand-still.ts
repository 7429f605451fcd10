import { existsSync } from "node:fs";
import { isMainThread } from "node:worker_threads";

/**
 * Loaded before a command's own code: once the command has written the line that it was told of, its main thread stands
 * still until a file is there. What a test does to it then falls into the same place of every run, however late the test
 * gets to read the line.
 */
const { TROUPE_STAND_STILL: told, ...env } = process.env;
const isCommand = isMainThread && process.argv[1]?.endsWith("troupe.mjs") === true;

if (isCommand && told !== undefined) {
  // Neither its threads nor its children.
  process.env = { ...env, NODE_OPTIONS: "" };
  // As `TroupeProcess` writes it.
  const { start, count, until } = JSON.parse(told) as { start: string; count: number; until: string };
  const cell = new Int32Array(new SharedArrayBuffer(4));
  const write = process.stdout.write.bind(process.stdout);
  let seen = 0;
  const writeAndStand = (...args: Parameters<typeof write>): boolean => {
    // A pipe's writes are through when they return.
    const isThrough = write(...args);
    if (String(args[0]).startsWith(start) && ++seen === count) while (!existsSync(until)) Atomics.wait(cell, 0, 0, 5);
    return isThrough;
  };
  // The overloads differ in what may be left out alone.
  process.stdout.write = writeAndStand as typeof write;
}
