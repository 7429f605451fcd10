import type { Teacher } from "@troupe/core/sdk";
import { problemTextOf, workedTeacher } from "../procedural/worked-teacher.js";
import { parseGraph, pathOf, searchShortest, type Graph } from "./graph.js";
import type { Settings } from "./settings.js";

/** Settles one place after the other; where a demonstration is to be wrong, the path is read off wrongly. */
export function pathTeacher({ teacher }: Settings): Teacher {
  return workedTeacher("path-finding", teacher.errorRate, (task, isRight, random) => {
    const graph = parseGraph(problemTextOf(task) ?? "");
    const search = graph && searchShortest(graph);
    if (graph === undefined || search === undefined) return undefined;
    const lines = search.map(({ place, distance, before }) =>
      before === undefined ? `${place} 0` : `${place} ${distance} by ${before}`,
    );
    const path = pathOf(search);
    if (isRight) return { lines, answer: path.join("-") };
    // Every shortest path has as many edges, so one place less or one more is always wrong.
    const place = random.integer(1, Math.max(path.length - 1, 2));
    const misread = path.length > 2 ? path.toSpliced(place, 1) : path.toSpliced(1, 0, anyOther(graph));
    return { lines, answer: misread.join("-") };
  });
}

function anyOther({ edges, start, goal }: Graph): string {
  const other = edges.flatMap(({ ends }) => ends).find((place) => place !== start && place !== goal);
  // A start that is its own neighbour: no graph has such an edge.
  return other ?? start;
}
