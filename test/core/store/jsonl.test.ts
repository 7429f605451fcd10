import { access, appendFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { JsonlWriter, readJsonl, truncateAfterStep } from "../../../core/src/store/jsonl.js";

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "troupe-store-"));
  file = join(folder, "lines.jsonl");
});
afterEach(() => rm(folder, { recursive: true }));

const asIs = (value: unknown) => value;

describe("JsonlWriter", () => {
  it("append() then flush() leaves whole lines, over several openings and overlapping flushes", async () => {
    const writer = await JsonlWriter.open(file);
    writer.append({ step: 1 });
    const flushes = [writer.flush()];
    writer.append({ step: 2, text: "line\nbreak" });
    flushes.push(writer.flush(), writer.flush());
    await Promise.all(flushes);
    await writer.close();
    const again = await JsonlWriter.open(file);
    again.append({ step: 3 });
    await again.close();
    expect(await readJsonl(file, asIs)).toEqual({
      lines: [{ step: 1 }, { step: 2, text: "line\nbreak" }, { step: 3 }],
      tornBytes: 0,
    });
  });

  it("open() cuts off a torn last line and says how much", async () => {
    await writeFile(file, '{"step":1}\n{"st');
    const writer = await JsonlWriter.open(file);
    expect(writer.tornBytes).toBe(4);
    writer.append({ step: 2 });
    await writer.close();
    expect(await readFile(file, "utf8")).toBe('{"step":1}\n{"step":2}\n');
  });

  it("open() keeps every line before the place where a write was torn, wherever that is", async () => {
    const whole = '{"step":1,"text":"ä"}\n{"step":2}\n{"step":3}\n';
    const bytes = Buffer.from(whole);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length), fc.constantFrom("", "\0\0\0", "\n", "\0\n"), async (length, tail) => {
        await writeFile(file, Buffer.concat([bytes.subarray(0, length), Buffer.from(tail)]));
        await (await JsonlWriter.open(file)).close();
        const { lines, tornBytes } = await readJsonl<unknown>(file, asIs);
        expect(tornBytes).toBe(0);
        const complete = bytes.subarray(0, length).toString().split("\n").length - 1;
        expect(lines.slice(0, complete)).toEqual([{ step: 1, text: "ä" }, { step: 2 }, { step: 3 }].slice(0, complete));
        expect(lines.length - complete).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("keeps lines that are appended while others are written", async () => {
    const writer = await JsonlWriter.open<object>(file);
    writer.append({ a: 1 });
    const flushed = writer.flush();
    // The flush has taken what it writes by the time that a turn of the loop is over.
    await new Promise((resolve) => setImmediate(resolve));
    writer.append({ a: 2 });
    await flushed;
    await writer.close();
    expect((await readJsonl(file, asIs)).lines).toEqual([{ a: 1 }, { a: 2 }]);
  });
});

describe("readJsonl()", () => {
  it("reads a missing file as empty and leaves a torn line on disk", async () => {
    expect(await readJsonl(file, asIs)).toEqual({ lines: [], tornBytes: 0 });
    await writeFile(file, '{"a":1}\n{"a"');
    expect(await readJsonl(file, asIs)).toEqual({ lines: [{ a: 1 }], tornBytes: 4 });
    expect(await readFile(file, "utf8")).toBe('{"a":1}\n{"a"');
  });

  it("fails with LINE_UNREADABLE naming the line when one in the middle is broken", async () => {
    await writeFile(file, '{"a":1}\nnonsense\n{"a":2}\n');
    await expect(readJsonl(file, asIs)).rejects.toMatchObject({
      code: "LINE_UNREADABLE",
      message: expect.stringContaining("line 2"),
    });
  });
});

describe("truncateAfterStep()", () => {
  it("moves later lines aside, keeps lines without a step, and deletes nothing", async () => {
    await writeFile(file, '{"step":1}\n{"note":true}\n{"step":2}\n{"step":3}\n');
    expect(await truncateAfterStep(file, 1, 2)).toBe(2);
    expect(await readFile(file, "utf8")).toBe('{"step":1}\n{"note":true}\n');
    await appendFile(file, '{"step":2,"again":true}\n');
    expect(await truncateAfterStep(file, 1, 2)).toBe(1);
    expect(await readFile(`${file}.aside-2`, "utf8")).toBe('{"step":2}\n{"step":3}\n{"step":2,"again":true}\n');
  });

  it("changes nothing when nothing is later or the file is missing", async () => {
    expect(await truncateAfterStep(file, 1, 1)).toBe(0);
    await writeFile(file, '{"step":1}\n');
    expect(await truncateAfterStep(file, 1, 1)).toBe(0);
    await expect(access(`${file}.aside-1`)).rejects.toThrow();
  });
});
