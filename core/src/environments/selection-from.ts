import type { Selection } from "../hooks/hooks.js";
import type { JsonValue } from "../records/json.js";
import type { Taskset } from "./environment.js";

/** What `select` hooks are shown of a taskset. */
export function selectionFrom(taskset: Taskset, count: number): Selection {
  return {
    size: taskset.size,
    count,
    domains: taskset.domains,
    at: (index) => taskset.at(index),
    fact: (index, name) => factOf(taskset, index, name),
  };
}

/** A fact about a task, for as little as its taskset asks. */
export function factOf(taskset: Taskset, index: number, name: string): JsonValue | undefined {
  return taskset.fact ? taskset.fact(index, name) : taskset.at(index).meta[name];
}
