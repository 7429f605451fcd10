import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import { namespaceRemedy } from "../../../environments/code/namespaces/namespace-remedy.js";
import { strongSandbox } from "../../support/strong-sandbox.js";

afterAll(() => strongSandbox?.close());

describe("namespaceRemedy()", () => {
  it("names every setting that forbids user namespaces, with the command that ends it", () => {
    const settings = new Map([
      ["user.max_user_namespaces", "0"],
      ["kernel.unprivileged_userns_clone", "1"],
      ["kernel.apparmor_restrict_unprivileged_userns", "1"],
    ]);
    const remedy = namespaceRemedy((name) => settings.get(name) ?? "");
    expect(remedy).toMatch(
      /^allow user namespaces, as root: sysctl -w user.max_user_namespaces=\d+; sysctl -w kernel.app/,
    );
    expect(remedy).not.toContain("unprivileged_userns_clone");
  });

  it("says what a container lacks where no setting forbids them", () => {
    expect(namespaceRemedy(() => "")).toContain("--cap-add SYS_ADMIN");
  });
});

/** A process without rights, in a user namespace that allows no other one below it. */
const FORBIDDEN = ["--user", "--map-root-user", "sh", "-c"];
const WITHOUT_RIGHTS =
  "echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs";
const canForbid =
  strongSandbox !== undefined && spawnSync("unshare", [...FORBIDDEN, `${WITHOUT_RIGHTS} true`]).status === 0;
if (!canForbid)
  process.stderr.write("skipped: tier A where namespaces are forbidden, as they cannot be forbidden here\n");

describe.skipIf(!canForbid)("openNamespaceSandbox() where namespaces are forbidden", () => {
  it("has no sandbox, and says what the kernel said and what to do", () => {
    const module = new URL("../../../environments/dist/code/namespaces/namespace-sandbox.js", import.meta.url).href;
    const script = `
      const { openNamespaceSandbox } = await import(${JSON.stringify(module)});
      const limits = { testMs: 1000, memoryMb: 128, outputBytes: 1000 };
      console.log(JSON.stringify(await openNamespaceSandbox({ language: "python", limits })));`;
    const { stdout, stderr } = spawnSync(
      "unshare",
      [...FORBIDDEN, `${WITHOUT_RIGHTS} "$0" --input-type=module -e "$1"`, process.execPath, script],
      { encoding: "utf8", cwd: fileURLToPath(new URL("../../..", import.meta.url)) },
    );
    expect(JSON.parse(stdout || "null"), stderr).toEqual({
      missing: expect.stringMatching(/^cannot make namespaces: /),
      remedy: expect.stringContaining("sysctl -w user.max_user_namespaces="),
    });
  });
});
