import { boxedVerifier, EQUAL, quote, wrong } from "../procedural/boxed-verifier.js";
import { problemTextOf } from "../procedural/worked-teacher.js";
import { lengthsOf, parseGraph, searchShortest, type Graph } from "./graph.js";

/**
 * Measures the boxed path in the graph of `meta.problem` and compares its length with that of a shortest path, which is
 * searched for anew: every shortest path passes. The reference must be one, or the task cannot be used.
 *
 * Reasons of a fail of its own: unparsable, wrong-start, wrong-goal, no-such-edge, not-shortest.
 */
export const pathVerifier = boxedVerifier("path-finding", "1.0.0", (task) => {
  const graph = parseGraph(problemTextOf(task) ?? "");
  const shortest = graph && searchShortest(graph)?.at(-1)?.distance;
  const reference = parsePath(task.reference);
  if (graph === undefined || shortest === undefined || reference === undefined) return undefined;
  if (measure(reference, graph).length !== shortest) return undefined;
  return (answer) => {
    const path = parsePath(answer);
    if (path === undefined) return wrong(`unparsable: found "${quote(answer)}"`);
    const { length, problem } = measure(path, graph);
    if (problem !== undefined) return wrong(problem);
    return length === shortest ? EQUAL : wrong(`not-shortest: length ${length}, shortest is ${shortest}`);
  };
});

/** Places between hyphens, arrows or commas; `\text{}` and math signs around them are passed over. */
function parsePath(text: string): readonly string[] | undefined {
  const plain = text
    .replace(/\\(?:text|mathrm|textbf|mathbf)\s*\{([^{}]*)\}/g, "$1")
    .replace(/\\(?:to|rightarrow|longrightarrow)(?![a-zA-Z])|→|-+>|–|−/g, "-")
    .replace(/\\[,;:! ]|\$/g, " ");
  const places = plain.split(/[-,]/).map((place) => place.trim());
  return places.every((place) => /^\w+$/.test(place)) ? places : undefined;
}

/** Length of a path from start to goal, or what is wrong with it. */
function measure(path: readonly string[], graph: Graph): { readonly length?: number; readonly problem?: string } {
  const [first = "", last = ""] = [path[0], path.at(-1)];
  if (first !== graph.start) return { problem: `wrong-start: got ${quote(first)}, want ${graph.start}` };
  if (last !== graph.goal) return { problem: `wrong-goal: got ${quote(last)}, want ${graph.goal}` };
  const lengths = lengthsOf(graph);
  let length = 0;
  for (const [index, place] of path.slice(1).entries()) {
    const edge = `${path[index]}-${place}`;
    const step = lengths.get(edge);
    if (step === undefined) return { problem: `no-such-edge: ${quote(edge)}` };
    length += step;
  }
  return { length };
}
