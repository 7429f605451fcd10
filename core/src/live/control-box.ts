import { mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemClock } from "../actors/clock.js";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { problemsOf } from "../hooks/plugin-loader.js";
import { onFile, writeFileAtomically } from "../store/durable-files.js";
import { pluginChangeSchema, type PluginChange, type PluginChangeResult } from "./plugin-change.js";
import { z } from "zod";

const LOOK_EVERY_MS = 200;

const requestSchema = z.strictObject({
  /** The attempt of the run that is meant: a request never outlives it. */
  attempt: z.int().min(1),
  change: pluginChangeSchema,
});

/** A request on its way to a live run, and what came of it. */
export type ControlAnswer =
  | { readonly ok: true; readonly result: PluginChangeResult }
  | { readonly ok: false; readonly code: string; readonly message: string; readonly hint: string };

/** What a control box asks of its run. */
export interface Controlled {
  /** Called a few times a second. */
  look(): void;
  carryOut(change: PluginChange): Promise<PluginChangeResult>;
}

/**
 * The mailbox of a live run: a folder into which other processes put requests and from which they take answers. Files
 * need no port, no path of limited length and no permission but the run folder's own, and a request that arrives while
 * the run is busy waits.
 */
export class ControlBox {
  readonly #directory: string;
  readonly #attempt: number;
  readonly #run: Controlled;
  readonly #taken = new Set<string>();
  #cancel: () => void = () => {};
  #isClosed = false;

  private constructor(directory: string, attempt: number, run: Controlled) {
    this.#directory = directory;
    this.#attempt = attempt;
    this.#run = run;
  }

  /** Empties the folder of what earlier attempts left, and begins to look. @throws DISK_FULL, FILE_NOT_PERMITTED */
  static async open(directory: string, attempt: number, run: Controlled): Promise<ControlBox> {
    await onFile(directory, "write", async () => {
      await mkdir(directory, { recursive: true });
      for (const name of await readdir(directory)) await rm(join(directory, name), { force: true });
    });
    await writeFileAtomically(join(directory, "open.json"), JSON.stringify({ attempt }));
    const box = new ControlBox(directory, attempt, run);
    box.#wait();
    return box;
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancel();
    await rm(join(this.#directory, "open.json"), { force: true });
  }

  #wait(): void {
    this.#cancel = systemClock.after(LOOK_EVERY_MS, () => {
      void this.#look().finally(() => {
        if (!this.#isClosed) this.#wait();
      });
    });
  }

  async #look(): Promise<void> {
    this.#run.look();
    // A folder that cannot be read for a moment is read again at the next look.
    const names = await readdir(this.#directory).catch((): string[] => []);
    for (const name of names) {
      const id = /^(.+)\.request\.json$/.exec(name)?.[1];
      if (id === undefined || this.#taken.has(id)) continue;
      this.#taken.add(id);
      void this.#answer(id, join(this.#directory, name));
    }
  }

  async #answer(id: string, file: string): Promise<void> {
    const answer = await this.#carryOut(file).then(
      (result): ControlAnswer => ({ ok: true, result }),
      (error: unknown): ControlAnswer =>
        error instanceof TroupeError
          ? { ok: false, code: error.code, message: error.message, hint: error.hint }
          : { ok: false, code: "UNEXPECTED", message: String(error), hint: "Report it with the run's events.jsonl" },
    );
    // Nobody but the asker misses an answer that cannot be written, and the run goes on.
    await writeFileAtomically(join(this.#directory, `${id}.answer.json`), JSON.stringify(answer)).catch(() => {});
    await rm(file, { force: true }).catch(() => {});
  }

  async #carryOut(file: string): Promise<PluginChangeResult> {
    const problem = (text: string, cause?: unknown): Error =>
      errors.controlRequestNotValid({ file, problem: text }, cause);
    let value: unknown;
    try {
      value = JSON.parse(await readFile(file, "utf8"));
    } catch (cause) {
      throw problem(String(cause), cause);
    }
    const parsed = requestSchema.safeParse(value);
    if (!parsed.success) throw problem(problemsOf(parsed.error, requestSchema, value));
    const { attempt, change } = parsed.data;
    if (attempt !== this.#attempt) throw problem(`it is for attempt ${attempt}, and this is attempt ${this.#attempt}`);
    return this.#run.carryOut(change);
  }
}
