import type { MessagePort } from "node:worker_threads";

/** What can move to another thread instead of being copied; whoever sent it cannot use it any more. Ports can only move. */
export type Movable = ArrayBuffer | MessagePort;
