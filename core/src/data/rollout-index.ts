import { createReadStream } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { readLines } from "../store/read-lines.js";
import { parseObject } from "./parse-object.js";
import { textAt, valueAt, type DataRollout } from "./row.js";

interface Span {
  readonly start: number;
  readonly bytes: number;
}

/** Rollouts by the id of their row, lines of `{id, response, tokens?}` in any order; only their places are in memory. */
export class RolloutIndex {
  readonly #spans = new Map<string, Span[]>();
  readonly #file: FileHandle;

  private constructor(file: FileHandle) {
    this.#file = file;
  }

  /** @throws LINES_UNREADABLE */
  static async open(path: string): Promise<RolloutIndex> {
    const index = new RolloutIndex(await open(path, "r"));
    for await (const { text, start, bytes } of readLines(createReadStream(path), path)) {
      const value = parseObject(text);
      const id = value && textAt(value, "id");
      if (id === undefined) continue;
      const spans = index.#spans.get(id) ?? [];
      spans.push({ start, bytes });
      index.#spans.set(id, spans);
    }
    return index;
  }

  /** The rollouts of a row, in the file's order; a line without a response counts as an empty one. */
  async of(id: string): Promise<readonly DataRollout[]> {
    const rollouts: DataRollout[] = [];
    for (const { start, bytes } of this.#spans.get(id) ?? []) {
      const buffer = Buffer.alloc(bytes);
      await this.#file.read(buffer, 0, bytes, start);
      const value = parseObject(buffer.toString("utf8")) ?? {};
      const tokens = valueAt(value, "tokens");
      rollouts.push({ response: textAt(value, "response") ?? "", ...(typeof tokens === "number" ? { tokens } : {}) });
    }
    return rollouts;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
