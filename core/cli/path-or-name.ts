import { resolve } from "node:path";

/**
 * What was named on the command line: a path is taken from the folder that the command was called in. Names of packages
 * have a "/" only behind their scope, and no ending of a source file.
 */
export function pathOrName(use: string): string {
  const isPath = use === "." || use === ".." || (use.includes("/") && !use.startsWith("@")) || SOURCE.test(use);
  return isPath ? resolve(use) : use;
}

const SOURCE = /\.[cm]?[jt]s$/;
