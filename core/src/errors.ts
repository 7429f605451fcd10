import { defineErrors } from "./error-catalogue.js";

/** Every error of core: permanent code, message, hint. `core/docs/errors.md` explains each. */
export const errors = defineErrors({
  groupTooSmall: {
    message: (d: { taskId: string; size: number }) =>
      `Cannot compute advantages for task "${d.taskId}" as a group needs at least 2 trajectories: current size is ${d.size}`,
    hint: "Raise groupSize, or choose a method that does not compare within a group",
    exitCode: 2,
  },
  emptyRange: {
    message: (d: { low: number; high: number }) =>
      `Cannot draw a whole number from [${d.low}, ${d.high}): the bounds must be whole and low must lie below high`,
    hint: "Check that the list or range is not empty",
  },
  moduleNotFound: {
    message: (d: { kind: string; name: string; tried: readonly string[]; path?: string; guess?: string }) =>
      `Cannot find ${d.kind} "${d.name}": looked for ${d.tried.join(", ")}`,
    hint: (d: { path?: string; guess?: string }) => {
      if (d.path !== undefined) return `There is ${d.path}: write it so, as a path begins with ./`;
      const other = "give a path that begins with ./, or install the package";
      return d.guess === undefined ? `Correct the name, ${other}` : `Did you mean "${d.guess}"? If not, ${other}`;
    },
    exitCode: 3,
  },
  moduleBuildFailed: {
    message: (d: { kind: string; name: string; problem: string }) => `Cannot build ${d.kind} "${d.name}": ${d.problem}`,
    hint: "Correct the source at the place named, then try again; nothing was changed",
    exitCode: 3,
  },
  moduleLoadFailed: {
    message: (d: { kind: string; name: string; problem: string }) => `Cannot load ${d.kind} "${d.name}": ${d.problem}`,
    hint: "A module's default export is made by definePlugin() or defineEnvironment() and its top level does not throw",
    exitCode: 3,
  },
  pluginNotValid: {
    message: (d: { use: string; problem: string }) => `Cannot use plugin "${d.use}": ${d.problem}`,
    hint: "core/docs/hooks.md shows a whole plugin",
    exitCode: 3,
  },
  pluginApiUnknown: {
    message: (d: { plugin: string; found: string; wanted: number }) =>
      `Cannot use plugin "${d.plugin}": it is built for hook API ${d.found}, this runtime speaks ${d.wanted}`,
    hint: "Install a version of the plugin, or of Troupe, whose APIs match",
    exitCode: 3,
  },
  pluginConfigNotValid: {
    message: (d: { plugin: string; problems: string }) =>
      `Cannot use the settings of plugin "${d.plugin}": ${d.problems}`,
    hint: "The plugin's README lists its settings",
    exitCode: 2,
  },
  pluginDuplicate: {
    message: (d: { plugin: string }) => `Cannot plan the run as plugin "${d.plugin}" is listed twice`,
    hint: "List it once",
    exitCode: 2,
  },
  pluginConflict: {
    message: (d: { field: string; plugins: readonly string[]; when: string }) =>
      `Cannot plan the run as ${d.plugins.map((name) => `"${name}"`).join(" and ")} both write "${d.field}"${d.when}`,
    hint: "Keep one of them, or give each its own steps: steps: { to: 300 } and steps: { from: 301 }",
    exitCode: 2,
  },
  lossSettingOverruled: {
    message: (d: { setting: string; wanted: number; plugin: string; own: string }) =>
      `Cannot plan the run as loss.${d.setting} is ${d.wanted} and plugin "${d.plugin}" has its own ${d.setting}, ${d.own}, which would take its place`,
    hint: (d: { setting: string; wanted: number; plugin: string }) =>
      `Say it to the plugin: { use: ${d.plugin}, with: { ${d.setting}: ${d.wanted} } }, or leave loss.${d.setting} out`,
    exitCode: 2,
  },
  pluginReadUnwritten: {
    message: (d: { plugin: string; hook: string; field: string }) =>
      `Cannot plan the run as hook "${d.hook}" of plugin "${d.plugin}" reads "${d.field}" and nobody writes it`,
    hint: "Add the plugin that writes it",
    exitCode: 2,
  },
  pluginStateFailed: {
    message: (d: { plugin: string; version: string; action: "make" | "save"; problem: string; place: string }) =>
      `Cannot ${d.action} the state of plugin "${d.plugin}" ${d.version}: ${d.problem}${d.place ? ` at ${d.place}` : ""}`,
    hint: "Correct the plugin's init() or dispose(), then try again; a state of an earlier version is among what init() may get",
    exitCode: 3,
  },
  hookFailed: {
    message: (d: {
      plugin: string;
      version: string;
      hook: string;
      about: string;
      step: number;
      problem: string;
      place: string;
    }) =>
      `Cannot go on with hook "${d.hook}" of plugin "${d.plugin}" ${d.version} for ${d.about} at step ${d.step}: ${d.problem}${d.place ? ` at ${d.place}` : ""}`,
    hint: "Correct the plugin, then `troupe resume`; steps after the last checkpoint are done again",
    exitCode: 3,
  },
  hookResultNotValid: {
    message: (d: { plugin: string; version: string; hook: string; step: number; problem: string }) =>
      `Cannot use what hook "${d.hook}" of plugin "${d.plugin}" ${d.version} returned at step ${d.step}: ${d.problem}`,
    hint: "Correct the plugin, then `troupe resume`; steps after the last checkpoint are done again",
    exitCode: 3,
  },
  tokenizerNotValid: {
    message: (d: { path: string; problem: string }) => `Cannot read the tokenizer "${d.path}": ${d.problem}`,
    hint: "policy.from names a folder with tokenizer.json and tokenizer_config.json in Hugging Face layout",
    exitCode: 4,
  },
  chatTemplateFailed: {
    message: (d: { problem: string }) => `Cannot render the prompt with the policy's chat template: ${d.problem}`,
    hint: "Check chat_template in tokenizer_config.json",
    exitCode: 4,
  },
  lengthMismatch: {
    message: (d: { action: string; name: string; length: number; expected: number }) =>
      `Cannot ${d.action} as "${d.name}" must have ${d.expected} entries: it has ${d.length}`,
    hint: "Give arrays that were made for the same tokens, sequences or samples",
  },
  referenceLogprobsMissing: {
    message: (d: { klCoefficient: number }) =>
      `Cannot compute the KL term with coefficient ${d.klCoefficient}: the batch has no reference logprobs`,
    hint: "Set loss.klCoefficient above 0 in the config, so that the run keeps its first policy to compare with; a plugin may change the coefficient from there, or leave it at 0",
    exitCode: 2,
  },
  diskFull: {
    message: (d: { file: string }) => `Cannot write "${d.file}" as the disk is full`,
    hint: "Free some space, then `troupe resume`; everything up to the last checkpoint is safe",
    exitCode: 4,
  },
  fileNotPermitted: {
    message: (d: { file: string; action: "read" | "write" }) =>
      `Cannot ${d.action} "${d.file}": this user lacks the permission`,
    hint: "Change the owner or the mode of the file, or choose another folder with TROUPE_RUNS",
    exitCode: 4,
  },
  lineUnreadable: {
    message: (d: { file: string; line: number }) =>
      `Cannot read "${d.file}" at line ${d.line}: it is not a record of this kind`,
    hint: "Restore the file from a copy, or delete the line; other lines stay readable",
    exitCode: 4,
  },
  fieldNotValid: {
    message: (d: { field: string; kind: string; found: string }) =>
      `Cannot read field "${d.field}" of a record as it must be of type ${d.kind}: found ${d.found}`,
    hint: "Restore the file from a copy, or delete the line; other lines stay readable",
    exitCode: 4,
  },
  runNotFound: {
    message: (d: { wanted: string | undefined; root: string; known: readonly string[] }) =>
      d.wanted === undefined
        ? `Cannot find a run in "${d.root}": the folder holds none`
        : `Cannot find run "${d.wanted}" in "${d.root}": ${d.known.length === 0 ? "the folder holds none" : `it holds ${d.known.slice(-5).join(", ")}`}`,
    hint: "Give a number, a folder name or a path; `troupe demo` or `troupe run FILE` starts one",
    exitCode: 4,
  },
  runsFolderNotUsable: {
    message: (d: { root: string; problem: string }) => `Cannot keep runs in "${d.root}": ${d.problem}`,
    hint: "TROUPE_RUNS names the folder of all runs; point it at a folder that exists or can be made",
    exitCode: 4,
  },
  cacheFolderNotUsable: {
    message: (d: { folder: string; problem: string }) => `Cannot keep taught policies in "${d.folder}": ${d.problem}`,
    hint: "TROUPE_HOME names the folder of everything that can be made again; point it at one that can be written",
    exitCode: 4,
  },
  hookDeadline: {
    message: (d: { plugin: string; version: string; hook: string; about: string; step: number; ms: number }) =>
      `Cannot wait for hook "${d.hook}" of plugin "${d.plugin}" ${d.version} for ${d.about} at step ${d.step}: it has not ended after ${d.ms} ms`,
    hint: "Look for a loop without end, or raise live.hookDeadlineMs, then `troupe resume`",
    exitCode: 3,
  },
  pluginVersionUnknown: {
    message: (d: { plugin: string; wanted: string; file: string }) =>
      `Cannot load version ${d.wanted} of plugin "${d.plugin}" again: "${d.file}" is not there`,
    hint: "The run folder's plugins/ holds every version that the run used; restore it, or start another run",
    exitCode: 3,
  },
  pluginNoEarlier: {
    message: (d: { plugin: string; version: string }) =>
      `Cannot roll back plugin "${d.plugin}": ${d.version} is the first version that this run had`,
    hint: "`troupe plugin swap RUN NAME PATH` puts another version in its place",
    exitCode: 3,
  },
  pluginPinned: {
    message: (d: { plugin: string; version: string }) =>
      `Cannot replace plugin "${d.plugin}": it is pinned at ${d.version}`,
    hint: (d: { plugin: string; version: string }) => `Let go of it with \`troupe plugin unpin RUN ${d.plugin}\``,
    exitCode: 3,
  },
  runNotLive: {
    message: (d: { run: string; problem: string }) => `Cannot change run "${d.run}" while it works: ${d.problem}`,
    hint: (d: { run: string; problem: string }) => `Go on with it first: \`troupe resume ${d.run}\``,
    exitCode: 4,
  },
  replayNotPossible: {
    message: (d: { run: string; step: number; problem: string }) =>
      `Cannot replay step ${d.step} of run "${d.run}": ${d.problem}`,
    hint: "A run is replayed from its first step, or from a checkpoint with --checkpoint STEP; store.rolloutsEvery: 1 keeps every step",
    exitCode: 4,
  },
  controlRequestNotValid: {
    message: (d: { file: string; problem: string }) => `Cannot carry out the request in "${d.file}": ${d.problem}`,
    hint: "`troupe plugin swap | load | unload | rollback | pin | unpin` write requests that are valid",
    exitCode: 2,
  },
  runLocked: {
    message: (d: { run: string; pid: number }) =>
      `Cannot write run "${d.run}": process ${d.pid} on this machine is writing it`,
    hint: (d: { run: string; pid: number }) =>
      `Wait for it, stop it with \`kill ${d.pid}\` (it saves first), or start another run`,
    exitCode: 75,
  },
  checkpointNotFound: {
    message: (d: { run: string; step: number | undefined }) =>
      `Cannot go back in run "${d.run}" as it has no checkpoint${d.step === undefined ? "" : ` of step ${d.step}`}`,
    hint: "Its folder checkpoints/ names the steps that were saved",
    exitCode: 4,
  },
  checkpointDamaged: {
    message: (d: { run: string; path: string; problem: string; earlier: number | undefined }) =>
      `Cannot go on with run "${d.run}" from "${d.path}": ${d.problem}`,
    hint: (d: { path: string; earlier: number | undefined }) =>
      d.earlier === undefined
        ? "Restore the folder from a copy, or start the run anew: there is no checkpoint before it"
        : `Restore the folder from a copy, or move it out of the run: \`troupe resume\` then goes on from step ${d.earlier}`,
    exitCode: 4,
  },
  rolloutsUnreadable: {
    message: (d: { file: string; problem: string }) => `Cannot read the rollouts "${d.file}": ${d.problem}`,
    hint: "The .jsonl and the .tok.bin of a step belong together; restore both from a copy",
    exitCode: 4,
  },
  promptTooLong: {
    message: (d: { taskId: string; tokens: number; maxPositions: number }) =>
      `Cannot roll out task "${d.taskId}": its prompt has ${d.tokens} tokens and the policy takes ${d.maxPositions} in all`,
    hint: "Filter long prompts out of the data, or use a policy with more positions",
    exitCode: 4,
  },
  textNotTokenised: {
    message: (d: { text: string; bytes: number; found: number }) =>
      `Cannot tell where the tokens of the text ${JSON.stringify(d.text)} begin: it has ${d.bytes} bytes, and its tokens stand for ${d.found}`,
    hint: "Give the text in Unicode's NFC and without special tokens, or use a policy whose tokenizer keeps every byte",
    exitCode: 4,
  },
  textTooLong: {
    message: (d: { text: string; tokens: number; maxPositions: number }) =>
      `Cannot score the text ${JSON.stringify(d.text)}: it has ${d.tokens} tokens and the policy takes ${d.maxPositions}`,
    hint: "Cut the texts into shorter passages",
    exitCode: 4,
  },
  tokensDiffer: {
    message: (d: { policy: string; text: string }) =>
      `Cannot score texts with policy "${d.policy}" as it divides ${JSON.stringify(d.text)} into other tokens than the run's policy`,
    hint: "Choose a scoring policy of the same tokenizer, or none: then the run's own policy scores",
    exitCode: 3,
  },
  taskWithoutPlace: {
    message: (d: { taskId: string; mode: string }) =>
      `Cannot evaluate in mode "${d.mode}" as no task stands in a text, the first, "${d.taskId}", among them`,
    hint: "Use the mode with an environment whose tasks are places in texts, such as corpus",
    exitCode: 2,
  },
  engineNotFound: {
    message: (d: { name: string; problem: string }) => `Cannot load policy engine "${d.name}": ${d.problem}`,
    hint: "policy.engine names an installed module; `npm run build` builds the native one",
    exitCode: 4,
  },
  learnerEnded: {
    message: (d: { how: string }) => `Cannot go on without the learner: ${d.how}`,
    hint: "`troupe resume` goes on from the last checkpoint; its samples are the same",
    exitCode: 75,
  },
  memoryTooSmall: {
    message: (d: { needed: string; available: string; parts: string }) =>
      `Cannot start the policy engine: it needs ${d.needed} of the ${d.available} that this process may use (${d.parts})`,
    hint: (d: { remedies: readonly string[] }) =>
      d.remedies.length > 0
        ? `It fits with ${d.remedies.join(", or ")}`
        : "Start from a smaller policy, or use a machine with more memory",
    exitCode: 4,
  },
  engineNotValid: {
    message: (d: { name: string }) =>
      `Cannot use "${d.name}" as a policy engine: it does not export createEngine() and attachSampler()`,
    hint: "core/src/engines/policy-engine.ts says what an engine module exports",
    exitCode: 4,
  },
  environmentNotValid: {
    message: (d: { use: string; problem: string }) => `Cannot use environment "${d.use}": ${d.problem}`,
    hint: "An environment's default export is made by defineEnvironment()",
    exitCode: 3,
  },
  environmentConfigNotValid: {
    message: (d: { environment: string; problems: string }) =>
      `Cannot use the settings of environment "${d.environment}": ${d.problems}`,
    hint: "The environment's README lists its settings",
    exitCode: 2,
  },
  exportNotPossible: {
    message: (d: { run: string; problem: string }) => `Cannot export run "${d.run}": ${d.problem}`,
    hint: "Name an empty folder, and a run whose policy stands alone",
    exitCode: 2,
  },
  rewardModelsNotSupported: {
    message: (d: { engine: string }) =>
      `Cannot open a reward model with "${d.engine}": it does not export openRewardModel()`,
    hint: "Name an engine that does, as @troupe/gpu/onnx",
    exitCode: 3,
  },
  engineCannotTrain: {
    message: (d: { engine: string; steps: number }) =>
      `Cannot train with the policy engine "${d.engine}": it samples and scores only, and train.steps is ${d.steps}`,
    hint: "Set train.steps=0 to evaluate, or name an engine that trains in policy.engine",
    exitCode: 2,
  },
  modelConfigNotValid: {
    message: (d: { path: string; problem: string }) => `Cannot read the policy's shape from "${d.path}": ${d.problem}`,
    hint: "policy.from names a Qwen2, Qwen3 or Llama folder in Hugging Face layout",
    exitCode: 4,
  },
  pluginNotLoaded: {
    message: (d: { plugin: string; loaded: readonly string[] }) =>
      `Cannot change plugin "${d.plugin}": the run has ${d.loaded.map((name) => `"${name}"`).join(", ") || "no plugins"}`,
    hint: "A swap replaces a plugin by one of the same name",
    exitCode: 3,
  },
  pluginNameDiffers: {
    message: (d: { plugin: string; use: string; found: string }) =>
      `Cannot put "${d.use}" in the place of plugin "${d.plugin}": the plugin in it is called "${d.found}"`,
    hint: "Give it the same name; `troupe plugin load RUN PATH` adds a plugin of another name",
    exitCode: 3,
  },
  swapTooLate: {
    message: (d: { use: string; reason: string }) =>
      `Cannot swap in plugin "${d.use}": the run ended (${d.reason}) before another step`,
    hint: "Change the plugin in the config, or on disk, and start or resume a run",
    exitCode: 3,
  },
  verifierErrorRate: {
    message: (d: { verifier: string; step: number; failed: number; total: number; limit: number; example: string }) =>
      `Cannot go on at step ${d.step}: verifier "${d.verifier}" gave no gradable verdict on ${d.failed} of ${d.total} samples (limit ${d.limit}), for example ${d.example}`,
    hint: "Look at the samples with `troupe inspect`, mend the verifier or the data, then `troupe resume`",
    exitCode: 5,
  },
  sampleNotLive: {
    message: (d: { sample: string; step: number; found: number; oldest: number }) =>
      `Cannot train on sample "${d.sample}" at step ${d.step}: it is of policy version ${d.found}, one of ${Math.max(0, d.oldest)} to ${d.step - 1} is wanted`,
    hint: "This is a bug in the engine or the runtime; please report it. `troupe resume` goes on from the last checkpoint",
    exitCode: 1,
  },
  passAtKNotDefined: {
    message: (d: { samples: number; correct: number; k: number }) =>
      `Cannot estimate pass@${d.k} from ${d.samples} samples with ${d.correct} correct: correct must lie in [0, samples] and k in [1, samples]`,
    hint: "Sample at least k answers per task, or ask for a smaller k",
    exitCode: 2,
  },
  tensorMissing: {
    message: (d: { name: string }) => `Cannot run the transformer: there is no tensor "${d.name}"`,
    hint: "Give weights under their Hugging Face names, and a shape that matches them",
  },
  askDeadline: {
    message: (d: { address: string; type: string; deadlineMs: number; state: string; outcome: string }) =>
      `Cannot wait longer for actor "${d.address}" to answer "${d.type}": its ${d.deadlineMs} ms are over and the actor is ${d.state}`,
    hint: "details.outcome says whether the message may have run: send it again only if a second run does no harm",
  },
  askAborted: {
    message: (d: { address: string; type: string; outcome: string }) =>
      `Cannot answer "${d.type}" of actor "${d.address}": its asker gave up`,
    hint: "details.outcome says whether the message may have run",
  },
  actorDown: {
    message: (d: { address: string; type: string; reason: string; outcome: string }) =>
      `Cannot answer "${d.type}": actor "${d.address}" went down (${d.reason})`,
    hint: "The cause says why it went down; details.outcome says whether the message may have run",
  },
  actorGone: {
    message: (d: { address: string; type: string; state: string; outcome: string }) =>
      `Cannot send "${d.type}" to actor "${d.address}": it is ${d.state}`,
    hint: "Spawn the actor again; the cause, if any, says why it ended",
  },
  mailboxFull: {
    message: (d: { address: string; type: string; capacity: number; outcome: string }) =>
      `Cannot send "${d.type}" to actor "${d.address}": its mailbox holds ${d.capacity} of ${d.capacity} messages`,
    hint: "Wait for earlier messages, send fewer at once, or raise mailbox.capacity",
  },
  messageNotCloneable: {
    message: (d: { address: string; type: string; problem: string; outcome: string }) =>
      `Cannot send "${d.type}" to actor "${d.address}" elsewhere: ${d.problem}`,
    hint: "Send plain data and typed arrays; functions, promises and proxies stay where they are",
  },
  replyNotCloneable: {
    message: (d: { address: string; problem: string }) =>
      `Cannot send a reply of actor "${d.address}" to another thread: ${d.problem}`,
    hint: "Reply with plain data and typed arrays; functions, promises and proxies stay where they are",
  },
  bufferDetached: {
    message: (d: { address: string; type: string; outcome: string }) =>
      `Cannot send "${d.type}" of actor "${d.address}": a buffer in it was moved to another thread before`,
    hint: "A transferred buffer belongs to its receiver; copy it first to use it twice",
  },
  handlerFailed: {
    message: (d: { address: string; type: string; outcome: string; problem: string }) =>
      `Cannot answer "${d.type}": actor "${d.address}" failed on it: ${d.problem}`,
    hint: "The cause is what its handler threw; the actor lives on",
  },
  placementUnknown: {
    message: (d: { address: string; at: string }) =>
      `Cannot place actor "${d.address}" at "${d.at}": inline, thread, process or remote is wanted`,
    hint: 'A placement reads { at: "thread" }; `core/docs/actors.md` says what each is for',
    exitCode: 2,
  },
  messageUnknown: {
    message: (d: { address: string; type: string }) =>
      `Cannot handle "${d.type}": actor "${d.address}" has no handler of that name`,
    hint: "The definition's `on` names every type of its protocol",
  },
  creditExceeded: {
    message: (d: { address: string; capacity: number }) =>
      `Cannot deliver to actor "${d.address}": more than its ${d.capacity} messages are under way`,
    hint: "This is a bug in the actor runtime; please report it",
  },
  actorNotStarted: {
    message: (d: { address: string; problem: string }) => `Cannot start actor "${d.address}": ${d.problem}`,
    hint: "The cause says what its init threw; on a thread its module must be built JavaScript",
  },
  actorDefinitionNotFound: {
    message: (d: { module: string; exportName: string }) =>
      `Cannot find an actor definition as export "${d.exportName}" of "${d.module}"`,
    hint: "Export the definition under its exportName from the module whose import.meta.url it names",
  },
  actorIdTaken: {
    message: (d: { address: string }) => `Cannot spawn actor "${d.address}": a live actor has that id`,
    hint: "Choose another id, or stop the other actor first",
  },
  actorParentMissing: {
    message: (d: { address: string; parent: string }) =>
      `Cannot spawn actor "${d.address}" as a child of "${d.parent}": no live actor has that address`,
    hint: "Spawn the parent first, and give its address",
  },
  actorEscalated: {
    message: (d: { address: string; problem: string }) => `Cannot go on with actor "${d.address}": ${d.problem}`,
    hint: "The cause, and the causes of that, lead to the actor that failed first; its supervision escalates",
  },
  actorSystemStopped: {
    message: (d: { address: string }) => `Cannot spawn actor "${d.address}": its system is stopped`,
    hint: "Make a new ActorSystem",
  },
  taskPoolFull: {
    message: (d: { module: string; maxQueue: number }) =>
      `Cannot take another task for "${d.module}": ${d.maxQueue} tasks wait already`,
    hint: "Wait for earlier tasks, or raise maxQueue",
  },
  taskDeadline: {
    message: (d: { module: string; deadlineMs: number; outcome: string }) =>
      `Cannot wait longer for a task of "${d.module}": its ${d.deadlineMs} ms are over`,
    hint: "The task was ended with its thread; give it longer, or make it smaller",
  },
  taskFailed: {
    message: (d: { module: string; outcome: string }) => `Cannot finish a task of "${d.module}": it failed`,
    hint: "The cause is what the task threw, or how its thread ended",
  },
  taskFunctionNotFound: {
    message: (d: { module: string; exportName: string }) =>
      `Cannot do a task: "${d.module}" exports no function "${d.exportName}"`,
    hint: "Export the function under that name from the built module",
  },
  memoryNotShared: {
    message: (d: { address: string; type: string }) =>
      `Cannot send "${d.type}" of actor "${d.address}" to another process: it holds a SharedArrayBuffer`,
    hint: "Threads of one process can share memory; send a copy, or place the actor in a thread",
  },
  frameNotValid: {
    message: (d: { problem: string }) => `Cannot read a frame of another process: ${d.problem}`,
    hint: "Both sides must run the same version of Troupe; otherwise this is a bug, please report it",
  },
  processOutOfMemory: {
    message: (d: { address: string; maxMemoryMb: number | null }) =>
      d.maxMemoryMb === null
        ? `Cannot go on with the process of actor "${d.address}": its JavaScript heap is full`
        : `Cannot go on with the process of actor "${d.address}": it took more than its ${d.maxMemoryMb} MB`,
    hint: "Raise placement.maxMemoryMb, or send it less at once",
  },
  processKilled: {
    message: (d: { address: string; signal: string; said: string }) =>
      `Cannot go on with the process of actor "${d.address}": ${d.signal} ended it${d.said === "" ? "" : `; it last said: ${d.said}`}`,
    hint: "SIGSEGV and SIGABRT come from native code or a full heap; SIGKILL from outside, often for want of memory",
  },
  nodeUnreachable: {
    message: (d: { address: string; problem: string }) => `Cannot reach node "${d.address}": ${d.problem}`,
    hint: "Start it with `troupe node --listen`, and check address and network; it is dialled again as long as actors want it",
    exitCode: 75,
  },
  pluginsNotPrepared: {
    message: (d: { key: string }) => `Cannot run plugin list ${d.key}: the actor does not have it`,
    hint: "The actor's pool sends the list and asks again; where this is seen, report it",
  },
  nodeKernelsDiffer: {
    message: (d: { address: string; found: string; wanted: string }) =>
      `Cannot sample on the node of "${d.address}": its engine computes with the ${d.found} kernels, the learner with ${d.wanted}`,
    hint: "Samples would not be the floats that are trained on. Use machines of one kind, or have both use one kernel set by TROUPE_KERNELS",
    exitCode: 2,
  },
  nodeRefused: {
    message: (d: { address: string; problem: string }) => `Cannot use node "${d.address}": ${d.problem}`,
    hint: "Give both sides the same token and the same version of Troupe; of two drivers with one name the newer one stays",
    exitCode: 2,
  },
  nodeNotSecured: {
    message: (d: { address: string; problem: string }) => `Cannot open a link on "${d.address}": ${d.problem}`,
    hint: "Whoever can dial a node can run code on it. Both ends give TROUPE_NODE_TOKEN for 127.0.0.1, and certificates for any other address: a node by --ca, --cert and --key, a run's driver by TROUPE_NODE_CA, TROUPE_NODE_CERT and TROUPE_NODE_KEY",
    exitCode: 2,
  },
  nodeNotOpened: {
    message: (d: { address: string; problem: string }) => `Cannot listen on "${d.address}": ${d.problem}`,
    hint: "Choose a free port and an address of this machine, as in 127.0.0.1:7077",
    exitCode: 75,
  },
  actorsNotKnown: {
    message: (d: { run: string }) => `Cannot show the actors of run "${d.run}": it has written nothing about them`,
    hint: "A run writes its actors from its start on: wait until it has started, or name another run",
    exitCode: 4,
  },
  recordTooLarge: {
    message: (d: { bytes: number; most: number }) =>
      `Cannot write a record of ${d.bytes} bytes into the ring: it takes at most ${d.most}`,
    hint: "Make the ring larger, or send large records as messages, whose buffers can move",
  },
  notInAThread: {
    message: () => "Cannot run an actor's thread: this file was started outside of one",
    hint: 'Spawn the actor with placement { at: "thread" }',
  },
  methodUnknown: {
    message: (d: { method: string; guess: string | undefined; known: readonly string[] }) =>
      `Cannot set up method "${d.method}": ${d.guess === undefined ? `known plugins are ${d.known.join(", ")}` : `did you mean "${d.guess}"?`}`,
    hint: "`troupe plugin list` shows every plugin; a path to one of your own begins with ./",
    exitCode: 3,
  },
  modelFolderUnknown: {
    message: (d: { directory: string; problem: string }) => `Cannot use model "${d.directory}": ${d.problem}`,
    hint: "Give a folder in Hugging Face layout: config.json, tokenizer.json, tokenizer_config.json, safetensors",
    exitCode: 4,
  },
  dataUnknown: {
    message: (d: { file: string; tried: readonly string[] }) =>
      `Cannot tell what tasks are in "${d.file}": ${d.tried.join("; ")}`,
    hint: "Rename the columns, or say whose tasks they are: --data <environment>=<file>",
    exitCode: 4,
  },
  dataMissing: {
    message: (d: { file: string }) => `Cannot read tasks from "${d.file}": there is no such file`,
    hint: "--data takes the path of a JSON Lines or Parquet file, seen from the folder that the command is called in",
    exitCode: 4,
  },
  initTasksMissing: {
    message: (d: { given: string }) =>
      `Cannot write a config with ${d.given}: either --data or --environment is wanted`,
    hint: "--data names files of tasks, --environment one that makes its own",
    exitCode: 2,
  },
  initFileExists: {
    message: (d: { path: string }) => `Cannot write "${d.path}": it is there already`,
    hint: "Name another file with --out, or write it anew with --force",
    exitCode: 4,
  },
  presetUnfit: {
    message: (d: { preset: string; problem: string; others: readonly string[] }) =>
      `Cannot take a preset of "${d.preset}": ${d.problem}`,
    hint: (d: { others: readonly string[] }) =>
      `Name another with --preset: ${d.others.join(", ") || "there is none"}; or correct --model or --data`,
    exitCode: 2,
  },
  presetNotFound: {
    message: (d: { name: string; guess: string | undefined; known: readonly string[] }) =>
      `Cannot extend "${d.name}": ${d.guess === undefined ? `known presets are ${d.known.map((one) => `"${one}"`).join(", ")}` : `did you mean "${d.guess}"?`}`,
    hint: "A preset is named after its plugin: extends: <plugin>/<preset>; `troupe config presets` lists them",
    exitCode: 2,
  },
  presetNotValid: {
    message: (d: { name: string; file: string; problem: string }) =>
      `Cannot extend "${d.name}" as its file "${d.file}" is no preset: ${d.problem}`,
    hint: "A preset is a part of a run's config with a section about: description, source, positions, models",
    exitCode: 2,
  },
  configNotFound: {
    message: (d: { path: string; problem: string }) => `Cannot read the config "${d.path}": ${d.problem}`,
    hint: "Give the path of a YAML file, for example examples/gsm8k.yaml",
    exitCode: 2,
  },
  configNotYaml: {
    message: (d: { place: string; problem: string }) => `Cannot read the config at ${d.place}: ${d.problem}`,
    hint: "The file is YAML: two spaces a level, no tabs",
    exitCode: 2,
  },
  configNotValid: {
    message: (d: { problems: readonly string[] }) => `Cannot use the config:\n  ${d.problems.join("\n  ")}`,
    hint: "`troupe config print` shows every key with its value",
    exitCode: 2,
  },
  overrideNotValid: {
    message: (d: { text: string; problem: string }) => `Cannot read the setting "${d.text}": ${d.problem}`,
    hint: "Settings on the command line read path.to.key=value; values are YAML",
    exitCode: 2,
  },
  noTeacher: {
    message: (d: { environment: string; problem: string }) =>
      `Cannot distil a policy in environment "${d.environment}": ${d.problem}`,
    hint: "Start from trained weights (policy.from), or use an environment that can teach",
    exitCode: 2,
  },
  evaluationModeUnknown: {
    message: (d: { mode: string; known: readonly string[] }) =>
      `Cannot evaluate in mode "${d.mode}": known modes are ${d.known.map((mode) => `"${mode}"`).join(", ")}`,
    hint: "Name the plugin that formats the mode under plugins or eval.plugins",
    exitCode: 2,
  },
  runConfigUnreadable: {
    message: (d: { path: string; problem: string }) => `Cannot read "${d.path}": ${d.problem}`,
    hint: "The file is written when a run starts; restore it, or start a new run",
    exitCode: 4,
  },
  armNotFound: {
    message: (d: { run: string; found: string; known: readonly string[] }) =>
      `Cannot choose arm "${d.found}" of run "${d.run}": it has ${d.known.map((name) => `"${name}"`).join(", ") || "no arms"}`,
    hint: "Name an arm that the run has with --arm; leave --arm out for a run without arms",
    exitCode: 2,
  },
  tensorFileNotValid: {
    message: (d: { path: string; problem: string }) => `Cannot use the tensor file "${d.path}": ${d.problem}`,
    hint: "The file must be a whole safetensors file; copy or save it again",
    exitCode: 4,
  },
  rolloutNotFound: {
    message: (d: { wanted: string; run: string; dropped?: number | undefined }) =>
      `Cannot find ${d.wanted} in run "${d.run}"${d.dropped === undefined ? "" : `: rollouts up to step ${d.dropped} were dropped to stay within store.maxMb`}`,
    hint: "`troupe inspect RUN` lists what is stored; store.rolloutsEvery says which steps are",
    exitCode: 4,
  },
  folderTaken: {
    message: (d: { folder: string }) => `Cannot write into "${d.folder}": it is there already`,
    hint: "Give another name or folder; nothing is ever overwritten",
    exitCode: 2,
  },
  optionNotValid: {
    message: (d: { option: string; found: string; wanted: string }) =>
      `Cannot read "${d.option} ${d.found}": ${d.wanted} is wanted`,
    hint: "The command with --help lists its options",
    exitCode: 2,
  },
  configCodeFailed: {
    message: (d: { path: string; problem: string }) => `Cannot take the settings from "${d.path}": ${d.problem}`,
    hint: "A TypeScript config's default export is defineConfig({...}) of @troupe/core/sdk",
    exitCode: 2,
  },
  judgeMissing: {
    message: (d: { environment: string }) =>
      `Cannot judge single cases with environment "${d.environment}": its definition has no "judge"`,
    hint: "Give defineEnvironment() a judge made by defineJudge()",
    exitCode: 3,
  },
  caseNotValid: {
    message: (d: { source: string; line: number; problem: string }) =>
      `Cannot judge ${d.source}:${d.line}: ${d.problem}`,
    hint: "A line is a JSON object with the fields that `troupe verify NAME --help` lists; the other lines were judged",
    exitCode: 4,
  },
  linesUnreadable: {
    message: (d: { source: string; problem: string }) => `Cannot read "${d.source}": ${d.problem}`,
    hint: 'Name a readable JSON Lines file, or "-" for standard input',
    exitCode: 4,
  },
  calibrationMissing: {
    message: (d: { environment: string; path: string }) =>
      `Cannot measure the verifier of environment "${d.environment}": there is no "${d.path}"`,
    hint: "Lay a calibration set beside the environment's index file: lines with category, label and the case",
    exitCode: 4,
  },
  scoreNotValid: {
    message: (d: { row: number; id: string; problem: string }) =>
      `Cannot use the difficulty of row ${d.row} ("${d.id}"): ${d.problem}`,
    hint: "Scores come from `troupe data score`, which keeps policy, sampling and verifier version with them; score the rows again with the policy about to be trained",
    exitCode: 4,
  },
  outputExists: {
    message: (d: { path: string; problem: string }) => `Cannot write "${d.path}": ${d.problem}`,
    hint: "Name another file with --out, or write it anew with --restart",
    exitCode: 4,
  },
  judgeTakesNoAnswers: {
    message: (d: { environment: string }) =>
      `Cannot serve environment "${d.environment}" without settings: its judge has no "judgeAnswer"`,
    hint: "Give the judge one, or serve the environment's verifier with settings: `troupe verify serve --config`",
    exitCode: 3,
  },
  judgeFailed: {
    message: (d: { verifier: string; problem: string }) => `Cannot judge with verifier "${d.verifier}": ${d.problem}`,
    hint: "The cause says what failed; the answers that were with it have a verdict of kind infra",
  },
  requestNotValid: {
    message: (d: { problem: string }) => `Cannot judge this request: ${d.problem}`,
    hint: "Correct the field and send the request again; none of its items was judged",
    exitCode: 4,
  },
  requestTooLarge: {
    message: (d: { what: string; most: string }) =>
      `Cannot judge a request of ${d.what}: at most ${d.most} may come at once`,
    hint: "Send several requests, or raise --queue or --max-body-mb of `troupe verify serve`",
    exitCode: 4,
  },
  keyReused: {
    message: (d: { key: string }) =>
      `Cannot answer idempotency key "${d.key}": it was used for a request with other items`,
    hint: "Give every request a key of its own; only a repetition of the same request has the same key",
    exitCode: 4,
  },
  serviceBusy: {
    message: (d: { waiting: number; retryAfterS: number }) =>
      `Cannot take this request now: ${d.waiting} answers wait already`,
    hint: (d: { waiting: number; retryAfterS: number }) =>
      `Send it again in ${d.retryAfterS} s; with the same idempotency key nothing is judged twice`,
  },
  serviceDraining: {
    message: () => "Cannot take this request: the service is about to end",
    hint: "Send it to another one, or again when this one is back",
  },
  tokenRefused: {
    message: () => "Cannot answer: the token of this service is wanted",
    hint: "Send the header Authorization: Bearer TOKEN",
  },
  serviceNotSecured: {
    message: (d: { address: string; problem: string }) => `Cannot serve on "${d.address}": ${d.problem}`,
    hint: "Whoever reaches a service can have programs run: serve on 127.0.0.1, or give a token of at least 16 characters in TROUPE_VERIFY_TOKEN or --token-file",
    exitCode: 2,
  },
  serviceNotOpened: {
    message: (d: { address: string; problem: string }) => `Cannot listen on "${d.address}": ${d.problem}`,
    hint: "Take another port, or 0 for a free one",
    exitCode: 3,
  },
  rowsUnusable: {
    message: (d: { input: string; rows: number; problem: string }) =>
      `Cannot curate "${d.input}": none of its ${d.rows} rows can be used, the first as ${d.problem}`,
    hint: "Name the columns with --problem, --answer and --id",
    exitCode: 4,
  },
  studyRunFailed: {
    message: (d: { run: string; end: string; words: string }) =>
      `Cannot go on with the study: the run "${d.run}" ended with ${d.end}${d.words === "" ? "" : `: ${d.words}`}`,
    hint: (d: { run: string }) =>
      `\`troupe resume ${d.run}\` shows what holds it up; \`troupe study\` then goes on with everything else`,
    exitCode: 1,
  },
  studyNotFound: {
    message: (d: { wanted: string; known: readonly string[] }) =>
      `Cannot find the study "${d.wanted}": known are ${d.known.join(", ")}, or a file`,
    hint: "`troupe study` without names runs them all",
    exitCode: 4,
  },
});
