import { existsSync, lstatSync, openSync, closeSync, readlinkSync, readSync, realpathSync } from "node:fs";
import { delimiter, dirname, join } from "node:path";
import { packageRoot } from "../package-root.js";
import type { Language } from "../sandbox.js";

/** An interpreter as a guest starts it: its command, and what of the machine it needs to see. */
export interface Interpreter {
  readonly command: readonly string[];
  /** Launcher arguments that show folders to the guest, read-only. */
  readonly view: readonly string[];
}

/** Where libraries lie on any distribution; links among them are made again inside. */
const LIBRARIES = ["/lib", "/lib64", "/usr/lib", "/usr/lib64"];

/** Folders below a prefix that hold what an interpreter reads while it runs. */
const PYTHON_PARTS = ["bin", "lib"];

/**
 * Finds the interpreter of a language on the path.
 *
 * @returns undefined where none is installed
 */
export function findInterpreter(
  language: Language,
  memoryMb: number,
  path = process.env["PATH"] ?? "",
): Interpreter | undefined {
  const found = language === "python" ? findProgram(["python3", "python"], path) : realpathSync(process.execPath);
  if (found === undefined) return undefined;
  const command =
    language === "python"
      ? [found, "-s", "-S", "-X", "utf8", "-X", "int_max_str_digits=0", "/guest/python_guest.py"]
      : [found, `--max-old-space-size=${memoryMb}`, "--stack-size=100000", "/guest/node_guest.cjs"];
  return { command, view: [...viewOf(found), "--bind", join(packageRoot(), "code", "guest"), "/guest"] };
}

/** A program of one of these names that is no script: version managers put scripts in front, which see nothing inside. */
function findProgram(names: readonly string[], path: string): string | undefined {
  for (const folder of path.split(delimiter).filter((part) => part.startsWith("/")))
    for (const name of names) {
      const file = join(folder, name);
      if (existsSync(file) && isElf(file)) return realpathSync(file);
    }
  return undefined;
}

function isElf(file: string): boolean {
  const start = Buffer.alloc(4);
  try {
    const descriptor = openSync(file, "r");
    readSync(descriptor, start, 0, 4, 0);
    closeSync(descriptor);
  } catch {
    return false;
  }
  return start.toString("latin1") === "\x7fELF";
}

function viewOf(program: string): string[] {
  const libraries = LIBRARIES.filter((path) => existsSync(path)).flatMap((path) =>
    lstatSync(path).isSymbolicLink() ? ["--symlink", readlinkSync(path), path] : ["--bind", path, path],
  );
  const prefix = dirname(dirname(program));
  // Everything else of /usr stays out of sight. An interpreter elsewhere brings its own libraries.
  const own = prefix === "/usr" ? [program] : PYTHON_PARTS.map((part) => join(prefix, part));
  return [...libraries, ...own.filter((path) => existsSync(path)).flatMap((path) => ["--bind", path, path])];
}
