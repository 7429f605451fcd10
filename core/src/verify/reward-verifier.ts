import { loadEngine } from "../engines/load-engine.js";
import type { RewardModel } from "../engines/policy-engine.js";
import { Tokenizer } from "../engines/tokenizer.js";
import type { Verifier } from "../environments/environment.js";
import { errors } from "../errors.js";

const IDENTITY = { verifier: "reward-model", version: "1.0.0" } as const;

/** End-of-turn marks as tokenizers write them; a reward model's own template puts its own. */
const END_OF_TURN = /(<\|[^|<>]*\|>|<｜[^｜<>]*｜>|<\/s>)\s*$/;

/**
 * A verifier that asks a reward model. The conversation, the response as the assistant's turn, is rendered with the
 * reward model's own chat template.
 *
 *     score = 1 / (1 + e^−r)
 *
 * which is how likely a model of pairwise preferences finds the response better than one it gives 0; the verdict is
 * partial, and `parts.reward` holds r.
 *
 * @param options.model folder of the reward model in Hugging Face layout, exported for the engine
 * @param options.engine module that opens it, "@troupe/gpu/onnx" unless given
 * @example
 * defineEnvironment({ name: "helpful", version: "1.0.0", description: "Judged by a reward model",
 *   config: z.strictObject({ model: z.string() }), taskset: async () => questions,
 *   verifier: ({ model }) => rewardVerifier({ model }) });
 */
export function rewardVerifier(options: { readonly model: string; readonly engine?: string }): Verifier {
  const { model: directory, engine = "@troupe/gpu/onnx" } = options;
  let opened: Promise<{ readonly model: RewardModel; readonly tokenizer: Tokenizer }> | undefined;
  const open = async () => {
    const { openRewardModel } = await loadEngine(engine);
    if (!openRewardModel) throw errors.rewardModelsNotSupported({ engine });
    return { model: await openRewardModel({ directory }), tokenizer: Tokenizer.fromDirectory(directory) };
  };
  return {
    name: IDENTITY.verifier,
    version: IDENTITY.version,
    async verify(task, { responseText }) {
      opened ??= open();
      const { model, tokenizer } = await opened;
      const content = responseText.replace(END_OF_TURN, "");
      const { context } = tokenizer.render([...task.prompt, { role: "assistant", content }]);
      const [reward = NaN] = await model.score([tokenizer.encode(context)]);
      // The verifier actor measures the time.
      const found = { ...IDENTITY, ms: 0 };
      if (!Number.isFinite(reward)) return { ...found, kind: "error", reason: `reward-not-finite: ${reward}` };
      const score = 1 / (1 + Math.exp(-reward));
      return { ...found, kind: "partial", score, reason: `reward: ${reward.toFixed(3)}`, parts: { reward } };
    },
  };
}
