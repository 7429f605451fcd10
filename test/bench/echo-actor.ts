import { defineActor } from "@troupe/core";

/** A small message, as transports are usually measured with. */
export interface SmallMessage {
  readonly id: number;
  readonly t: string;
  readonly a: number;
  /** False on the last of many that are only counted: then the receiver says so. */
  readonly ok: boolean;
}

/** Messages of the actor that asks and tells are measured with. */
export type EchoProtocol = {
  echo: { in: SmallMessage; out: SmallMessage };
  count: { in: SmallMessage; out: null };
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
  },
});
