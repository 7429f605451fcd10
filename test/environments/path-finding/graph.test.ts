import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deriveKey, Random } from "../../../core/src/numerics/random.js";
import { drawGraph } from "../../../environments/path-finding/draw-graph.js";
import {
  lengthsOf,
  parseGraph,
  pathOf,
  searchShortest,
  textOf,
  type Graph,
} from "../../../environments/path-finding/graph.js";
import { pathVerifier } from "../../../environments/path-finding/verifier.js";
import { makeTrajectory } from "../../plugins/hook-contexts.js";

/** Every path without a place twice, with its length. */
function allPaths(graph: Graph): { readonly path: readonly string[]; readonly length: number }[] {
  const lengths = lengthsOf(graph);
  const places = [...new Set(graph.edges.flatMap(({ ends }) => ends))];
  const walk = (path: readonly string[], length: number): { path: readonly string[]; length: number }[] => {
    const here = path.at(-1)!;
    if (here === graph.goal) return [{ path, length }];
    return places
      .filter((place) => !path.includes(place) && lengths.has(`${here}-${place}`))
      .flatMap((place) => walk([...path, place], length + lengths.get(`${here}-${place}`)!));
  };
  return walk([graph.start], 0);
}

const verify = (answer: string, reference: string, problem: string) =>
  pathVerifier.verify(
    { id: "t", domain: "path-finding", prompt: [], reference, meta: { problem } },
    makeTrajectory("x", "t", 0, { response: `</think>\\boxed{${answer}}` }),
  );

describe("drawGraph()", () => {
  it("draws graphs whose shortest paths, and only they, pass, and have as many edges as the difficulty says", () => {
    let ties = 0;
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 5 }), (seed, steps) => {
        const graph = drawGraph(new Random(deriveKey(seed)), steps);
        expect(parseGraph(textOf(graph))).toEqual(graph);
        const paths = allPaths(graph);
        const least = Math.min(...paths.map(({ length }) => length));
        const search = searchShortest(graph)!;
        expect(search.at(-1)!.distance).toBe(least);
        const reference = pathOf(search).join("-");
        const shortest = paths.filter(({ length }) => length === least);
        ties += shortest.length - 1;
        expect(shortest.map(({ path }) => path.length - 1)).toEqual(shortest.map(() => steps));
        for (const { path, length } of paths.slice(0, 40)) {
          const kind = length === least ? "pass" : "fail";
          expect(verify(path.join("-"), reference, textOf(graph))).toMatchObject({ kind });
        }
      }),
      { seed: 3, numRuns: 200 },
    );
    expect(ties).toBeGreaterThan(5);
  });
});

describe("pathVerifier.verify()", () => {
  const problem = "A-B 3, A-C 9, A-D 2, B-C 4, C-D 5; A to C";

  it.each([
    ["A-B-C", "pass", "equal"],
    ["A-D-C", "pass", "equal"],
    ["A \\to D \\to C", "pass", "equal"],
    ["\\text{A -> B -> C}", "pass", "equal"],
    ["A, B, C", "pass", "equal"],
    ["A-C", "fail", "not-shortest: length 9, shortest is 7"],
    ["A-D-A-B-C", "fail", "not-shortest: length 11, shortest is 7"],
    ["B-C", "fail", "wrong-start: got B, want A"],
    ["A-B", "fail", "wrong-goal: got B, want C"],
    ["A-B-D-C", "fail", "no-such-edge: B-D"],
    ["A--C", "fail", 'unparsable: found "A--C"'],
    ["7", "fail", "wrong-start: got 7, want A"],
  ])("judges %s as it should when it is boxed", (answer, kind, reason) => {
    expect(verify(answer, "A-B-C", problem)).toMatchObject({ kind, reason });
  });

  it.each([
    ["is no shortest path", "A-C", problem],
    ["is no path", "A-E-C", problem],
    ["belongs to no graph", "A-B-C", "A to C"],
    ["belongs to a graph with two ways between places", "A-B", "A-B 3, B-A 2; A to B"],
    ["belongs to a graph whose goal cannot be reached", "A-B", "A-C 3, B-D 2; A to B"],
  ])("gives an error when the reference %s", (_what, reference, graph) => {
    expect(verify(reference, reference, graph)).toMatchObject({ kind: "error" });
  });
});
