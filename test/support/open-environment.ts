import type { EnvironmentDefinition } from "../../core/src/environments/environment.js";

/** An environment as its tests use it, and a way to open it: settings parsed, training tasks, teacher. */
export function environmentUnderTest(definition: object) {
  // Made by `defineEnvironment`; a definition takes what its own schema parsed.
  const environment = definition as EnvironmentDefinition;
  const open = async (settings: object = {}) => {
    const config = environment.config.parse(settings);
    const taskset = await environment.taskset(config, "train", { baseDirectory: ".", seed: 1 });
    return { config, taskset, teacher: environment.teacher!(config) };
  };
  return { environment, open };
}
