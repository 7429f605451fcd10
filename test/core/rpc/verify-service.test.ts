import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseVerifyRequest, type VerifyReply } from "../../../core/dist/src/rpc/verify-message.js";
import type { VerifyService } from "../../../core/dist/src/rpc/verify-service.js";
import { GATED } from "../../support/gated.js";
import { services, until } from "./open-service.js";

const made = services();
const { begun, gate, item } = made;
const forever = new AbortController().signal;

async function verify(service: VerifyService, items: readonly object[], rest: object = {}): Promise<VerifyReply[]> {
  const { batch } = service.submit(parseVerifyRequest({ items, ...rest }));
  const replies: VerifyReply[] = [];
  for await (const some of batch.replies(forever)) replies.push(...some);
  return replies;
}

const SCORED: readonly string[] = ["pass", "fail", "partial"];

describe("VerifyService.submit()", () => {
  it("gives exactly one reply for every item, whatever befalls the verifier", async () => {
    const service = await made.service({ limitMs: 600_000 });
    const word = fc.oneof(
      { weight: 20, arbitrary: fc.constantFrom("yes", "no", "throw", "abstain", "infinite") },
      { weight: 1, arbitrary: fc.constant("exit") },
    );
    const kinds: Readonly<Record<string, string>> = {
      yes: "pass",
      no: "fail",
      throw: "error",
      infinite: "error",
      abstain: "abstain",
      exit: "infra",
    };
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(word, { minLength: 1, maxLength: 30 }), { minLength: 1, maxLength: 3 }),
        async (batches) => {
          const found = await Promise.all(
            batches.map((words, batch) =>
              verify(
                service,
                words.map((one, index) => item(`${batch}/${index}`, one)),
              ),
            ),
          );
          for (const [batch, words] of batches.entries()) {
            const byId = new Map(found[batch]?.map((reply) => [reply.sample_id, reply]));
            expect(found[batch]).toHaveLength(words.length);
            for (const [index, one] of words.entries()) {
              const reply = byId.get(`${batch}/${index}`);
              expect(reply).toMatchObject({ verdict: kinds[one] });
              expect("score" in (reply ?? {})).toBe(SCORED.includes(reply?.verdict ?? ""));
            }
          }
        },
      ),
      { seed: 3, numRuns: 12 },
    );
  });

  it("ends a verifier that hangs from outside: a timeout for it, verdicts for all others, and it is quarantined", async () => {
    const service = await made.service({ threads: 1, limitMs: 4000 });
    const items = [
      ...["a", "b", "c"].map((id) => item(id)),
      item("poison", "hang"),
      ...["d", "e"].map((id) => item(id)),
    ];
    for (const pass of [1, 2]) {
      const replies = await verify(service, items);
      const poison = replies.find(({ sample_id: id }) => id === "poison");
      expect(poison, `pass ${pass}`).toMatchObject({
        verdict: "timeout",
        reason: expect.stringContaining('quarantined "poison"'),
      });
      expect(poison).not.toHaveProperty("score");
      expect(replies.filter(({ verdict }) => verdict === "pass")).toHaveLength(5);
    }
    // Twice the first time, not at all the second.
    expect(begun().filter((id) => id === "poison")).toHaveLength(2);
  });

  it("serves several verifiers, one of them with settings", async () => {
    const verifiers = { plain: { use: GATED }, kind: { use: GATED, with: { bonus: 0.5 } }, math: { use: "math" } };
    const service = await made.service({ verifiers, threads: 1 });
    const replies = await verify(service, [
      { ...item("a", "no"), verifier: "plain" },
      { ...item("b", "no"), verifier: "kind" },
      { ...item("c", "\\boxed{0.5}"), verifier: "math", ground_truth: ["1/2", "1/3"] },
      { ...item("d", "50"), verifier: "math", ground_truth: "50\\%", meta: { options: { nonsense: 1 } } },
      { ...item("e", "1"), verifier: "math", ground_truth: { tests: [] } },
    ]);
    expect(
      Object.fromEntries(replies.map(({ sample_id: id, verdict, score, reason }) => [id, [verdict, score, reason]])),
    ).toEqual({
      a: ["fail", 0, "other"],
      b: ["partial", 0.5, "bonus"],
      c: ["pass", 1, "equal"],
      d: ["error", undefined, expect.stringContaining("case-not-valid: meta.options: ")],
      e: ["error", undefined, "case-not-valid: ground_truth: a text or a whole number is wanted, or a list of them"],
    });
  });

  it("rejects with what is wrong when settings of a verifier are", async () => {
    await expect(made.service({ verifiers: { bad: { use: GATED, with: { bonus: "much" } } } })).rejects.toMatchObject({
      code: "ENVIRONMENT_CONFIG_NOT_VALID",
    });
  });

  it("refuses new requests while it drains, and lets those under way have their replies", async () => {
    const service = await made.service();
    const { path, open } = gate();
    const held = verify(service, [item("held", "yes", { gate: path })]);
    await until(() => begun().includes("held"));
    let isDrained = false;
    const drained = service.drain(600_000).then(() => (isDrained = true));
    expect(() => service.submit(parseVerifyRequest({ items: [item("new")] }))).toThrow(
      expect.objectContaining({ code: "SERVICE_DRAINING" }),
    );
    expect(isDrained).toBe(false);
    open();
    expect(await held).toMatchObject([{ verdict: "pass" }]);
    await drained;
  });
});
