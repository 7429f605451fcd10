import { defineEnvironment, outcomeVerifier } from "@troupe/core/sdk";
import { openenvEpisodes } from "./episodes.js";
import { settingsSchema } from "./settings.js";
import { seedTaskset } from "./taskset.js";

export default defineEnvironment({
  name: "openenv",
  version: "1.0.0",
  description: "Any environment that an OpenEnv server offers over WebSocket",
  config: settingsSchema,
  taskset: async (settings, split) => seedTaskset(settings, split),
  episodes: openenvEpisodes,
  verifier: () => outcomeVerifier("openenv", "1.0.0"),
});
