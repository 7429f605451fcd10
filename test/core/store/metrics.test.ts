import { readFile } from "node:fs/promises";
import { describe, expect, it } from "vitest";
import { METRICS, metricsTable } from "../../../core/src/store/metrics.js";

describe("METRICS", () => {
  it("has names of the form area/name or area/name/stat", () => {
    for (const name of Object.keys(METRICS)) expect(name).toMatch(/^[a-z]+(\/[a-z0-9_]+){1,2}$/);
  });

  it("is the table in core/docs/metrics.md", async () => {
    const page = await readFile(new URL("../../../core/docs/metrics.md", import.meta.url), "utf8");
    expect(page).toContain(metricsTable());
  });
});
