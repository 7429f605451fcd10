import { parentPort, workerData, type MessagePort } from "node:worker_threads";
import * as comlink from "comlink";
import type { SmallMessage } from "./echo-actor.js";

/** What the bare thread is told: answer with the same, count without an answer, answer with the count. */
export type BareMessage = { readonly kind: "echo" | "count" | "counted" } & SmallMessage;

/** What comlink offers. */
export interface ComlinkEcho {
  echo(message: SmallMessage): SmallMessage;
}

let counted = 0;

parentPort?.on("message", (message: BareMessage) => {
  if (message.kind === "count") counted += 1;
  else parentPort?.postMessage(message.kind === "echo" ? message : { ...message, a: counted });
});

const echo: ComlinkEcho = { echo: (message) => message };
// echo-threads.ts starts this file with exactly this; Node's port has the methods that comlink's type names.
comlink.expose(echo, (workerData as { readonly port: MessagePort }).port as unknown as comlink.Endpoint);
