import type { Group } from "../records/group.js";
import type { Task } from "../records/task.js";
import { groupsOf } from "./recorded-groups.js";
import { setRolloutsAside } from "./rewind.js";
import { readStep } from "./rollouts.js";
import type { RunDirectory } from "./run-directory.js";

/**
 * Samples that an earlier attempt recorded past the checkpoint which is gone on from. Where timing has a say in what is
 * sampled, a step that is done again takes them: what was once learned from stays what was learned from. From the first
 * step on that is not recorded, or not as it is asked for now, later ones are moved aside.
 */
export class RecordedSamples {
  readonly #run: RunDirectory;
  readonly #attempt: number;
  readonly #steps = new Map<number, Promise<ReadonlyMap<string, Group>>>();
  #end = Infinity;

  constructor(run: RunDirectory, attempt: number) {
    this.#run = run;
    this.#attempt = attempt;
  }

  /**
   * The recorded groups of a step, in the order that they are asked for; undefined where they are to be sampled.
   *
   * @param plugins name → version, as the actors have them: a group that others made is not the one that is asked for
   * @throws DISK_FULL, FILE_NOT_PERMITTED
   */
  async take(
    step: number,
    groups: readonly { readonly id: string; readonly task: Task; readonly size: number }[],
    plugins: Readonly<Record<string, string>>,
  ): Promise<readonly Group[] | undefined> {
    if (step >= this.#end) return undefined;
    const recorded = await this.#read(step);
    const found = groups.flatMap(({ id, task, size }) => {
      const group = recorded.get(id);
      return group?.task.id === task.id && group.samples.length === size && madeBy(group, plugins) ? [group] : [];
    });
    if (found.length === groups.length) return found;
    if (step < this.#end) {
      this.#end = step;
      await setRolloutsAside(this.#run, step - 1, this.#attempt);
    }
    return undefined;
  }

  #read(step: number): Promise<ReadonlyMap<string, Group>> {
    const known = this.#steps.get(step);
    if (known) return known;
    // What a power cut tore is as good as not recorded.
    const rollouts = readStep(this.#run.rollouts, step).catch(() => []);
    const groups = rollouts.then((all) => new Map(groupsOf(all).map((group) => [group.id, group])));
    this.#steps.set(step, groups);
    return groups;
  }
}

function madeBy({ samples }: Group, plugins: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(plugins);
  return samples.every(
    ({ trajectory }) =>
      Object.keys(trajectory.plugins).length === names.length &&
      names.every((name) => trajectory.plugins[name] === plugins[name]),
  );
}
