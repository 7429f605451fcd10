import { fileURLToPath } from "node:url";

/** The environment whose verifier misbehaves as it is told to, as a config names it. */
export const UNRULY = fileURLToPath(new URL("environments/unruly.ts", import.meta.url));
