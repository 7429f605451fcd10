import { mkdir, open, readdir, rename } from "node:fs/promises";
import { dirname, join } from "node:path";
import { errors } from "../errors.js";

/**
 * Runs one piece of work on a file; a full disk or a missing permission becomes an error that names the file.
 * @throws DISK_FULL, FILE_NOT_PERMITTED; every other failure passes through as it is
 */
export async function onFile<T>(file: string, action: "read" | "write", work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const code = systemCode(cause);
    if (code === "ENOSPC" || code === "EDQUOT") throw errors.diskFull({ file }, cause);
    if (code === "EACCES" || code === "EPERM" || code === "EROFS")
      throw errors.fileNotPermitted({ file, action }, cause);
    throw cause;
  }
}

/** Whether a failure means that the file or folder is not there. */
export function isMissing(cause: unknown): boolean {
  return systemCode(cause) === "ENOENT";
}

/** Whether a failure means that the file or folder is there already. */
export function alreadyExists(cause: unknown): boolean {
  const code = systemCode(cause);
  return code === "EEXIST" || code === "ENOTEMPTY";
}

function systemCode(cause: unknown): unknown {
  return cause instanceof Error && "code" in cause ? cause.code : undefined;
}

/**
 * Writes a whole file so that readers see the old content or the new, never a part: temporary file, fsync, rename.
 * @throws DISK_FULL, FILE_NOT_PERMITTED
 */
export async function writeFileAtomically(file: string, content: string | Uint8Array): Promise<void> {
  const temporary = `${file}.tmp-${process.pid}`;
  await onFile(file, "write", async () => {
    await mkdir(dirname(file), { recursive: true });
    const handle = await open(temporary, "w");
    try {
      await handle.writeFile(content);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, file);
  });
}

/** Forces a file's content, or a folder's list of names, to the disk. */
export async function syncToDisk(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Forces every file below a folder, and the folder itself, to the disk. */
export async function syncTree(directory: string): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    await (entry.isDirectory() ? syncTree(path) : syncToDisk(path));
  }
  await syncToDisk(directory);
}
