import { TroupeError } from "../error-catalogue.js";
import { errors } from "../errors.js";
import type { JsonValue } from "../records/json.js";
import { listCheckpoints, readCheckpointState, type Checkpoint } from "./checkpoint.js";
import type { RunDirectory } from "./run-directory.js";
import { countValues, tensorDigests, type TensorDigests } from "./tensor-digests.js";

/**
 * Looks whether a checkpoint can be gone on from, before anything later is moved aside: its state is there, every tensor
 * file is as long as its header says, and its bytes are those that were saved, where the state names their digests.
 * Saving never leaves half a checkpoint; a full disk's rescue, a copy or a failing disk may.
 *
 * @throws CHECKPOINT_DAMAGED naming the file, what is wrong with it, and the checkpoint before
 */
export async function checkCheckpoint(run: RunDirectory, checkpoint: Checkpoint): Promise<void> {
  const damaged = async (problem: string, cause?: unknown): Promise<Error> => {
    const earlier = (await listCheckpoints(run)).findLast(({ step }) => step < checkpoint.step)?.step;
    return errors.checkpointDamaged({ run: run.id, path: checkpoint.path, problem, earlier }, cause);
  };
  let saved: JsonValue | undefined;
  let found: TensorDigests;
  try {
    ({ digests: saved } = await readCheckpointState(checkpoint));
    await countValues(checkpoint.path); // for its look at every header
    found = await tensorDigests(checkpoint.path);
  } catch (cause) {
    if (!(cause instanceof TroupeError) || !DAMAGE.has(cause.code)) throw cause;
    throw await damaged(cause.message, cause);
  }
  if (Object.keys(found).length === 0) throw await damaged("it has no weights");
  for (const [file, digest] of Object.entries(saved ?? {})) {
    if (found[file] === undefined) throw await damaged(`"${file}" is gone`);
    if (found[file] !== digest) throw await damaged(`the bytes of "${file}" are not those that were saved`);
  }
}

const DAMAGE: ReadonlySet<string> = new Set(["LINE_UNREADABLE", "TENSOR_FILE_NOT_VALID"]);
