import type { RunEvent } from "../../src/records/run-event.js";

/** A change of plugins in one line: "tally swap 1.0.0+… → 2.0.0+…: its file was saved". */
export function pluginChangeText({ plugin, action, from, to, reason }: RunEvent & { type: "plugin" }): string {
  return `${plugin} ${action} ${from || "(not there)"} → ${to || "(gone)"}: ${reason}`;
}
