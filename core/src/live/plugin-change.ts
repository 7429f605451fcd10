import { z } from "zod";

const name = z.string().min(1);
const settings = z.record(z.string(), z.unknown());

/** What can be asked of the plugins of a live run; carried out between two steps. */
export const pluginChangeSchema = z.discriminatedUnion("verb", [
  /** Another version of a loaded plugin takes over its state. */
  z.strictObject({ verb: z.literal("swap"), plugin: name.optional(), use: name, with: settings.optional() }),
  /** One more plugin, after the others. */
  z.strictObject({ verb: z.literal("load"), use: name, with: settings.default({}) }),
  z.strictObject({ verb: z.literal("unload"), plugin: name }),
  /** The version before, with the state it had when it was replaced. */
  z.strictObject({ verb: z.literal("rollback"), plugin: name }),
  /** A pinned plugin stays as it is, whatever is saved or asked for. */
  z.strictObject({ verb: z.literal("pin"), plugin: name }),
  z.strictObject({ verb: z.literal("unpin"), plugin: name }),
  z.strictObject({ verb: z.literal("list") }),
]);

/** One request about the plugins of a live run. */
export type PluginChange = z.output<typeof pluginChangeSchema>;

/** A plugin of a live run, as `troupe plugin show RUN` shows it. */
export interface LivePlugin {
  readonly name: string;
  /** Version and content hash. */
  readonly version: string;
  readonly isPinned: boolean;
  /** Its file is watched: saving it swaps it. */
  readonly isWatched: boolean;
  /** Earlier versions of this run, newest first: what `rollback` goes back to. */
  readonly earlier: readonly string[];
}

/** What a change did. */
export interface PluginChangeResult {
  readonly plugins: readonly LivePlugin[];
  /** The plugin that was changed, and its version before and after; empty where there was or is none. */
  readonly plugin?: string;
  readonly from?: string;
  readonly to?: string;
  /** First step with the change. */
  readonly step: number;
}
