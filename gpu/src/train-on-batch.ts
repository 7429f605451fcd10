import { combineLossMetrics, policyLoss, updateImportanceScale, type Batch, type LossSpec } from "@troupe/core/sdk";
import type { LearnerHandle, NativeAddon } from "./addon.js";
import { errors } from "./errors.js";
import { dealMicroBatches, microBatches } from "./micro-batches.js";

type Metrics = Readonly<Record<string, number>>;

/**
 * Adds the gradient of a batch's loss to the learner's, micro-batch by micro-batch. The loss is computed here, between the
 * native forward and backward passes, so a new loss never touches native code. Micro-batches add up to one mean, whoever
 * computes them, so gradients of several GPUs are added and never divided.
 *
 * @returns the loss's metrics, combined in the order of the batch
 * @throws SHAPE_NOT_VALID, VALUE_NOT_FINITE, and what native code throws; with several GPUs after all of them have ended
 */
export async function trainOnBatch(
  addon: NativeAddon,
  learner: LearnerHandle,
  batch: Batch,
  loss: LossSpec,
  cut: { readonly microBatchTokens: number; readonly gpus: number },
): Promise<Metrics> {
  const importanceScale = updateImportanceScale(batch, loss);
  const train = async (parts: readonly Batch[], rank: number): Promise<Metrics[]> => {
    const metrics: Metrics[] = [];
    for (const part of parts) {
      const scores = await addon.learnerForward(learner, rank, part.tokens_N, part.offsets_S1, loss.temperature);
      const result = policyLoss({ spec: loss, batch: part, ...scores, importanceScale });
      if (!Number.isFinite(result.loss)) {
        throw errors.valueNotFinite({ action: "train on a batch", problem: `the loss is ${result.loss}` });
      }
      await addon.learnerBackward(learner, rank, result.dLogprobs_N, result.dEntropies_N);
      metrics.push(result.metrics);
    }
    return metrics;
  };
  const ranks = dealMicroBatches(microBatches(batch, cut.microBatchTokens, cut.gpus), cut.gpus);
  const ended = await Promise.allSettled(ranks.map(train));
  const metrics = ended.flatMap((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
  return combineLossMetrics(metrics);
}
