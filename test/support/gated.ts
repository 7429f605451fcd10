import { fileURLToPath } from "node:url";

/** The environment whose verifier waits for a file, as a config names it. */
export const GATED = fileURLToPath(new URL("environments/gated.ts", import.meta.url));
