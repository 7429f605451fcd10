import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import { listCheckpoints, readCheckpointState, type Checkpoint } from "./checkpoint.js";
import type { RunDirectory } from "./run-directory.js";
import { TensorReader } from "./safetensors.js";

/**
 * Looks whether a checkpoint can be gone on from, before anything later is moved aside: its state is there, and every
 * tensor file is as long as its header says. Saving never leaves half a checkpoint; a full disk's rescue or a copy may.
 *
 * @throws CHECKPOINT_DAMAGED naming the file, what is wrong with it, and the checkpoint before
 */
export async function checkCheckpoint(run: RunDirectory, checkpoint: Checkpoint): Promise<void> {
  const damaged = async (problem: string, cause?: unknown): Promise<Error> => {
    const earlier = (await listCheckpoints(run)).findLast(({ step }) => step < checkpoint.step)?.step;
    return errors.checkpointDamaged({ run: run.id, path: checkpoint.path, problem, earlier }, cause);
  };
  const files = (await readdir(checkpoint.path)).filter((name) => name.endsWith(".safetensors"));
  if (files.length === 0) throw await damaged("it has no weights");
  try {
    await readCheckpointState(checkpoint);
    for (const file of files) await (await TensorReader.open(join(checkpoint.path, file))).close();
  } catch (cause) {
    if (!(cause instanceof TroupeError) || !DAMAGE.has(cause.code)) throw cause;
    throw await damaged(cause.message, cause);
  }
}

const DAMAGE: ReadonlySet<string> = new Set(["LINE_UNREADABLE", "TENSOR_FILE_NOT_VALID"]);
