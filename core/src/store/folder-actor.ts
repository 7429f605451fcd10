import { rmSync } from "node:fs";
import { appendFile, mkdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { defineActor } from "../actors/actor.js";
import { makeScratchFolder } from "./scratch-folder.js";

/** Messages of a folder. */
export type FolderProtocol = {
  /** Where it lies, on the machine that it lives on. */
  where: { in: null; out: string };
  /** Adds bytes to a file, which is made when it is not there. */
  append: { in: { readonly file: string; readonly bytes: Uint8Array }; out: null };
  /** Takes away a file, or a folder with all it holds. */
  remove: { in: string; out: null };
};

interface State {
  readonly path: string;
  readonly atExit: () => void;
}

/**
 * A folder for what another machine sends here; it goes when the actor ends, or with the process that holds it. Where that
 * was killed, it goes when the next one is made.
 */
export const folderActor = defineActor<FolderProtocol, State, { readonly name: string }>({
  name: "folder",
  module: import.meta.url,
  exportName: "folderActor",
  async init({ name }) {
    const path = await makeScratchFolder(name);
    // An actor that is cut off is not disposed of.
    const atExit = (): void => rmSync(path, { recursive: true, force: true });
    process.once("exit", atExit);
    return { path, atExit };
  },
  on: {
    where: ({ path }) => path,
    async append({ path }, { file, bytes }) {
      const to = join(path, file);
      await mkdir(dirname(to), { recursive: true });
      await appendFile(to, bytes);
      return null;
    },
    async remove({ path }, name) {
      await rm(join(path, name), { recursive: true, force: true });
      return null;
    },
  },
  dispose({ atExit }) {
    process.off("exit", atExit);
    atExit();
  },
});
