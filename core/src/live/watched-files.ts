import { statSync } from "node:fs";

/** Files that are looked at when somebody asks: no watcher of the system to lose an event, none to leak. */
export class WatchedFiles {
  readonly #files = new Map<string, { readonly paths: readonly string[]; seen: string }>();

  has(name: string): boolean {
    return this.#files.has(name);
  }

  add(name: string, paths: readonly string[]): void {
    this.#files.set(name, { paths, seen: markOf(paths) });
  }

  remove(name: string): void {
    this.#files.delete(name);
  }

  /** Names whose files are others than at the last look. A file that is gone for a moment, while an editor saves, waits. */
  changed(): readonly string[] {
    const names: string[] = [];
    for (const [name, entry] of this.#files) {
      const now = markOf(entry.paths);
      if (now === entry.seen || now.includes("gone")) continue;
      entry.seen = now;
      names.push(name);
    }
    return names;
  }
}

function markOf(paths: readonly string[]): string {
  return paths
    .map((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat ? `${stat.ino}:${stat.size}:${stat.mtimeMs}` : "gone";
    })
    .join(" ");
}
