import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { codeCaseSchema } from "../../../environments/code/code-case.js";
import { openPyodideSandbox } from "../../../environments/code/embedded/pyodide-sandbox.js";
import { verifyCode } from "../../../environments/code/verify-code.js";
import { Neighbourhood } from "./neighbourhood.js";
import { PYTHON_PROGRAMS } from "./python-programs.js";
import { processesLeft } from "./traces.js";

/** Each program takes processes of its own, half a second each: `npm run test:hostile-pyodide` runs them all. */
const isAsked = process.env["MODE"] === "hostile";
/** Those that show that the walls stand; they are always run. */
const PROBES = ["walks the whole disk for the answer", "memory bit by bit", "fills the disk"];
const probe = await openPyodideSandbox({ limits: { testMs: 1, memoryMb: 512, outputBytes: 2 ** 21 } });
if ("missing" in probe) process.stderr.write(`skipped: hostile programs in tier B, as ${probe.missing}\n`);
const sandbox = "sandbox" in probe ? probe.sandbox : undefined;

/** What runs in one interpreter without threads cannot do, though it is honest. */
const NEEDS_MORE = /thread|fork|process|subprocess|asyncio/;

/** Ways out that only this boundary has. */
const TO_JAVASCRIPT = [
  "import js\nprint(js.process.env)",
  "from js import fetch",
  "import pyodide_js\nprint(pyodide_js._api)",
  "import pyodide.code\nprint(pyodide.code.run_js('process.version'))",
  "import importlib, sys\nfor name in ('_pyodide_core', '_pyodide', 'pyodide.ffi', 'pyodide'):\n  m = importlib.import_module(name)\nprint(m.ffi.create_proxy(print).constructor.constructor('return process')())",
  "import gc\nfor o in gc.get_objects():\n  if type(o).__name__ == 'JsProxy' or 'js' in getattr(type(o), '__module__', ''):\n    print(o.constructor.constructor('return process.version')())\n1/0",
  "import ctypes\nprint(ctypes.CDLL(None).emscripten_run_script(b'process.exit()'))",
  "import ctypes\nctypes.pythonapi.emscripten_asm_const_int(0, 0, 0)",
  "import sys\nfor name in list(sys.modules): print(name) if 'js' in name.split('.')[0] and name[:4] != 'json' else None\nimport _pyodide_core\n_pyodide_core.raw_call(print)",
  "import os\nprint(os.system('id'))\n1/0",
  "import socket\ns = socket.socket()\ns.connect(('127.0.0.1', 80))",
  "import urllib.request\nprint(urllib.request.urlopen('http://127.0.0.1/').read())",
  "import os\nprint(os.listdir('/proc/self/fd'), open('/dev/calls', 'wb').write(b'x'))",
  "open('/lib/python314.zip', 'r+b').write(b'x' * 100)",
  "import os\nos.chmod('/io', 0o777)\nos.rename('/io/stdout', '/io/other')",
  "import os\nos.unlink('/dev/stdout')",
  "open('/guest.py', 'w').write('x')",
];

describe.skipIf(sandbox === undefined)("hostile programs in tier B, Pyodide", () => {
  const neighbourhood = new Neighbourhood();
  beforeAll(() => neighbourhood.open());
  afterAll(() => neighbourhood.close());

  async function judge(one: Parameters<Neighbourhood["caseOf"]>[0]) {
    if (sandbox === undefined) throw new Error("this test should have been skipped");
    return verifyCode(codeCaseSchema.parse(neighbourhood.caseOf(one, "python", 5)), sandbox);
  }

  it.each(PYTHON_PROGRAMS.filter(({ name }) => isAsked || PROBES.includes(name)))("$name", async (one) => {
    const verdict = await judge(one);
    const said = JSON.stringify(verdict);
    if (one.isHonest === true && !NEEDS_MORE.test(String(one.program)))
      expect(verdict, said).toMatchObject({ kind: "pass" });
    if (one.isHonest !== true) expect(verdict, said).toMatchObject({ kind: "fail", score: 0 });
    expect(neighbourhood.tells(verdict), "the answer was found").toBe(false);
    if (isAsked) process.stdout.write(`${one.name}: ${verdict.kind} ${verdict.reason.slice(0, 150)}\n`);
  });

  it.each(TO_JAVASCRIPT)("does not reach JavaScript by %j", async (program) => {
    const verdict = await judge({ name: "", program });
    expect(verdict, verdict.reason).toMatchObject({ kind: "fail", score: 0 });
    expect(verdict.reason).toMatch(/^(runtime-error|time-limit)/);
  });

  it("leave nothing behind", async () => {
    await sandbox?.close();
    // Those of other test files end when they do: what is left stays.
    await expect.poll(() => processesLeft(), { timeout: 600_000 }).toEqual([]);
    expect(neighbourhood.visitors).toEqual([]);
    expect(neighbourhood.filesLeft()).toEqual([]);
  });
});
