import { readFileSync, readdirSync } from "node:fs";
import { dirname, join, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { parseAst } from "vitest/node";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** A node of an ESTree program; whatever else it has depends on its type. */
export interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [property: string]: unknown;
}

/** One comment with its delimiters. */
export interface Comment {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** A parsed TypeScript or JavaScript file. */
export interface Source {
  /** From the repository's root, with slashes. */
  readonly path: string;
  readonly text: string;
  readonly program: Node;
  readonly comments: readonly Comment[];
}

/** Where a rule is broken: "path:line what is wrong". */
export type Finding = string;

/** Parses a text as the file it would be; samples of bad code come this way too. */
export function parse(path: string, text: string): Source {
  // The parser's types know each kind of node; rules only look at those they name, and check what they read.
  const program = parseAst(text, { lang: path.endsWith(".mjs") ? "js" : "ts" }, path) as unknown as Node;
  return { path, text, program, comments: commentsOf(text, program) };
}

/** Every file below the given folders whose name passes, sorted; what is built, installed or ignored is left out. */
export function filesIn(folders: readonly string[], isWanted: (path: string) => boolean): readonly string[] {
  const skipped = new Set(["node_modules", "dist", "build", "runs", ".git", ".cache"]);
  const list = (folder: string): string[] =>
    readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
      const path = posix.join(folder, entry.name);
      if (entry.isDirectory()) return skipped.has(entry.name) ? [] : list(path);
      return isWanted(path) ? [path] : [];
    });
  return folders.flatMap(list).sort();
}

/** The text of one file of the repository. */
export function read(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}

const parsed = new Map<string, Source>();

/** Every TypeScript and .mjs file below the given folders, parsed. */
export function sourcesIn(...folders: readonly string[]): readonly Source[] {
  return filesIn(folders, (path) => /\.(ts|mjs)$/.test(path)).map((path) => {
    const source = parsed.get(path) ?? parse(path, read(path));
    parsed.set(path, source);
    return source;
  });
}

/** Calls `visit` for every node, parents before children, with its ancestors, nearest last. */
export function walk(node: Node, visit: (node: Node, ancestors: readonly Node[]) => void): void {
  const ancestors: Node[] = [];
  const descend = (current: Node): void => {
    visit(current, ancestors);
    ancestors.push(current);
    for (const value of Object.values(current)) {
      for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) descend(child);
    }
    ancestors.pop();
  };
  descend(node);
}

/** Every node of one of the given types. */
export function nodesOf(source: Source, ...types: readonly string[]): readonly Node[] {
  const found: Node[] = [];
  walk(source.program, (node) => {
    if (types.includes(node.type)) found.push(node);
  });
  return found;
}

/** Whether a property of a node is a node. */
export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

/** A property that holds a list of nodes; empty when it holds none. */
export function listOf(node: Node, property: string): readonly Node[] {
  const value = node[property];
  return Array.isArray(value) ? value.filter(isNode) : [];
}

/** The name of an identifier, or the text of a string; undefined for anything else. */
export function nameOf(value: unknown): string | undefined {
  if (!isNode(value)) return undefined;
  const name = value.type === "Literal" ? value["value"] : value["name"];
  return typeof name === "string" ? name : undefined;
}

/** Line number of an offset, from 1. */
export function lineOf(source: Source, offset: number): number {
  return source.text.slice(0, offset).split("\n").length;
}

/** A finding at an offset. */
export function finding(source: Source, offset: number, message: string): Finding {
  return `${source.path}:${lineOf(source, offset)} ${message}`;
}

/** One module that a file imports, by whatever form: import, export from, import(), a type's import(). */
export interface Import {
  readonly specifier: string;
  readonly start: number;
}

/** What a file imports, in order. */
export function importsOf(source: Source): readonly Import[] {
  const types = [
    "ImportDeclaration",
    "ExportNamedDeclaration",
    "ExportAllDeclaration",
    "ImportExpression",
    "TSImportType",
  ];
  return nodesOf(source, ...types).flatMap((node) => {
    const specifier = nameOf(node["source"]);
    return specifier === undefined ? [] : [{ specifier, start: node.start }];
  });
}

/** The repository's path that a relative specifier leads to, as the compiler reads it: .js names a .ts. */
export function resolveRelative(path: string, specifier: string): string {
  return posix.join(dirname(path), specifier).replace(/\.js$/, ".ts");
}

function commentsOf(text: string, program: Node): readonly Comment[] {
  // Inside these, "//" and "/*" are not comments.
  const literals = new Map<number, number>();
  walk(program, (node) => {
    if (node.type === "Literal" || node.type === "TemplateElement") literals.set(node.start, node.end);
  });
  const comments: Comment[] = [];
  let at = text.startsWith("#!") ? text.indexOf("\n") : 0;
  while (at >= 0 && at < text.length) {
    const literalEnd = literals.get(at);
    if (literalEnd !== undefined && literalEnd > at) {
      at = literalEnd;
    } else if (text.startsWith("//", at) || text.startsWith("/*", at)) {
      const isLine = text[at + 1] === "/";
      const close = text.indexOf(isLine ? "\n" : "*/", at + 2);
      const end = close < 0 ? text.length : close + (isLine ? 0 : 2);
      comments.push({ text: text.slice(at, end), start: at, end });
      at = end;
    } else {
      at++;
    }
  }
  return comments;
}
