import { resolve } from "node:path";

/** What was named on the command line: a path is taken from the folder that the command was called in. */
export function pathOrName(use: string): string {
  return use === "." || use.startsWith("./") || use.startsWith("../") ? resolve(use) : use;
}
