import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { readModelShape, Tokenizer, type ModelShape } from "@troupe/core";

/** Folder of the examples, where paths in their configs start. */
export function examplesDirectory(): string {
  return dirname(createRequire(import.meta.url).resolve("@troupe/examples/package.json"));
}

/** Folder of the demo's policy: shape and tokenizer, no weights. */
export function demoPolicyDirectory(): string {
  return join(examplesDirectory(), "policies", "tiny");
}

/** The shape of a policy folder. */
export function shapeIn(directory: string): ModelShape {
  return readModelShape(directory, Tokenizer.fromDirectory(directory).vocabSize);
}
