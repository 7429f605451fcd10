/**
 * Where a worker thread's first file lies. A thread of Node 20 runs JavaScript only: when this module itself is run from
 * its TypeScript source, as tests do, the built file beside it is taken.
 *
 * @param file name of a built file of this folder
 */
export function workerEntry(file: string): URL {
  const folder = import.meta.url.endsWith(".ts") ? "../../dist/src/actors/" : "./";
  return new URL(`${folder}${file}`, import.meta.url);
}
