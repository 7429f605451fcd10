import type { Batch } from "../records/batch.js";
import type { LossSpec } from "../records/loss-spec.js";

/** How Llama 3 stretches slow rotary frequencies to reach further than it was first trained; `rotaryFrequencies()`. */
export interface RopeScaling {
  readonly factor: number;
  readonly lowFrequencyFactor: number;
  readonly highFrequencyFactor: number;
  /** Longest sequence before stretching, in tokens. */
  readonly originalPositions: number;
}

/** Shape of a decoder-only transformer in the Qwen3 manner: RMSNorm, RoPE, GQA, per-head q/k norms, SwiGLU. */
export interface ModelShape {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  readonly intermediateSize: number;
  readonly maxPositions: number;
  readonly ropeTheta: number;
  readonly ropeScaling?: RopeScaling;
  readonly rmsNormEpsilon: number;
  readonly tieEmbeddings: boolean;
  readonly qkNorm: boolean;
  readonly qkvBias: boolean;
}

/**
 * Ends a span of the response that has lasted long enough. The span begins after one of `from`, or with the response
 * when that is empty; when `limit` tokens have followed and none of them was one of `until`, the tokens `inject` come
 * next, whatever the policy would have said. Applies once.
 */
export interface BudgetRule {
  readonly limit: number;
  readonly from: readonly number[];
  readonly until: readonly number[];
  readonly inject: readonly number[];
}

/** The bytes that each token id stands for, one after the other; token t has [offsets_V1[t], offsets_V1[t + 1]). */
export interface VocabularyBytes {
  readonly bytes: Uint8Array;
  readonly offsets_V1: Int32Array;
}

/** What the engine needs to sample one trajectory. */
export interface GenerateRequest {
  readonly promptTokens: Int32Array;
  /** Tokens the response must begin with; they count as response and against `maxTokens`. */
  readonly forcedTokens?: Int32Array;
  readonly maxTokens: number;
  readonly temperature: number;
  /** 1 keeps everything. */
  readonly topP: number;
  /** 0 keeps everything. */
  readonly topK: number;
  /** 0 keeps everything. */
  readonly minP: number;
  /** A drawn one of these ends the response; a given one does not. */
  readonly stopTokens: readonly number[];
  /** A drawn token in which one of these texts ends, over the response's bytes, ends it too. Needs `setVocabulary`. */
  readonly stopStrings?: readonly string[];
  /** Tokens that rules inject count as response and against `maxTokens`. */
  readonly budgetRules?: readonly BudgetRule[];
  /** Token id → added to its logit before the temperature. */
  readonly logitBias?: readonly (readonly [number, number])[];
  /** Key of the counter-based generator: a sample depends on it and on positions, never on the batch. */
  readonly seed: readonly [number, number];
}

/** What was sampled; forced tokens stand first. All arrays have shape [response length]. */
export interface Completion {
  readonly tokens: Int32Array;
  /** ORIGIN codes: sampled, forced by the request, or injected by a budget rule. */
  readonly origins: Uint8Array;
  /** Nats under softmax(logits / temperature), untruncated by top-p, top-k or min-p. */
  readonly logprobs: Float32Array;
  readonly entropies: Float32Array;
  readonly stopReason: "stop" | "length" | "aborted";
  readonly version: number;
}

/** Logprob and entropy of every token of packed sequences, nats; 0 at each sequence's first token. */
export interface Scores {
  readonly logprobs_N: Float32Array;
  readonly entropies_N: Float32Array;
  /** Only with `topK`: the most probable ids at each place, best first; -1 at each sequence's first token. Shape [N, K]. */
  readonly topIds_NK?: Int32Array;
  /** Their logprobs; 0 at each sequence's first token. */
  readonly topLogprobs_NK?: Float32Array;
}

/** What `score` gives beyond the given tokens' own logprobs. */
export interface ScoreOptions {
  /** How many of the most probable tokens at each place; 0 or absent: none. */
  readonly topK?: number;
}

/** The optimizer's settings for one step: AdamW with decoupled decay and global-norm clipping. */
export interface OptimizerStep {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly weightDecay: number;
  /** Gradients are scaled down to this global norm; Infinity never clips. */
  readonly maxGradNorm: number;
  /** Norm weights and biases decay as matrices do; absent means that they do not. */
  readonly decayVectors?: boolean;
}

