/** A way between two places, in both directions. */
export interface Edge {
  readonly ends: readonly [string, string];
  /** Length, above 0. */
  readonly length: number;
}

/** Places, ways between them, and where to go. */
export interface Graph {
  readonly edges: readonly Edge[];
  readonly start: string;
  readonly goal: string;
}

/** How a graph is written: "A-B 3, B-C 4; A to C". */
export function textOf({ edges, start, goal }: Graph): string {
  return `${edges.map(({ ends, length }) => `${ends.join("-")} ${length}`).join(", ")}; ${start} to ${goal}`;
}

/** Reads a graph's text; undefined when it is none, or names two ways between the same places. */
export function parseGraph(text: string): Graph | undefined {
  const [, ways = "", start, goal] = /^([^;]*); (\w+) to (\w+)$/.exec(text) ?? [];
  if (start === undefined || goal === undefined || start === goal) return undefined;
  const edges = ways.split(", ").map((way): Edge | undefined => {
    const [, a, b, length] = /^(\w+)-(\w+) ([1-9]\d{0,5})$/.exec(way) ?? [];
    return a === undefined || b === undefined || a === b ? undefined : { ends: [a, b], length: Number(length) };
  });
  const graph = { edges: edges.filter((edge) => edge !== undefined), start, goal };
  const isWhole = graph.edges.length === edges.length && lengthsOf(graph).size === 2 * edges.length;
  return isWhole ? graph : undefined;
}

/** Length of the way from one place to a neighbour, by "A-B"; both directions are in it. */
export function lengthsOf({ edges }: Graph): ReadonlyMap<string, number> {
  return new Map(
    edges.flatMap(({ ends: [a, b], length }): [string, number][] => [
      [`${a}-${b}`, length],
      [`${b}-${a}`, length],
    ]),
  );
}

/** A place that a search has settled. */
export interface Settled {
  readonly place: string;
  /** Length of the shortest path to it. */
  readonly distance: number;
  /** The place before it on that path; undefined for the start. */
  readonly before: string | undefined;
}

/**
 * Places in the order in which their shortest paths are known, from the start to the goal; undefined where the goal cannot
 * be reached.
 *
 * Source: Dijkstra, "A note on two problems in connexion with graphs" (1959).
 */
export function searchShortest({ edges, start, goal }: Graph): readonly Settled[] | undefined {
  const settled = new Map<string, Settled>();
  const open = new Map<string, Settled>([[start, { place: start, distance: 0, before: undefined }]]);
  while (!settled.has(goal)) {
    const nearest = [...open.values()].reduce<Settled | undefined>(
      (best, one) => (best === undefined || one.distance < best.distance ? one : best),
      undefined,
    );
    if (nearest === undefined) return undefined;
    open.delete(nearest.place);
    settled.set(nearest.place, nearest);
    for (const { ends, length } of edges) {
      if (!ends.includes(nearest.place)) continue;
      const place = ends[0] === nearest.place ? ends[1] : ends[0];
      const distance = nearest.distance + length;
      if (!settled.has(place) && distance < (open.get(place)?.distance ?? Infinity))
        open.set(place, { place, distance, before: nearest.place });
    }
  }
  return [...settled.values()];
}

/** The path that a search found to the place that it settled last. */
export function pathOf(search: readonly Settled[]): string[] {
  const before = new Map(search.map((settled) => [settled.place, settled.before]));
  const path: string[] = [];
  for (let place = search.at(-1)?.place; place !== undefined; place = before.get(place)) path.unshift(place);
  return path;
}
