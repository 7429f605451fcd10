import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { ModuleKind } from "../../src/config/resolve-module.js";
import { ModuleKind as Modules, ModuleResolutionKind, Node, Project, ScriptTarget, type SourceFile } from "ts-morph";

/** Something in a plugin's source that should not be there. */
export interface SourceFinding {
  readonly severity: "error" | "warning";
  /** "file.ts:12:7", relative to the plugin's folder. */
  readonly place: string;
  readonly rule: "types" | "forbidden-global" | "import" | "async-hook";
  readonly message: string;
}

/** What a kind of module must not do, and what it had better not. */
interface SourceRules {
  /** Global → what to use instead. */
  readonly forbidden: ReadonlyMap<string, string>;
  /** Whether imports beside the SDK are worth a warning. */
  readonly standsAlone: boolean;
}

/** Chance, time, and ways out of the process: a hook that uses them cannot be replayed, or ends the run. */
const PLUGIN_GLOBALS: ReadonlyMap<string, string> = new Map([
  ["Math.random", "take chance from ctx.random: its key is the run, the step and the subject"],
  ["Date.now", "take order from ctx.step: time differs in every replay"],
  ["performance.now", "take order from ctx.step: time differs in every replay"],
  ["Date", "take order from ctx.step: time differs in every replay"],
  ["crypto.randomUUID", "take chance from ctx.random"],
  ["crypto.getRandomValues", "take chance from ctx.random"],
  ["process.exit", "throw an error: the run stops in an orderly way and can be resumed"],
  ["setTimeout", "hooks are synchronous: nothing may happen after they return"],
  ["setInterval", "hooks are synchronous: nothing may happen after they return"],
  ["setImmediate", "hooks are synchronous: nothing may happen after they return"],
  ["queueMicrotask", "hooks are synchronous: nothing may happen after they return"],
  ["fetch", "hooks are synchronous and a replay has no network: a verifier may ask a service"],
  ["eval", "write it as code"],
  ["Function", "write it as code"],
]);

/** An environment may wait and look at the time, as a tool does; what it answers must not depend on chance of its own. */
const ENVIRONMENT_GLOBALS: ReadonlyMap<string, string> = new Map([
  ["Math.random", "take chance from scene.random, or from a Random of the taskset's seed"],
  ["crypto.randomUUID", "take chance from scene.random, or from a Random of the taskset's seed"],
  ["crypto.getRandomValues", "take chance from scene.random, or from a Random of the taskset's seed"],
  ["process.exit", "throw an error: the sample gets a verdict of kind error, and the run goes on"],
]);

const RULES: Readonly<Record<ModuleKind, SourceRules>> = {
  plugin: { forbidden: PLUGIN_GLOBALS, standsAlone: true },
  environment: { forbidden: ENVIRONMENT_GLOBALS, standsAlone: false },
};

/** Node's own types need not be installed beside a plugin; using Node at all is a finding of its own. */
const NODE_TYPES_MISSING = [2580, 2591];

const SDK = "@troupe/core/sdk";

/**
 * Reads a plugin's or an environment's source without running it: type errors against the SDK, imports beside the SDK,
 * chance that does not come from the context; of a plugin also time and asynchronous hooks. Two seconds the first time:
 * the compiler reads the SDK's types.
 *
 * @param entry its entry file
 */
export function analyseSource(entry: string, kind: ModuleKind = "plugin"): readonly SourceFinding[] {
  const project = new Project({
    skipAddingFilesFromTsConfig: true,
    compilerOptions: {
      module: Modules.NodeNext,
      moduleResolution: ModuleResolutionKind.NodeNext,
      target: ScriptTarget.ES2023,
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      allowJs: true,
      types: [],
      // Whatever copy the plugin's folder may have, these are the types that it will be run with.
      paths: { [SDK]: [fileURLToPath(new URL("../../src/sdk.d.ts", import.meta.url))] },
    },
  });
  const main = project.addSourceFileAtPath(entry);
  project.resolveSourceFileDependencies();
  const folder = dirname(entry);
  const files = project
    .getSourceFiles()
    .filter((file) => !file.isDeclarationFile() && !file.isInNodeModules() && !isOfTroupe(file, folder));
  return [
    ...files.flatMap((file) => findingsIn(file, folder, RULES[kind])),
    ...(kind === "plugin" ? asyncHooks(main, folder) : []),
    ...files.flatMap((file) => typeErrors(project, file, folder)),
  ];
}

