import { Socket } from "node:net";
import { Worker } from "node:worker_threads";
import { Cell } from "./cell.js";
import { systemClock } from "./clock.js";
import { encodeError } from "./error-codec.js";
import { FileNotes } from "./file-board.js";
import { FrameReader, FrameWriter } from "./frame-stream.js";
import type { HostedStart, LinkFrame } from "./link-frame.js";
import { loadDefinition } from "./load-definition.js";
import { outlet } from "./outlet.js";
import type { GuardStart } from "./process-guard.js";
import { BOARD_FILE, LIFELINE, LINK, readProcessArguments } from "./process-files.js";
import type { ActorFrame } from "./protocol.js";
import { Slices } from "./slices.js";
import { workerEntry } from "./worker-entry.js";

const { maxMemoryMb } = readProcessArguments(process.argv);
const guard = new Worker(workerEntry("process-guard.js"), {
  workerData: { lifeline: LIFELINE, board: BOARD_FILE, maxMemoryMb } satisfies GuardStart,
});
guard.unref();

const socket = new Socket({ fd: LINK, readable: true, writable: true });
// Without its parent the process has no work; the guard says the same when this thread is busy.
socket.on("error", () => process.exit(1));
socket.on("close", () => process.exit(1));
const writer = new FrameWriter(socket);
socket.on("drain", () => writer.drained());
// What was said before a handler called process.exit() still leaves.
process.on("exit", () => writer.flush());

let address = "";
let cell: Cell | undefined;
const slices = new Slices();
const reader = new FrameReader(({ frame }) => heed(frame));
socket.on("data", (bytes: Buffer) => {
  reader.push(bytes);
  slices.run();
});

process.on("uncaughtException", (error) => {
  post({ kind: "crashed", error: encodeError(error) });
  process.exit(1);
});

function heed(frame: LinkFrame): void {
  switch (frame.kind) {
    case "spawn":
      return void host(frame.start);
    case "deliver":
      return cell?.deliver(frame.delivery);
    case "cancel":
      return cell?.cancel(frame.id);
    case "stop":
      return cell?.stop(frame.lastId);
  }
}

async function host(start: HostedStart): Promise<void> {
  ({ address } = start);
  const upstream = outlet(start, post);
  try {
    const definition = await loadDefinition(start);
    const notes = new FileNotes(BOARD_FILE, start.lastId);
    cell = new Cell({ ...start, definition, clock: systemClock }, notes, upstream, slices);
    await cell.start(start.args);
  } catch (error) {
    upstream.crashed(error);
  }
}

function post(frame: ActorFrame): void {
  writer.send("user", 0, frame, { address, type: frame.kind });
}
