// The verifier pool by itself, for a trainer that samples and learns elsewhere.
//
//     node examples/dist/embedding/verifiers-only.js
import { createVerifiers } from "@troupe/core";

const verifiers = await createVerifiers({ use: "arithmetic", actors: 2 });
try {
  const task = { id: "sum", reference: "3" };
  const responses = ["1 plus 2.\n</think>\n\n\\boxed{3}", "I guess.\n</think>\n\n\\boxed{4}", "no answer at all"];
  const verdicts = await verifiers.verify(task, responses);
  for (const [index, { kind, reason }] of verdicts.entries())
    console.log(`${JSON.stringify(responses[index])}: ${kind}, ${reason}`);
} finally {
  await verifiers.close();
}
