import { readdirSync, readFileSync } from "node:fs";
import { ActorSystem, TroupeError, type ActorRef, type Placement } from "@troupe/core";
import { echoActor, type EchoProtocol } from "./echo-actor.js";
import { growthOf, type Reading } from "./growth.js";
import { SwappedRun } from "./swapped-run.js";

/** Growth, after warming up, that a soak may show each hour. */
const MAX_GROWTH = { residentMb: 64, childrenMb: 64, threads: 4, files: 4 };
type Quantity = keyof typeof MAX_GROWTH;
const QUANTITIES = Object.keys(MAX_GROWTH) as readonly Quantity[]; // the names of the object above
const WARM_UP = 0.25;
const LOOK_EVERY_MS = 1_000;
/** Every so many looks a swap of a live run, a crash of an actor in each place, a kill of an actor's process. */
const KILL_EVERY = 20;
const BURST = 256;
/** On a busy machine a process may take a minute to start. */
const DEADLINE_MS = 600_000;

/**
 * For some minutes: asks and tells to actors in every place of this machine, which crash and are restarted; a live run with
 * rollout and verifier actors in processes, of which some are killed, and a new version of its plugin every second. Fails
 * when memory, threads or open files have grown, or a mailbox is not empty at the end.
 */
async function soak(minutes: number): Promise<void> {
  const system = new ActorSystem();
  const supervision = { restart: "permanent", maxRestarts: 1e9, withinMs: 1, backoffMs: [1, 1] } as const;
  const placements: readonly Placement[] = [{ at: "inline" }, { at: "thread" }, { at: "process" }];
  const refs = await Promise.all(
    placements.map((placement) =>
      system.spawn(echoActor, null, { placement, supervision, startDeadlineMs: DEADLINE_MS }),
    ),
  );
  let restarts = 0;
  system.events.on("restart", () => (restarts += 1));
  const run = await SwappedRun.start("process");
  const start = performance.now();
  const end = start + minutes * 60_000;
  const readings = new Map<Quantity, Reading[]>(QUANTITIES.map((name) => [name, []]));
  let messages = 0;
  let kills = 0;
  let looks = 0;
  let nextLook = start;
  while (performance.now() < end) {
    messages += (await Promise.all(refs.map(burst))).reduce((sum, count) => sum + count, 0);
    if (performance.now() < nextLook) continue;
    nextLook = performance.now() + LOOK_EVERY_MS;
    await run.swap();
    for (const ref of refs) ref.tell("crash", null);
    if (++looks % KILL_EVERY === 0) kills += killOneOf(actorProcesses());
    const at = (performance.now() - start) / 3_600_000;
    for (const [name, value] of Object.entries(heldNow())) readings.get(name as Quantity)?.push({ at, value }); // same names
  }
  // Behind the last crash nothing may be left.
  for (const ref of refs) await answerOf(ref);
  const stuck = system.list().filter(({ mailbox }) => mailbox.depth > 0);
  await run.close();
  await system.stop();
  const left = actorProcesses().length;
  const growth = new Map(
    [...readings].map(([name, all]) => [name, growthOf(all.slice(Math.floor(WARM_UP * all.length))).slope]),
  );
  const seconds = (performance.now() - start) / 1000;
  const figures = {
    minutes,
    messages,
    messagesPerSecond: Math.round(messages / seconds),
    swaps: run.pauses.length,
    restarts,
    kills,
    growthPerHour: Object.fromEntries(growth),
    processesLeft: left,
    mailboxesNotEmpty: stuck.length,
  };
  process.stdout.write(process.argv.includes("--json") ? `${JSON.stringify(figures)}\n` : textOf(figures));
  // A short soak sees the noise of the collector; its slope says nothing.
  const hasGrown = QUANTITIES.some((name) => (growth.get(name) ?? 0) > MAX_GROWTH[name]);
  if (stuck.length > 0 || left > 0 || (minutes >= 10 && hasGrown)) process.exitCode = 1;
}

interface Figures {
  readonly minutes: number;
  readonly messages: number;
  readonly messagesPerSecond: number;
  readonly swaps: number;
  readonly restarts: number;
  readonly kills: number;
  readonly growthPerHour: Readonly<Record<string, number>>;
  readonly processesLeft: number;
  readonly mailboxesNotEmpty: number;
}

function textOf(one: Figures): string {
  const growth = Object.entries(one.growthPerHour).map(([name, value]) => `${name} ${value.toFixed(1)}`);
  const did = `${one.messages.toLocaleString("en")} messages (${one.messagesPerSecond.toLocaleString("en")}/s), ${one.swaps} swaps, ${one.restarts} restarts, ${one.kills} processes killed`;
  return `${one.minutes} min: ${did}; growth an hour: ${growth.join(", ")}; ${one.processesLeft} processes left, ${one.mailboxesNotEmpty} mailboxes not empty\n`;
}

/** What this process and its children hold now; on Linux. */
function heldNow(): Readonly<Record<Quantity, number>> {
  const children = actorProcesses().map((pid) => residentBytes(pid));
  return {
    residentMb: process.memoryUsage.rss() / 2 ** 20,
    childrenMb: children.reduce((sum, bytes) => sum + bytes, 0) / 2 ** 20,
    threads: entriesOf("/proc/self/task"),
    files: entriesOf("/proc/self/fd"),
  };
}

/** Ids of the processes that this one started for actors. */
function actorProcesses(): readonly number[] {
  const { pid } = process;
  const children = textAt(`/proc/${pid}/task/${pid}/children`).split(" ").filter(Boolean).map(Number);
  return children.filter((child) => textAt(`/proc/${child}/cmdline`).includes("process-main"));
}

function residentBytes(pid: number): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(textAt(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

function entriesOf(folder: string): number {
  try {
    return readdirSync(folder).length;
  } catch {
    // Not on Linux.
    return 0;
  }
}

function textAt(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // A process that has ended, or not on Linux.
    return "";
  }
}

/** Kills the newest one; whoever lives in it is replaced. */
function killOneOf(pids: readonly number[]): number {
  const pid = pids.at(-1);
  if (pid === undefined) return 0;
  try {
    process.kill(pid, "SIGKILL");
    return 1;
  } catch {
    // It has ended meanwhile.
    return 0;
  }
}

/** One burst of tells and an ask, sent again where a crash was in its way; gives the number of messages. */
async function burst(ref: ActorRef<EchoProtocol>): Promise<number> {
  for (let id = 0; id < BURST; id += 1) {
    const message = { id, t: "small", a: 1.5, ok: true };
    if (ref.tell("count", message) === "full") await ref.offer("count", message, { deadlineMs: DEADLINE_MS });
  }
  await answerOf(ref);
  return BURST + 1;
}

/** An answer; asked again when a crash was in its way. */
async function answerOf(ref: ActorRef<EchoProtocol>): Promise<void> {
  for (;;) {
    try {
      return void (await ref.ask("echo", { id: BURST, t: "small", a: 1.5, ok: true }, { deadlineMs: DEADLINE_MS }));
    } catch (error) {
      if (!(error instanceof TroupeError) || error.code !== "ACTOR_DOWN") throw error;
    }
  }
}

const minutes = Number(process.argv[2] ?? 5);
if (Number.isFinite(minutes) && minutes > 0) await soak(minutes);
else {
  process.stderr.write(
    `Cannot soak for "${process.argv[2]}": minutes above 0 are wanted, as in npm run soak:actors 30\n`,
  );
  process.exitCode = 2;
}
