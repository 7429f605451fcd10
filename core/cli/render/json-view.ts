import type { JsonObject } from "../../src/records/json.js";
import type { RunEvent } from "../../src/records/run-event.js";
import type { View, ViewOptions } from "./view.js";

/** One JSON record a line: first `launch`, then every event as it is, last `done`. Notes go to people, on stderr. */
export class JsonView implements View {
  readonly #stdout: NodeJS.WritableStream;
  readonly #stderr: NodeJS.WritableStream;
  #isClosed = false;

  constructor({ stdout, stderr, launch }: ViewOptions) {
    this.#stdout = stdout;
    this.#stderr = stderr;
    this.#write({ type: "launch", ...launch });
  }

  event(event: RunEvent): void {
    this.#write(event);
  }

  note(line: string): void {
    this.#stderr.write(`${line}\n`);
  }

  close(done: JsonObject = {}): void {
    this.#write({ type: "done", ...done });
    this.#isClosed = true;
  }

  #write(record: object): void {
    if (this.#isClosed) return;
    this.#stdout.write(`${JSON.stringify(record)}\n`);
  }
}
