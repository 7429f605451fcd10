import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL("..", import.meta.url));

export default defineConfig({
  resolve: {
    // Packages name each other by their exports, which point into dist. Tests read sources, and one copy of each
    // module: an error thrown by one copy would not be an instance of the other's class.
    alias: [
      { find: /^@troupe\/core$/, replacement: `${root}core/src/index.ts` },
      { find: /^@troupe\/core\/actors$/, replacement: `${root}core/src/actors/index.ts` },
      { find: /^@troupe\/core\/sdk$/, replacement: `${root}core/src/sdk.ts` },
      { find: /^@troupe\/gpu$/, replacement: `${root}gpu/src/index.ts` },
      { find: /^@troupe\/gpu\/onnx$/, replacement: `${root}gpu/src/onnx/index.ts` },
      { find: /^@troupe\/(environments|plugins)\/([\w-]+)$/, replacement: `${root}$1/$2/index.ts` },
    ],
  },
  test: {
    include: ["**/*.test.ts"],
    exclude: ["dist/**", "node_modules/**"],
    globalSetup: ["./support/data-notice.ts"],
    // Native addons and worker threads need a process of their own.
    pool: "forks",
    maxWorkers: 2,
    // Limits for a hung test alone: a machine that gives it a twentieth of a core must not reach them.
    testTimeout: 900_000,
    hookTimeout: 900_000,
  },
});
