import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { errors } from "../errors.js";
import type { AnyActorDefinition } from "./actor.js";
import { Cell } from "./cell.js";
import { systemClock } from "./clock.js";
import { encodeError } from "./error-codec.js";
import { ProgressBoard } from "./progress-board.js";
import type { ActorFrame, Delivery, SystemFrame } from "./protocol.js";
import { makeSendable } from "./sendable.js";
import type { Upstream } from "./transport.js";
import type { WorkerStart } from "./worker-transport.js";

/** Handled messages are reported at the end of the turn, or when this many have gathered. */
const MAX_DONE_AT_ONCE = 32;

// This file is started by WorkerTransport alone, which gives it exactly this.
const start = workerData as WorkerStart;
const port = parentPort;
if (!port) throw errors.notInAThread({});

process.on("uncaughtException", (error) => {
  post({ kind: "crashed", error: encodeError(error) });
  // What was posted before still arrives.
  process.exit(1);
});

const upstream = outlet();
try {
  const definition = await loadDefinition(start);
  const cell = new Cell({ ...start, definition, board: new ProgressBoard(start.board), clock: systemClock }, upstream, {
    first: (pump) => pump(),
    goesOn: () => true,
    lookAtSystemLane: () => {
      for (let next = receiveMessageOnPort(start.systemLane); next; next = receiveMessageOnPort(start.systemLane)) {
        // Only WorkerTransport holds the other end.
        heed(cell, next.message as SystemFrame);
      }
    },
  });
  start.systemLane.on("message", (frame: SystemFrame) => heed(cell, frame));
  port.on("message", (delivery: Delivery) => cell.deliver(delivery));
  await cell.start(start.args);
} catch (error) {
  upstream.crashed(error);
}

function heed(cell: Cell, frame: SystemFrame): void {
  if (frame.kind === "cancel") cell.cancel(frame.id);
  else cell.stop(frame.lastId);
}

async function loadDefinition({ module, exportName }: WorkerStart): Promise<AnyActorDefinition> {
  const loaded: unknown = await import(module);
  const exports = new Map(Object.entries(loaded as object)); // A module is an object.
  const found: unknown = exports.get(exportName);
  if (typeof found !== "object" || found === null || !("init" in found) || !("on" in found)) {
    throw errors.actorDefinitionNotFound({ module, exportName });
  }
  // Looks like a definition; the sender of its name took it from a value of this type.
  return found as AnyActorDefinition;
}

function post(frame: ActorFrame, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(frame, transfer);
}

function outlet(): Upstream {
  let done: number[] = [];
  const reportDone = (): void => {
    if (done.length === 0) return;
    const ids = done;
    done = [];
    post({ kind: "done", ids });
  };
  const atOnce = Math.min(MAX_DONE_AT_ONCE, Math.ceil(start.capacity / 4));
  const fail: Upstream["fail"] = (id, outcome, error) => {
    reportDone();
    post({ kind: "fail", id, outcome, error: encodeError(error) });
  };
  return {
    ready: () => post({ kind: "ready" }),
    reply(id, value, transfer) {
      reportDone();
      try {
        post(
          { kind: "reply", id, value: makeSendable(value, transfer, { address: start.address, type: "reply" }) },
          transfer,
        );
      } catch (cause) {
        fail(id, "failed", errors.replyNotCloneable({ address: start.address, problem: String(cause) }, cause));
      }
    },
    fail,
    done(ids) {
      if (done.length === 0) setImmediate(reportDone);
      done.push(...ids);
      if (done.length >= atOnce) reportDone();
    },
    event(event, data) {
      reportDone();
      post({ kind: "event", event, data: makeSendable(data, [], { address: start.address, type: `event ${event}` }) });
    },
    crashed(error) {
      reportDone();
      post({ kind: "crashed", error: encodeError(error) });
    },
    stopped() {
      reportDone();
      post({ kind: "stopped" });
    },
  };
}
