import type { Random } from "@troupe/core/sdk";
import type { Edge, Graph } from "./graph.js";

const NAMES = [..."ABCDEFGHIJKLMNOPQRSTUVWXYZ"];

interface Place {
  readonly name: string;
  readonly level: number;
  readonly height: number;
}

/**
 * A graph of 2 · `steps` + 1 places in which every shortest path from start to goal has exactly `steps` edges.
 *
 * A path of that many edges goes through levels 0, 1, …, `steps`; a place's height is its distance from the start. Every
 * other place has a level, and a height from that of the path at its level up to, but below, the path at the next. An edge is
 * as long as its ends differ in height, plus a slack s ≥ 0, and s ≥ 1 unless its ends are on neighbouring levels. The
 * lengths along any path from start to goal thus sum to at least the height of the goal, and to no more only where every
 * edge has no slack and climbs, which is one level at a time.
 */
export function drawGraph(random: Random, steps: number): Graph {
  const names = random.shuffle(NAMES);
  const path: Place[] = [];
  for (let level = 0; level <= steps; level++)
    path.push({
      name: names[level] as string, // the settings keep 2 · steps + 1 within the names
      level,
      height: (path.at(-1)?.height ?? 0) + (level === 0 ? 0 : random.integer(1, 10)),
    });
  const aside = names.slice(steps + 1, 2 * steps + 1).map((name): Place => {
    const level = random.integer(0, steps);
    const [low, high] = [path[level] as Place, path[level + 1] as Place]; // levels 0 to `steps` are all there
    return { name, level, height: random.integer(low.height, high.height) };
  });
  const edges = new Map<string, Edge>();
  const connect = (a: Place, b: Place, slack: number): void => {
    const [first, second] = a.name < b.name ? [a, b] : [b, a];
    const key = `${first.name}-${second.name}`;
    if (a !== b && !edges.has(key))
      edges.set(key, { ends: [first.name, second.name], length: Math.abs(a.height - b.height) + slack });
  };
  path.slice(1).forEach((place, level) => connect(path[level] as Place, place, 0)); // level is that of the place before
  const places = [...path, ...aside];
  for (const place of aside) {
    // Beside the path, so that it competes with it, and anywhere.
    for (const other of [path[place.level - 1], path[place.level + 1], random.pick(places)]) {
      if (other === undefined) continue;
      const isNext = Math.abs(place.level - other.level) === 1;
      connect(place, other, isNext ? random.integer(0, 3) : random.integer(1, 6));
    }
  }
  const [start, goal] = [names[0] as string, names[steps] as string]; // as above
  // In the order of the names the path does not show.
  return { edges: [...edges.entries()].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, edge]) => edge), start, goal };
}
