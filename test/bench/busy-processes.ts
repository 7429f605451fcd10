import { spawn } from "node:child_process";
import { once } from "node:events";

/** Whatever `work` gives while `count` processes of their own compute without end. */
export async function withBusyProcesses<Result>(count: number, work: () => Promise<Result>): Promise<Result> {
  const program = 'process.stdout.write("busy"); for (;;);';
  const processes = Array.from({ length: count }, () =>
    spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "ignore"] }),
  );
  try {
    await Promise.all(processes.map(({ stdout }) => once(stdout, "data")));
    return await work();
  } finally {
    for (const one of processes) one.kill("SIGKILL");
  }
}
