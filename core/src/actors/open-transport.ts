import { LocalTransport } from "./local-transport.js";
import { ProcessTransport } from "./process-transport.js";
import type { Incarnation, Placement, Transport, TransportListener } from "./transport.js";
import { WorkerTransport } from "./worker-transport.js";

/** Begins an incarnation where its placement says. */
export function openTransport(placement: Placement, incarnation: Incarnation, listener: TransportListener): Transport {
  switch (placement.at) {
    case "inline":
      return new LocalTransport(incarnation, listener);
    case "thread":
      return new WorkerTransport(incarnation, listener, placement.maxOldGenerationMb);
    case "process":
      return new ProcessTransport(incarnation, listener, placement.maxMemoryMb);
    case "remote":
      return placement.node.open(incarnation, placement.within ?? "thread", listener);
  }
}

/** What an actor's own place is called. */
export function placeName(placement: Placement): string {
  return placement.at === "process" || (placement.at === "remote" && placement.within === "process")
    ? "process"
    : "thread";
}
