import { ActorSystem, type ActorRef, type Placement } from "@troupe/core";
import { echoActor, type EchoProtocol } from "./echo-actor.js";

/** Growth of the resident memory, after warming up, that a soak may show: bytes an hour. */
const MAX_GROWTH = 64 * 2 ** 20;
const WARM_UP = 0.25;
const LOOK_EVERY_MS = 1_000;
const BURST = 256;

/** Asks, tells and restarts for some minutes, and fails when memory, mailboxes or handles have grown. */
async function soak(minutes: number): Promise<void> {
  const system = new ActorSystem();
  const supervision = { restart: "permanent", maxRestarts: 1e9, withinMs: 1, backoffMs: [1, 1] } as const;
  const placements: readonly Placement[] = [{ at: "inline" }, { at: "thread" }, { at: "process" }];
  const refs = await Promise.all(
    placements.map((placement) => system.spawn(echoActor, null, { placement, supervision })),
  );
  const handles = heldHandles();
  const start = performance.now();
  const end = start + minutes * 60_000;
  const readings: { readonly hours: number; readonly bytes: number }[] = [];
  let messages = 0;
  let nextLook = start;
  while (performance.now() < end) {
    messages += (await Promise.all(refs.map(burst))).reduce((sum, count) => sum + count, 0);
    if (performance.now() < nextLook) continue;
    nextLook = performance.now() + LOOK_EVERY_MS;
    readings.push({ hours: (performance.now() - start) / 3_600_000, bytes: process.memoryUsage.rss() });
  }
  const warm = readings.slice(Math.floor(WARM_UP * readings.length));
  const growth = slopeOf(warm);
  const stuck = system.list().filter(({ mailbox }) => mailbox.depth > 0);
  const left = heldHandles() - handles;
  await system.stop();
  const rate = Math.round(messages / ((performance.now() - start) / 1000));
  const figures = {
    readings: readings.length,
    minutes,
    messages,
    messagesPerSecond: rate,
    growthMbPerHour: growth / 2 ** 20,
    handles: left,
  };
  process.stdout.write(
    process.argv.includes("--json")
      ? `${JSON.stringify(figures)}\n`
      : `${minutes} min, ${messages.toLocaleString("en")} messages (${rate.toLocaleString("en")}/s), memory ${figures.growthMbPerHour.toFixed(1)} MB an hour, ${left} handles more, ${stuck.length} mailboxes not empty\n`,
  );
  // A short soak sees the noise of the collector; its slope says nothing.
  if (stuck.length > 0 || left > 0 || (minutes >= 10 && growth > MAX_GROWTH)) process.exitCode = 1;
}

/** Threads, ports, pipes and processes; timers and turns come and go. */
function heldHandles(): number {
  return process.getActiveResourcesInfo().filter((name) => name !== "Timeout" && name !== "Immediate").length;
}

/** One burst of tells and an ask; gives the number of messages. */
async function burst(ref: ActorRef<EchoProtocol>): Promise<number> {
  for (let id = 0; id < BURST; id += 1) {
    const message = { id, t: "small", a: 1.5, ok: true };
    if (ref.tell("count", message) === "full") await ref.offer("count", message, { deadlineMs: 60_000 });
  }
  await ref.ask("echo", { id: BURST, t: "small", a: 1.5, ok: true }, { deadlineMs: 60_000 });
  return BURST + 1;
}

/** Least squares slope, bytes an hour. */
function slopeOf(readings: readonly { readonly hours: number; readonly bytes: number }[]): number {
  const mean = (pick: (one: { hours: number; bytes: number }) => number): number =>
    readings.reduce((sum, one) => sum + pick(one), 0) / Math.max(1, readings.length);
  const [hours, bytes] = [mean((one) => one.hours), mean((one) => one.bytes)];
  const covariance = mean((one) => (one.hours - hours) * (one.bytes - bytes));
  const variance = mean((one) => (one.hours - hours) ** 2);
  return variance === 0 ? 0 : covariance / variance;
}

const minutes = Number(process.argv[2] ?? 5);
if (Number.isFinite(minutes) && minutes > 0) await soak(minutes);
else {
  process.stderr.write(
    `Cannot soak for "${process.argv[2]}": minutes above 0 are wanted, as in npm run soak:actors 30\n`,
  );
  process.exitCode = 2;
}
