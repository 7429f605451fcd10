import { resolve } from "node:path";
import { expect, test } from "vitest";
import { pathOrName } from "../../../core/cli/path-or-name.js";

test.each([".", "./mine", "../mine", "/mine", "mine/one", "mine.ts", "mine.mjs"])(
  "pathOrName() takes %s for a path from here",
  (use) => {
    expect(pathOrName(use)).toBe(resolve(use));
  },
);

test.each(["dapo", "troupe-plugin-mine", "@mine/one"])("pathOrName() takes %s for a name", (use) => {
  expect(pathOrName(use)).toBe(use);
});
