import { z } from "zod";
import { problemWords, valueAt } from "../config/problem-words.js";
import { errors } from "../errors.js";
import type { JsonObject, JsonValue } from "../records/json.js";
import type { VerdictKind } from "../records/verdict.js";

const text = z.string().min(1);

// What comes from JSON.parse is JSON; it only has to be there.
const json = z.unknown().refine((value): boolean => value !== undefined, "is missing: a JSON value is wanted");

const message = z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: z.string() });

const item = z.strictObject({
  sample_id: text.describe("Unique in the request; names the reply"),
  group_id: z.string().optional().describe("Samples of one prompt; nothing depends on it"),
  verifier: text.describe("Name under which the service has it"),
  verifier_version: text.optional().describe("Wanted version; another one is refused"),
  prompt: z
    .union([z.string(), z.array(message)])
    .default("")
    .describe("Text, or messages"),
  response: z.string().describe("What the policy wrote"),
  response_token_count: z.int().min(0).optional().describe("Of the response; nothing depends on it"),
  ground_truth: json.describe("What the verifier takes for a reference"),
  meta: z.record(z.string(), z.unknown()).default({}).describe("What else the verifier reads"),
});

const request = z.strictObject({
  run_id: z.string().default("").describe("Names the caller's run; idempotency keys belong to it"),
  idempotency_key: text.optional().describe("The same key gets the same answer without a second execution"),
  deadline_ms: z.number().positive().optional().describe("By then every item has its verdict, if need be a timeout"),
  items: z.array(item).min(1),
});

/** One answer to judge. */
export interface VerifyItem extends z.output<typeof item> {
  readonly ground_truth: JsonValue;
  readonly meta: JsonObject;
}

/** A batch of answers to judge, as protocols.md of verification services has it. */
export interface VerifyRequest extends z.output<typeof request> {
  readonly items: VerifyItem[];
}

/** What was found about one answer; `score` only with pass, fail and partial. */
export interface VerifyReply {
  readonly sample_id: string;
  readonly verdict: VerdictKind;
  readonly score?: number;
  /** Named figures: the share of tests that passed. */
  readonly parts?: Readonly<Record<string, number>>;
  readonly reason: string;
  readonly verifier: string;
  readonly verifier_version: string;
  /** The verdict was found for an earlier request with the same key. */
  readonly cached: boolean;
  readonly ms: number;
}

/** Problems that one error lists; the rest are counted. */
const MOST_PROBLEMS = 5;

/**
 * A request from what was received.
 *
 * @throws REQUEST_NOT_VALID with items and fields that are wrong; an id that comes twice is one of them
 */
export function parseVerifyRequest(value: unknown): VerifyRequest {
  const parsed = request.safeParse(value);
  if (!parsed.success) {
    const problems = parsed.error.issues.map(
      (issue) => `${placeOf(issue.path, value)}${problemWords(issue, valueAt(value, issue.path))}`,
    );
    const more = problems.length > MOST_PROBLEMS ? [`and ${problems.length - MOST_PROBLEMS} problems more`] : [];
    throw errors.requestNotValid({ problem: [...problems.slice(0, MOST_PROBLEMS), ...more].join("; ") });
  }
  const places = new Map<string, number>();
  for (const [index, { sample_id: id }] of parsed.data.items.entries()) {
    const first = places.get(id);
    if (first !== undefined)
      throw errors.requestNotValid({
        problem: `items[${index}].sample_id is "${id}", as items[${first}]'s is: an id of its own is wanted`,
      });
    places.set(id, index);
  }
  // Ground truth and meta came from JSON.
  return parsed.data as VerifyRequest;
}

/** "items[3].sample_id (sample "a"): ". */
function placeOf(path: readonly PropertyKey[], value: unknown): string {
  const place = path
    .map((key, index) => (typeof key === "number" ? `[${key}]` : `${index === 0 ? "" : "."}${String(key)}`))
    .join("");
  const id = path[0] === "items" && typeof path[1] === "number" ? sampleIdAt(value, path[1]) : undefined;
  return place === "" ? "" : `${place}${id === undefined ? "" : ` (sample "${id}")`}: `;
}

function sampleIdAt(value: unknown, index: number): string | undefined {
  if (typeof value !== "object" || value === null || !("items" in value) || !Array.isArray(value.items))
    return undefined;
  const one: unknown = value.items[index];
  const id = typeof one === "object" && one !== null && "sample_id" in one ? one.sample_id : undefined;
  return typeof id === "string" && id !== "" ? id : undefined;
}
