import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import * as comlink from "comlink";
import type { SmallMessage } from "./echo-actor.js";

/** What a bare thread is told: to answer with the same, or to count. */
export interface BareMessage extends SmallMessage {
  readonly answer: boolean;
}

/** What comlink makes callable. */
export interface ComlinkEcho {
  echo(message: SmallMessage): SmallMessage;
}

let counted = 0;

parentPort?.on("message", (message: BareMessage) => {
  if (!message.answer) counted += 1;
  if (message.answer || !message.ok) parentPort?.postMessage(message.answer ? message : { ...message, a: counted });
});

const echo: ComlinkEcho = { echo: (message) => message };
// bare-thread.ts starts this file with exactly this; Node's port has the methods that comlink's type names.
comlink.expose(echo, (workerData as { readonly port: MessagePort }).port as unknown as comlink.Endpoint);
