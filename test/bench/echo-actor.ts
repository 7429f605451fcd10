import { MessageChannel, type MessagePort } from "node:worker_threads";
import { defineActor, RingReader, type RingEnd } from "@troupe/core/actors";
import * as comlink from "comlink";
import { serveBarePort } from "./bare-port.js";

/** A small message, as transports are usually measured with. */
export interface SmallMessage {
  readonly id: number;
  readonly t: string;
  readonly a: number;
  /** False on the last of many that are only counted: then the receiver says so. */
  readonly ok: boolean;
}

/** Other ways into the actor's thread, past the actor: where both ends run decides more than what is said between them. */
export interface OtherWays {
  /** For a `BarePort`. */
  readonly bare: MessagePort;
  /** For `comlink.wrap<ComlinkEcho>`. */
  readonly comlink: MessagePort;
}

/** What comlink makes callable. */
export interface ComlinkEcho {
  echo(message: SmallMessage): SmallMessage;
}

/** Messages of the actor that asks and tells are measured with. */
export type EchoProtocol = {
  echo: { in: SmallMessage; out: SmallMessage };
  count: { in: SmallMessage; out: null };
  otherWays: { in: null; out: OtherWays };
  /** Gives a buffer back without copying it. */
  move: { in: Uint8Array; out: Uint8Array };
  /** Ends the actor when it is told. */
  crash: { in: null; out: null };
  /** Counts records of a ring from now on, and tells of each whose first byte is 1. */
  readRing: { in: RingEnd; out: null };
};

export const echoActor = defineActor<EchoProtocol, { counted: number }, null>({
  name: "echo",
  module: import.meta.url,
  exportName: "echoActor",
  init: () => ({ counted: 0 }),
  on: {
    echo: (_, message) => message,
    count(state, message, ctx) {
      state.counted += 1;
      if (!message.ok) ctx.emit("counted", state.counted);
      return null;
    },
    // It came by transfer, so its buffer is its own.
    move: (_, bytes, ctx) => ctx.transfer(bytes, [bytes.buffer as ArrayBuffer]),
    crash() {
      throw new RangeError("told to crash");
    },
    readRing(_, end, ctx) {
      let counted = 0;
      new RingReader(end, (record) => {
        counted += 1;
        if (record[0] === 1) ctx.emit("counted", counted);
      });
      return null;
    },
    otherWays(_, __, ctx) {
      const [bare, callable] = [new MessageChannel(), new MessageChannel()];
      serveBarePort(bare.port1);
      const echo: ComlinkEcho = { echo: (message) => message };
      comlink.expose(echo, endpoint(callable.port1));
      return ctx.transfer({ bare: bare.port2, comlink: callable.port2 }, [bare.port2, callable.port2]);
    },
  },
});

/** A port of Node as comlink takes it. */
export function endpoint(port: MessagePort): comlink.Endpoint {
  // It has the methods of the browser's port, which comlink's type names.
  return port as unknown as comlink.Endpoint;
}
