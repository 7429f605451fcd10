import { spawn } from "node:child_process";
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../support/temporary-folder.js";

const folder = temporaryFolder();

function start(name: string, args: readonly string[] = []) {
  mkdirSync(folder, { recursive: true });
  const file = fileURLToPath(new URL(`../../examples/dist/embedding/${name}.js`, import.meta.url));
  const child = spawn(process.execPath, [file, ...args], { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const output = { text: "", errors: "" };
  child.stdout.on("data", (chunk) => (output.text += String(chunk)));
  child.stderr.on("data", (chunk) => (output.errors += String(chunk)));
  const exit = new Promise<number | null>((resolve) => child.on("close", resolve));
  return { child, output, exit };
}

describe("the embedding examples", () => {
  test("in-a-script trains step by step, with a plugin loaded on the way", async () => {
    const { output, exit } = start("in-a-script", ["4"]);
    expect(await exit, output.errors).toBe(0);
    expect(output.text).toMatch(/^step 1: reward [\d.]+, [\d.]+ tokens$/m);
    // From step 4 on a wrong answer costs what it is longer or shorter than the others.
    expect(output.text).toMatch(/^step 4: reward -?[\d.]+/m);
    expect(output.text).toMatch(/^held-out accuracy [\d.]+ \(95 % interval [\d.]+ to [\d.]+\)$/m);
  });

  test("from-a-worker is watched and paused by another thread", async () => {
    const { output, exit } = start("from-a-worker", ["12"]);
    expect(await exit, output.errors).toBe(0);
    expect(output.text).toMatch(/^(interrupted|finished) at \d+ % of 12 steps, watched by another thread$/m);
  });

  test("verifiers-only gives verdicts without a policy", async () => {
    const { output, exit } = start("verifiers-only");
    expect(await exit, output.errors).toBe(0);
    expect(output.text.trimEnd().split("\n")).toEqual([
      expect.stringContaining(": pass, equal"),
      expect.stringContaining(": fail, wrong-answer: got 4, want 3"),
      expect.stringContaining(": fail, no-"),
    ]);
  });

  test("http-server streams events, pauses, changes plugins and refuses what it cannot do", async () => {
    const { child, output, exit } = start("http-server");
    await expect.poll(() => output.text, { timeout: 600_000 }).toMatch(/^http:\/\/127\.0\.0\.1:\d+/);
    const base = output.text.trim();
    const post = async (path: string, body?: unknown): Promise<{ status: number; answer: unknown }> => {
      const response = await fetch(base + path, {
        method: "POST",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const answer: unknown = await response.json();
      return { status: response.status, answer };
    };
    const stop = new AbortController();
    const events = await fetch(`${base}/events`, { signal: stop.signal });
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
    await post("/run");
    let seen = "";
    while (!seen.includes("event: step")) seen += (await reader.read()).value ?? "";
    const loaded = await post("/plugins", { verb: "load", use: "shorterbetter" });
    expect(loaded).toMatchObject({ status: 200, answer: { plugin: "shorterbetter", from: "" } });
    expect(await post("/plugins", { verb: "load", use: "dapo" })).toMatchObject({
      status: 400,
      answer: { code: "PLUGIN_CONFLICT" },
    });
    expect(await post("/plugins", { verb: "sing" })).toMatchObject({
      status: 400,
      answer: { code: "CONTROL_REQUEST_NOT_VALID" },
    });
    expect(await post("/pause")).toMatchObject({ answer: { paused: true } });
    const progress = await (await fetch(`${base}/progress`)).json();
    expect(progress).toMatchObject({ working: false });
    stop.abort();
    child.kill("SIGTERM");
    expect(await exit, output.errors).toBe(0);
  });
});
