import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { kernelSet, kernelSets } from "@troupe/gpu";

/** Two lines: what the figures were measured on, and with which kernels. */
export function machineText(): string {
  const [load = 0] = loadavg();
  const cores = availableParallelism();
  const model = cpus()[0]?.model.trim() ?? "unknown processor";
  const memory = Math.round(totalmem() / 2 ** 30);
  // Half a core is what this process and the system cost by themselves.
  const busy = load > cores / 2 ? ", not quiet: shares of a limit come out too low" : "";
  return [
    `machine  node ${process.versions.node} · ${model} · ${cores} cores · ${memory} GB · load ${load.toFixed(1)}${busy}`,
    `kernels  ${kernelSet()} of ${kernelSets().join(", ")}`,
  ].join("\n");
}
