import { once } from "node:events";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { importsOf, nodesOf, sourcesIn } from "../conventions/source.js";
import { LOCK, ScratchRepository } from "./scratch-repository.js";

const START = ["core/setup/start.mjs", "demo", "--seed", "3"];

let repository: ScratchRepository;
beforeEach(() => {
  repository = new ScratchRepository();
});
afterEach(() => repository.dispose());

describe("start.mjs", () => {
  it("installs, compiles, builds, then is the command with its arguments and exit code", () => {
    const { exitCode, stdout, stderr } = repository.run(START);
    expect(repository.takeCalls()).toEqual(["npm", "tsc", "native", "sandbox", "main"]);
    expect(stdout).toBe('["demo","--seed","3"]\n');
    expect(stderr).toMatch(/^ ✓ packages .* s\n ✓ typescript .* s\n ✓ native addon .* s\n ✓ code sandbox .* s\n$/);
    expect(exitCode).toBe(7);
  });

  it("installs again only when node_modules is not what the lock file says", () => {
    repository.run(START);
    repository.takeCalls();
    repository.run(START);
    expect(repository.takeCalls(), "nothing changed").toEqual(["tsc", "native", "sandbox", "main"]);

    const newer = { ...LOCK.packages, "node_modules/typescript": { version: "7.0.1", integrity: "sha512-c" } };
    repository.write("package-lock.json", JSON.stringify({ packages: newer }));
    repository.run(START);
    expect(repository.takeCalls(), "another version is locked").toContain("npm");

    repository.remove("node_modules/typescript");
    repository.run(START);
    expect(repository.takeCalls(), "a package is gone").toContain("npm");

    const carried = { ...newer, "node_modules/elsewhere": LOCK.packages["node_modules/elsewhere"] };
    repository.write("node_modules/.package-lock.json", JSON.stringify({ packages: carried }));
    repository.write("node_modules/elsewhere/package.json", "{}");
    repository.run(START);
    expect(repository.takeCalls(), "node_modules comes from another system").toContain("npm");
  });

  it("leaves signals to the command when it runs", async () => {
    repository.replace(
      "main",
      'export function main() { process.on("SIGINT", () => process.exit(130)); setInterval(() => {}, 1000); console.log("ready"); }',
    );
    const child = repository.start(START);
    if (child.stdout === null) throw new Error("the child has no output");
    await once(child.stdout, "data");
    child.kill("SIGINT");
    expect(await once(child, "exit")).toEqual([130, null]);
  });
});

describe("prepare.mjs", () => {
  it("does the same and ends there", () => {
    expect(repository.run(["core/setup/prepare.mjs"])).toMatchObject({ exitCode: 0, stdout: "" });
    expect(repository.takeCalls()).toEqual(["npm", "tsc", "native", "sandbox"]);
  });
});

describe("setUp() says in one line what is wrong", () => {
  it("when there is no C++ compiler, before it installs anything", () => {
    const { exitCode, stderr } = repository.run(START, { PATH: "/nowhere" });
    expect(stderr).toMatch(/^COMPILER_MISSING: Cannot .* Fix: install one .*\n$/);
    expect([exitCode, repository.takeCalls()]).toEqual([2, []]);
  });

  it("when CXX does not run, although another compiler does", () => {
    expect(repository.run(START, { CXX: "/nowhere/c++ -O2" })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^COMPILER_MISSING: .*CXX is "\/nowhere\/c\+\+ -O2".*\n$/),
    });
  });

  it("when the compiler is gone and the native addon has to be built", () => {
    repository.run(START);
    repository.replace("native", "process.exit(1);");
    expect(repository.run(START, { PATH: "/nowhere" })).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/COMPILER_MISSING: .*\n$/),
    });
  });

  it("when the registry cannot be reached", () => {
    repository.replace("npm", 'console.error("npm error code ENOTFOUND"); process.exit(1);');
    const { exitCode, stderr } = repository.run(START);
    expect(stderr).toMatch(/^NETWORK_MISSING: Cannot .* Fix: .*\n$/);
    expect(exitCode).toBe(75);
  });

  it("when the disk fills up", () => {
    repository.replace("npm", 'console.error("npm error code ENOSPC"); process.exit(1);');
    expect(repository.run(START)).toMatchObject({ exitCode: 4, stderr: expect.stringMatching(/^DISK_FULL: .*\n$/) });
  });

  it("after the end of its output when a step fails, and goes no further", () => {
    repository.replace("tsc", 'for (let i = 1; i <= 50; i++) console.log("line " + i); process.exit(3);');
    const { exitCode, stderr, stdout } = repository.run(START);
    expect(stderr).toMatch(
      / ✓ packages .*\nline 21\n[^]*line 50\nSET_UP_FAILED: Cannot compile TypeScript: .* exit code 3\. Fix: .*\n$/,
    );
    expect([exitCode, stdout, repository.takeCalls()]).toEqual([1, "", ["npm", "tsc"]]);
  });

  it.each(["core/setup/start.mjs", "core/setup/prepare.mjs", "core/bin/troupe.mjs"])(
    "when Node is too old for %s",
    (script) => {
      const pretend = 'Object.defineProperty(process, "versions", { value: { node: "18.19.0" } })';
      const { exitCode, stderr } = repository.run([
        "--import",
        `data:text/javascript,${encodeURIComponent(pretend)}`,
        script,
      ]);
      expect(stderr).toMatch(/^NODE_TOO_OLD: Cannot run on Node 18\.19\.0: .* Fix: install Node 22 or 24.*\n$/);
      expect([exitCode, repository.takeCalls()]).toEqual([2, []]);
    },
  );
});

describe("troupe.mjs", () => {
  it("says how to compile when that was not done", () => {
    expect(repository.run(["core/bin/troupe.mjs"])).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/^NOT_BUILT: Cannot .* Fix: run "npm run build" .*\n$/),
    });
  });
});

describe("entry scripts", () => {
  it("have no syntax that keeps an old Node from reading them", () => {
    const entries = sourcesIn("core/bin", "core/setup").filter((source) =>
      /\/(check-node|troupe|start|prepare)\.mjs$/.test(source.path),
    );
    expect(entries).toHaveLength(4);
    for (const source of entries) {
      const newer = nodesOf(
        source,
        "AwaitExpression",
        "ChainExpression",
        "ImportAttribute",
        "PropertyDefinition",
        "StaticBlock",
      );
      const operators = nodesOf(source, "LogicalExpression", "AssignmentExpression").filter((node) =>
        /\?\?|&&=|\|\|=/.test(String(node["operator"])),
      );
      expect([...newer, ...operators], source.path).toEqual([]);
      // node: is unknown before 14.13; anything else would be read before the check.
      const statics = importsOf(source).filter((found) => !source.text.startsWith("import(", found.start));
      expect(
        statics.filter(({ specifier }) => !/check-node\.mjs$|^(fs|url)$/.test(specifier)),
        source.path,
      ).toEqual([]);
    }
  });
});
