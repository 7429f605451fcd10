import { describe, expect, it } from "vitest";
import { verificationShare } from "../../../plugins/tfpi/verification-share.js";

describe("verificationShare()", () => {
  it("counts the lines with a marker when texts have several steps", () => {
    expect(verificationShare(["3+4=7\nCheck 3+4=7 ok\n\n7-9=8", "8+5=3"], ["check"])).toBe(0.25);
  });

  it("gives undefined when there is no step", () => {
    expect(verificationShare(["\n", ""], ["check"])).toBeUndefined();
  });
});