/** Files of the runtime itself, reached through a link in a plugin's node_modules. */
function isOfTroupe(file: SourceFile, folder: string): boolean {
  return /^(\.\.\/)+.*core\/src\//.test(relative(folder, file.getFilePath()));
}

function findingsIn(
  file: SourceFile,
  folder: string,
  { forbidden, standsAlone }: SourceRules,
): readonly SourceFinding[] {
  const findings: SourceFinding[] = [];
  const add = (node: Node, rule: SourceFinding["rule"], severity: SourceFinding["severity"], message: string): void =>
    void findings.push({ severity, place: placeOf(node, folder), rule, message });
  for (const declaration of file.getImportDeclarations()) {
    const from = declaration.getModuleSpecifierValue();
    if (from === SDK || from.startsWith(".")) continue;
    const isOurs = from.startsWith("@troupe/");
    if (!isOurs && !standsAlone) continue;
    add(
      declaration,
      "import",
      isOurs ? "error" : "warning",
      isOurs
        ? `imports "${from}": "${SDK}" is all that is imported of Troupe`
        : `imports "${from}": it travels in the bundle to every thread; the SDK alone is enough for most plugins`,
    );
  }
  file.forEachDescendant((node) => {
    if (!Node.isCallExpression(node) && !Node.isNewExpression(node)) return;
    const callee = node
      .getExpression()
      .getText()
      .replace(/^globalThis\./, "");
    const instead = forbidden.get(callee);
    if (instead === undefined) return;
    if (callee === "Date" && node.getArguments().length > 0) return;
    add(node, "forbidden-global", "error", `calls ${callee}: ${instead}`);
  });
  return findings;
}

/** Hooks written as async functions. */
function asyncHooks(file: SourceFile, folder: string): readonly SourceFinding[] {
  const findings: SourceFinding[] = [];
  file.forEachDescendant((node) => {
    if (!Node.isPropertyAssignment(node) && !Node.isMethodDeclaration(node)) return;
    if (node.getName() !== "run") return;
    const run = Node.isPropertyAssignment(node) ? node.getInitializer() : node;
    const isAsync =
      (Node.isArrowFunction(run) || Node.isFunctionExpression(run) || Node.isMethodDeclaration(run)) && run.isAsync();
    if (isAsync)
      findings.push({
        severity: "error",
        place: placeOf(node, folder),
        rule: "async-hook",
        message: "a hook is synchronous: the step would go on without its answer",
      });
  });
  return findings;
}

function typeErrors(project: Project, file: SourceFile, folder: string): readonly SourceFinding[] {
  return project
    .getProgram()
    .getSemanticDiagnostics(file)
    .filter((diagnostic) => !NODE_TYPES_MISSING.includes(diagnostic.getCode()))
    .filter((diagnostic) => !/^Cannot find module .*'node:/.test(String(diagnostic.getMessageText())))
    .map((diagnostic): SourceFinding => {
      const text = diagnostic.getMessageText();
      const at = file.getLineAndColumnAtPos(diagnostic.getStart() ?? 0);
      return {
        severity: "error",
        place: `${relative(folder, file.getFilePath())}:${at.line}:${at.column}`,
        rule: "types",
        message: typeof text === "string" ? text : chainOf(text.compilerObject),
      };
    });
}

interface Chain {
  readonly messageText: string;
  readonly next?: readonly Chain[] | undefined;
}

/** The outermost message and the innermost cause: what lies between repeats the types. */
function chainOf(chain: Chain): string {
  let inner = chain;
  while (inner.next?.[0]) inner = inner.next[0];
  return inner === chain ? chain.messageText : `${chain.messageText} (${inner.messageText})`;
}

function placeOf(node: Node, folder: string): string {
  const file = node.getSourceFile();
  const { line, column } = file.getLineAndColumnAtPos(node.getStart());
  return `${relative(folder, file.getFilePath()) || join(file.getBaseName())}:${line}:${column}`;
}
