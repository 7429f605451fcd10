import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { CodeCaseInput } from "../../../environments/code/code-case.js";
import type { Language } from "../../../environments/code/sandbox.js";
import type { Verdict } from "../../../core/src/records/verdict.js";
import type { HostileProgram, Surroundings } from "./hostile-program.js";

const SECRET = "SECRET-0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/** What hostile programs find around their sandbox: an answer to steal, listeners to reach, places to leave something. */
export class Neighbourhood {
  /** Who came to the listeners. */
  readonly visitors: string[] = [];
  readonly #folder = mkdtempSync(join(tmpdir(), "troupe-hostile-"));
  readonly #mark = `troupe-hostile-${process.pid}`;
  readonly #servers: Server[] = [];
  #where: Surroundings | undefined;

  async open(): Promise<void> {
    const secretFile = join(this.#folder, "expected.txt");
    writeFileSync(secretFile, SECRET);
    process.env["TROUPE_HOSTILE_SECRET"] = SECRET;
    const tcp = await this.#listen({ port: 0, host: "127.0.0.1" });
    if (process.platform === "linux") await this.#listen({ path: `\0${this.#mark}` });
    // A listener by TCP has an address of this kind.
    const { port } = tcp.address() as AddressInfo;
    // Of the sources and of what is compiled from them.
    const here = fileURLToPath(new URL(".", import.meta.url));
    const repository = here.slice(0, here.lastIndexOf(`${join("/", "test")}/`));
    this.#where = { repository, secretFile, mark: this.#mark, port };
  }

  close(): void {
    delete process.env["TROUPE_HOSTILE_SECRET"];
    rmSync(this.#folder, { recursive: true });
    for (const server of this.#servers) server.close();
  }

  caseOf(one: HostileProgram, language: Language, slowness = 1): CodeCaseInput {
    if (this.#where === undefined) throw new Error("open() comes first");
    const program = typeof one.program === "string" ? one.program : one.program(this.#where);
    // An honest one must not fail on a busy machine; for the others a limit is a limit.
    const testMs = one.isHonest === true ? 30_000 : (one.limitMs ?? 700) * slowness;
    const limits = { testMs, totalMs: 60_000, outputKb: 2048 };
    const words = ["line 0", "line 1", "line 2"];
    if (one.kind === "call")
      return {
        mode: "function",
        functionName: "solve",
        language,
        program,
        limits,
        tests: words.map((x) => ({ args: [x], expected: x })),
      };
    const tests = words.map((input) => ({ input: `${input}\n`, output: one.kind === "echo" ? input : SECRET }));
    return { mode: "stdin", checker: "tokens", language, program, limits, tests };
  }

  /** Whether a reason holds the answer somewhere else than where it says what was expected. */
  tells({ reason }: Pick<Verdict, "reason">): boolean {
    return reason.replace(/, want .*$/s, "").includes(SECRET);
  }

  /** Files that programs left outside. */
  filesLeft(): string[] {
    return ["/", "/usr/lib", "/dev", "/lib", tmpdir(), "/tmp"].flatMap((place) =>
      ["troupe-hostile", this.#mark].map((name) => join(place, name)).filter((path) => existsSync(path)),
    );
  }

  async #listen(at: { readonly port: number; readonly host: string } | { readonly path: string }): Promise<Server> {
    const server = createServer((socket) => {
      this.visitors.push("port" in at ? "tcp" : at.path);
      socket.destroy();
    });
    this.#servers.push(server);
    await new Promise<void>((resolve) => server.listen(at, resolve));
    return server;
  }
}
