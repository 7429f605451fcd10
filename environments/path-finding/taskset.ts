import type { Family } from "../procedural/graded-taskset.js";
import { drawGraph } from "./draw-graph.js";
import { pathOf, searchShortest, textOf, type Graph } from "./graph.js";

/** Shortest paths in small weighted graphs; the difficulty is the number of edges on them. */
export const pathFamily: Family<Graph> = {
  name: "path-finding",
  draw: drawGraph,
  // The way back is no other problem.
  keyOf: (graph) => {
    const [start, goal] = [graph.start, graph.goal].toSorted() as [string, string]; // two were sorted
    return textOf({ ...graph, start, goal });
  },
  taskOf: (graph) => {
    const [ways] = textOf(graph).split(";");
    return {
      prompt: `Ways and their lengths: ${ways}. What is a shortest path from ${graph.start} to ${graph.goal}? Write it like A-B-C.`,
      // A drawn graph is connected along its path.
      reference: pathOf(searchShortest(graph) ?? []).join("-"),
      problem: textOf(graph),
    };
  },
};