/** What a saved policy consists of. */
export interface SaveOptions {
  /** With an adapter: the whole policy with the adapter added to its weights, instead of the adapter alone. */
  readonly merged?: boolean;
  /** Optimizer state too, so that training can go on; off unless given. */
  readonly optimizer?: boolean;
  /** How weights are written: "float32", which is exact, or rounded to "bfloat16" for others to load. */
  readonly elementType?: "float32" | "bfloat16";
  /** Weights larger than this are written in shards; one file unless given. */
  readonly maxShardBytes?: number;
}

/** What an engine can do; callers check before they rely on it. */
export interface EngineCapabilities {
  readonly generate: boolean;
  readonly score: boolean;
  readonly train: boolean;
  /** Sampler's and learner's logprobs are the same float, bit for bit. */
  readonly zeroMismatch: boolean;
}

/** How one generate call runs; but for the version, none of it changes a sample. */
export interface GenerateOptions {
  readonly signal?: AbortSignal;
  /** The version to sample from, which is the live one or among the engine's `olderVersions`; the live one when absent. */
  readonly version?: number;
  /**
   * Gets response tokens while they are made: those of request `index` in order, all of them before the call settles.
   * Tokens of many steps come together when this thread is busy. What it throws ends the call.
   */
  readonly onTokens?: (index: number, tokens: Int32Array) => void;
}

/** Samples from a policy; what rollout actors hold. Calls may overlap; each settles on its own. */
export interface Sampler {
  readonly capabilities: EngineCapabilities;
  /** Recorded in checkpoints and rollouts; two kernel sets may give other bits. */
  readonly kernelSet: string;
  /** Version that calls made now would sample from. */
  version(): number;
  /** Completions in the order of the requests. Aborting gives what was sampled so far, marked "aborted". */
  generate(requests: readonly GenerateRequest[], options?: GenerateOptions): Promise<readonly Completion[]>;
  /** Tells the engine what its tokens stand for; absent where stop strings are not supported. */
  setVocabulary?(vocabulary: VocabularyBytes): void;
  score(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number, options?: ScoreOptions): Promise<Scores>;
  dispose(): void;
}

/**
 * A policy that can be sampled and trained. One learner actor owns it; calls that change weights are made one at a
 * time, in order. `forwardBackward` adds to gradients; `optimStep` uses and clears them; nothing is seen by samplers
 * before `publish`.
 */
export interface PolicyEngine extends Sampler {
  readonly shape: ModelShape;
  /** One line for people: kernel set, threads, parameters. */
  readonly description: string;
  forwardBackward(batch: Batch, loss: LossSpec): Promise<Readonly<Record<string, number>>>;
  optimStep(step: OptimizerStep): Promise<{ readonly gradNorm: number }>;
  resetOptimizer(): void;
  /** Makes the current weights the live version and returns its number. */
  publish(version?: number): Promise<number>;
  /** Plain data that `attach` of the same engine module turns into a Sampler on another thread of this process, or in another process with `share`. */
  handle(): unknown;
  /** Keeps the current weights, without the adapter if there is one, as the reference of a KL term; nothing is copied. */
  keepReference(): Promise<void>;
  /** As `score`, under the reference. */
  scoreReference(tokens_N: Int32Array, offsets_S1: Int32Array, temperature: number): Promise<Scores>;
  /**
   * Writes weights and `config.json` in Hugging Face layout, and `optimizer.safetensors`. With an adapter: its files in
   * PEFT's layout in place of the weights, which never change.
   */
  save(directory: string, options?: SaveOptions): Promise<void>;
  /** With an adapter, a folder that holds one replaces the adapter; any other the weights beneath it. */
  load(directory: string, options?: { optimizer?: boolean }): Promise<void>;
}

/** What an engine's linear layers compute with. Weights, gradients and optimizer state are fp32 in any case. */
export type ComputeType = "fp32" | "bf16";

/** Where an engine keeps and computes everything: this machine's processors, or its NVIDIA GPUs from the first on. */
export type Device = "cpu" | "cuda";

