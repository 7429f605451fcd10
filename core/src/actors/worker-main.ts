import type { Movable } from "./movable.js";
import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { errors } from "../errors.js";
import { Cell } from "./cell.js";
import { systemClock } from "./clock.js";
import { encodeError } from "./error-codec.js";
import { loadDefinition } from "./load-definition.js";
import { outlet } from "./outlet.js";
import { ProgressBoard } from "./progress-board.js";
import type { ActorFrame, Batch, Delivery, SystemFrame } from "./protocol.js";
import { makeSendable } from "./sendable.js";
import type { WorkerStart } from "./worker-transport.js";

// This file is started by WorkerTransport alone, which gives it exactly this.
const start = workerData as WorkerStart;
const port = parentPort;
if (!port) throw errors.notInAThread({});

process.on("uncaughtException", (error) => {
  post({ kind: "crashed", error: encodeError(error) });
  // What was posted before still arrives.
  process.exit(1);
});

const upstream = outlet(start, post);
try {
  const definition = await loadDefinition(start);
  const board = new ProgressBoard(start.board);
  const cell = new Cell({ ...start, definition, clock: systemClock }, board, upstream, {
    first: (pump) => pump(),
    goesOn: () => true,
    lookAtSystemLane: () => {
      if (!board.hasNewSystemFrames()) return;
      for (let next = receiveMessageOnPort(start.systemLane); next; next = receiveMessageOnPort(start.systemLane)) {
        // Only WorkerTransport holds the other end.
        heed(cell, next.message as SystemFrame);
      }
    },
  });
  start.systemLane.on("message", (frame: SystemFrame) => heed(cell, frame));
  port.on("message", (delivered: Delivery | Batch) => {
    if ("id" in delivered) return cell.deliver(delivered);
    const { firstId, types, asks, messages } = delivered;
    for (let index = 0; index < messages.length; index += 1) {
      const id = (firstId + index) | 0;
      const type = types[index] ?? "";
      cell.deliver({ id, type, message: messages[index], asks: asks[index] === true, isUrgent: false });
    }
  });
  await cell.start(start.args);
} catch (error) {
  upstream.crashed(error);
}

function heed(cell: Cell, frame: SystemFrame): void {
  if (frame.kind === "cancel") cell.cancel(frame.id);
  else if (frame.kind === "stop") cell.stop(frame.lastId);
  else cell.deliver(frame.delivery);
}

function post(frame: ActorFrame, transfer: readonly Movable[] = []): void {
  port?.postMessage(sendable(frame, transfer), transfer);
}

function sendable(frame: ActorFrame, transfer: readonly Movable[]): ActorFrame {
  const { address } = start;
  if (frame.kind === "reply") {
    const value = makeSendable(frame.value, transfer, { address, type: "reply" });
    return value === frame.value ? frame : { ...frame, value };
  }
  if (frame.kind !== "event") return frame;
  return { ...frame, data: makeSendable(frame.data, transfer, { address, type: `event ${frame.event}` }) };
}
