import { errors } from "../errors.js";
import { OnnxDecoder } from "./onnx-decoder.js";
import type { OnnxAnswer, OnnxMessage } from "./protocol.js";
import { loadOnnxRuntime } from "./runtime.js";

// The first file of a model's process. A process of its own, because the runtime computes on the thread that calls it
// and takes the whole process down when that thread is ended meanwhile.

let decoder: Promise<OnnxDecoder> | undefined;
let last: Promise<unknown> = Promise.resolve();
const aborted = new Set<number>();

process.on("disconnect", () => process.exit());
process.on("message", (raw) => {
  // Only onnx-process.ts holds the other end.
  const message = raw as OnnxMessage;
  if (message.kind === "abort") return void aborted.add(message.id);
  last = last.then(async () => {
    const { id } = message;
    try {
      send({ id, value: await answer(message) });
    } catch (cause) {
      send({ id, problem: cause instanceof Error ? cause.message : String(cause) });
    }
    aborted.delete(id);
  });
});

async function answer(message: Exclude<OnnxMessage, { kind: "abort" }>) {
  if (message.kind === "open") {
    decoder = open(message.order);
    await decoder;
    return null;
  }
  const opened = await decoder;
  if (!opened) throw errors.engineGone({ action: message.kind, problem: "no model is open" });
  switch (message.kind) {
    case "generate":
      return opened.generate(message.order.requests, message.order.version, () => aborted.has(message.id));
    case "score":
      return opened.score(message.order.tokens_N, message.order.offsets_S1, message.order.temperature);
    case "judge":
      return opened.judge(message.order.sequences);
  }
}

async function open({
  runtime: path,
  ...model
}: Extract<OnnxMessage, { kind: "open" }>["order"]): Promise<OnnxDecoder> {
  const runtime = loadOnnxRuntime(path);
  const session = await runtime.InferenceSession.create(model.path, {
    executionProviders: model.providers,
    intraOpNumThreads: model.threads,
  });
  return new OnnxDecoder(runtime, session, model.shape);
}

function send(answer: OnnxAnswer): void {
  process.send?.(answer);
}