/** How an engine is made. */
export interface EngineOptions {
  readonly shape: ModelShape;
  /** Weights are drawn from it. */
  readonly seed: number;
  /** Whether `load` gives the weights before anything reads them; an engine need not draw any then. */
  readonly blank?: boolean;
  /** Threads that work at one call at most; all that the process may use when absent. */
  readonly threads?: number;
  /** "fp32" when absent. */
  readonly dtype?: ComputeType;
  /** "cpu" when absent. */
  readonly device?: Device;
  /**
   * True when absent. False lets a GPU's vendor library compute the linear layers' gradients, for speed, with bits that depend
   * on its version, the chip and the batch. Logprobs stay the engine's own in sampling and training, so their mismatch stays 0.
   */
  readonly invariant?: boolean;
  /**
   * GPUs of this machine that train and sample together, the first so many; 1 when absent. Each has the whole policy to compute
   * with, and its share of the float32 weights and of the optimizer's state. Bits of gradients depend on their number, those
   * of logprobs do not.
   */
  readonly gpus?: number;
  /** Whether samplers in other processes can attach; published weights lie in shared memory then. */
  readonly share?: boolean;
  /** Published versions that can be sampled from beside the live one; 0 when absent, 16 at most. Each takes the memory of its weights. */
  readonly olderVersions?: number;
  /** Most memory for keys and values of samplers in this process, bytes, on all GPUs together; a quarter of what the process may use when absent, half of what a GPU has left. */
  readonly cacheBytes?: number;
  /** Trains a low-rank adapter in place of the weights. */
  readonly lora?: LowRankOptions;
  /** How training spends memory; absent means `recompute: "nothing"` and micro-batches of the engine's own size. */
  readonly training?: TrainingMemory;
}

/** A low-rank adapter (LoRA, arXiv:2106.09685): y = x Wᵀ + (alpha / rank) (x Aᵀ) Bᵀ on each target. */
export interface LowRankOptions {
  readonly rank: number;
  readonly alpha: number;
  /** Names of linears: q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj, lm_head. */
  readonly targets: readonly string[];
}

/** How training trades time for memory. Neither setting changes the loss; `recompute` changes no bit of a gradient. */
export interface TrainingMemory {
  /** What the backward pass computes again instead of keeping it: "feed-forward" the gate and up products, "layers" all but each layer's input. */
  readonly recompute?: "nothing" | "feed-forward" | "layers";
  /** Tokens of one micro-batch at most; a longer sequence gets one of its own. */
  readonly microBatchTokens?: number;
}

/** A model that gives whole texts a score. */
export interface RewardModel {
  /** One score per sequence of tokens; higher is better, and what 0 means is the model's own. */
  score(sequences: readonly Int32Array[]): Promise<Float32Array>;
  dispose(): void;
}

/** What an engine is to be used for, as far as it takes memory. */
export interface MemoryUse {
  readonly trains: boolean;
  /** A reference is kept for a KL term. */
  readonly keepsReference: boolean;
  /** Sequences sampled at once, and tokens of the longest, its prompt included. */
  readonly sequences: number;
  readonly sequenceTokens: number;
}

/** What an engine will hold in memory at most, from the tables that it allocates from. */
export interface MemoryReport {
  readonly entries: readonly {
    readonly name: string;
    readonly kind: "weights" | "gradients" | "optimizer" | "activations" | "vocabulary" | "cache";
    readonly bytes: number;
  }[];
  readonly bytes: number;
  /** What the process may use: the machine's memory, or what its control group grants. */
  readonly availableBytes: number;
}

/** What an engine's module exports; core loads it by the name in the config. */
export interface EngineModule {
  /** A policy with random weights drawn from `seed`. */
  createEngine(options: EngineOptions): Promise<PolicyEngine>;
  attachSampler(handle: unknown): Sampler;
  /** Writes `model.onnx` into a policy's folder and gives its path; absent where the engine samples no such files. */
  exportOnnx?(directory: string): Promise<string>;
  /** Opens a reward model from its folder; absent where the engine has none. */
  openRewardModel?(options: { readonly directory: string; readonly threads?: number }): Promise<RewardModel>;
  /** Allocates nothing; absent, or undefined, where memory is somebody else's. */
  memoryReport?(options: EngineOptions, use: MemoryUse): MemoryReport | undefined;
}
