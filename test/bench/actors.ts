import { ActorSystem, connectNode, createRing, quantile, RingWriter, type ActorRef } from "@troupe/core";
import * as comlink from "comlink";
import type { BenchSession, Findings } from "./area.js";
import { BarePort } from "./bare-port.js";
import { bareStartMs } from "./bare-start.js";
import { echoActor, endpoint, type ComlinkEcho, type EchoProtocol, type SmallMessage } from "./echo-actor.js";
import { Contender, interleave } from "./interleave.js";
import { RawLinks } from "./raw-links.js";
import { BENCH_SECURITY } from "./raw-peer.js";
import { rayCalls } from "./ray-peer.js";
import { secondsOf } from "./repeat.js";
import { middleOf, rateOf, row, type Middle, type Row } from "./row.js";
import { measureStep, type StepSettings } from "./step.js";
import { measureSwaps, type SwapSettings } from "./swaps.js";

/** How long actors are measured for; all but `rounds` are one round's. */
export interface ActorSettings {
  readonly rounds: number;
  /** Round trips one at a time. */
  readonly asks: number;
  /** The same to an actor of the same thread. */
  readonly inlineAsks: number;
  /** Round trips with `IN_FLIGHT` under way. */
  readonly asksInFlight: number;
  readonly tells: number;
  /** Records of `RECORD_BYTES` through a ring. */
  readonly records: number;
  /** Round trips to other processes, one at a time. */
  readonly farAsks: number;
  /** Crashes and restarts of one actor in each place. */
  readonly crashes: number;
  /** Steps of which the runtime's share is measured. */
  readonly step: StepSettings;
  readonly swaps: SwapSettings;
}

const RECORD_BYTES = 64;
/** Share of a demo's step that runtime and store may take. */
const OVERHEAD_LIMIT = 0.03;

const IN_FLIGHT = 64;

const MEGABYTE = 1 << 20;
/** Goals where no bare link is the measure. */
const TELL_GOAL = 1e6;
const DOWN_GOAL_MS = 50;
const BACK_GOAL_MS = { thread: 100, process: 200 } as const;

/** Far above what any answer takes, on a busy machine too. */
const DEADLINE_MS = 60_000;

/** A bare path that moves by more while it is measured says that the machine was not quiet. */
const MOST_DRIFT = 0.1;

type Ask = (message: SmallMessage) => Promise<unknown>;

/** An actor's way, the least that it could be, and another library's. */
interface Race {
  readonly actor: Contender;
  readonly bare: Contender;
  readonly comlink?: Contender;
}

/** Measures asks, tells and records by turns with the bare links that they travel on, in one process. */
export async function measureActors(settings: ActorSettings, session: BenchSession): Promise<Findings> {
  const { rounds, asks, inlineAsks, asksInFlight, tells, records, farAsks, crashes } = settings;
  const { progress } = session;
  const messages = smallMessages(tells);
  const system = new ActorSystem();
  const links = await RawLinks.open();
  const node = await connectNode({ address: links.node, security: BENCH_SECURITY });
  try {
    const thread = await system.spawn(echoActor, null, { placement: { at: "thread" } });
    const ways = await thread.ask("otherWays", null, { deadlineMs: DEADLINE_MS });
    const bare = new BarePort(ways.bare);
    const remote = comlink.wrap<ComlinkEcho>(endpoint(ways.comlink));
    const inline = await system.spawn(echoActor, null);
    const child = await system.spawn(echoActor, null, { placement: { at: "process" } });
    const far = await system.spawn(echoActor, null, { placement: { at: "remote", node, within: "inline" } });
    const ring = await openRing(thread);
    const overThreads = (measure: (ask: Ask) => Promise<number>): Race => ({
      actor: new Contender(() => measure(askOf(thread))),
      bare: new Contender(() => measure((message) => bare.ask(message))),
      comlink: new Contender(() => measure((message) => remote.echo(message))),
    });
    const one = overThreads((ask) => medianRoundTrip(ask, asks));
    const many = overThreads((ask) => secondsOf(() => askInFlight(ask, asksInFlight)));
    const told: Race = {
      actor: new Contender(() => secondsOf(() => tellAll(system, thread, messages))),
      bare: new Contender(() => secondsOf(() => bare.tell(messages))),
    };
    const ringed: Race = {
      actor: new Contender(() => secondsOf(() => writeAll(system, ring, records))),
      bare: new Contender(() => secondsOf(() => bare.tell(smallMessages(records)))),
    };
    const here: Race = {
      actor: new Contender(() => meanRoundTrip(askOf(inline), inlineAsks)),
      bare: new Contender(() => meanRoundTrip(async (message) => message, inlineAsks)),
    };
    const process: Race = {
      actor: new Contender(() => medianRoundTrip(askOf(child), farAsks)),
      bare: new Contender(() => medianRoundTrip((message) => links.askChild(message), farAsks)),
    };
    const grpc: Race = {
      actor: new Contender(() => medianRoundTrip(askOf(far), farAsks)),
      bare: new Contender(() => medianRoundTrip((message) => links.askStream(message), farAsks)),
    };
    const moved: Race = {
      actor: new Contender(() => medianMove(thread, asks)),
      bare: new Contender(() => medianRoundTrip(askOf(thread), asks)),
    };
    const toldOver = (ref: ActorRef<EchoProtocol>): Contender =>
      new Contender(() => secondsOf(() => tellAll(system, ref, messages)));
    const toldChild = toldOver(child);
    const toldFar = toldOver(far);
    const races = [one, many, told, ringed, here, process, grpc, moved, { toldChild, toldFar }];
    for (const [index, race] of races.entries()) {
      progress(`race ${index + 1} of ${races.length}`);
      await interleave(rounds, Object.values(race));
    }
    progress("crashes");
    const thrown = await crashTimes(system, "thread", crashes);
    const ended = await crashTimes(system, "process", crashes);
    progress("Ray");
    const ray = await rayCalls(farAsks);
    const rows = [
      raceRow("ask/thread", "us", one, middleOf),
      raceRow(`ask/thread/${IN_FLIGHT}`, "asks/s", many, (seconds_R) => rateOf(asksInFlight, seconds_R)),
      raceRow("tell/thread", "tells/s", told, (seconds_R) => rateOf(tells, seconds_R)),
      raceRow("ring/thread", "records/s", ringed, (seconds_R) => rateOf(records, seconds_R)),
      raceRow("ask/inline", "us", here, middleOf),
      { ...raceRow("ask/process", "us", process, middleOf), peer: ray.askMicroseconds },
      raceRow("ask/grpc", "us", grpc, middleOf),
      raceRow("move/1MB/thread", "us", moved, middleOf),
      row("tell/process", "tells/s", rateOf(tells, toldChild.readings_R)),
      row("tell/grpc", "tells/s", rateOf(tells, toldFar.readings_R), TELL_GOAL),
      row("crash/down/thread", "ms", middleOf(thrown.down), DOWN_GOAL_MS),
      {
        ...row("crash/back/thread", "ms", middleOf(thrown.back), BACK_GOAL_MS.thread),
        peer: middleOf(thrown.bare).value,
      },
      row("crash/down/process", "ms", middleOf(ended.down), DOWN_GOAL_MS),
      {
        ...row("crash/back/process", "ms", middleOf(ended.back), BACK_GOAL_MS.process),
        peer: middleOf(ended.bare).value,
      },
    ];
    const step = await measureStep(settings.step, session);
    const swaps = await measureSwaps(settings.swaps, session);
    return {
      rows: [...rows, overheadRow(step), ...swaps.rows],
      notes: [
        "peer: comlink. It and the bare port lead to the very thread in which the actor lives.",
        "ask/process: the bare path is Node's own channel to a child; ask/grpc: one stream to an actor inline on its node.",
        `ring/thread: records of ${RECORD_BYTES} bytes; the bare path posts small messages.`,
        `overhead/step: what is neither rollout, verification, training nor publishing; at most ${OVERHEAD_LIMIT} is wanted.`,
        "move/1MB: a megabyte moved there and back; the limit is a small ask. Limits of tell/grpc, crash and swap rows are goals.",
        "crash/back: peer is the start of an empty thread or process by turns with the crashes.",
        ...swaps.notes,
        ray.note,
        ...races.flatMap((race) => ("bare" in race ? driftNote(race.bare) : [])),
      ],
    };
  } finally {
    await system.stop();
    await node.close();
    await links.close();
  }
}

/** Share of a step that the runtime and the store take. */
function overheadRow({ rows }: Findings): Row {
  const share = (name: string): number => rows.find((one) => one.name === `step/${name}/share`)?.value ?? NaN;
  return row("overhead/step", "of step", { value: share("store") + share("other"), spread: null }, OVERHEAD_LIMIT);
}

function raceRow(name: string, unit: string, race: Race, middle: (readings_R: readonly number[]) => Middle): Row {
  return {
    ...row(name, unit, middle(race.actor.readings_R), middle(race.bare.readings_R).value),
    peer: race.comlink ? middle(race.comlink.readings_R).value : null,
  };
}

/** Says when the first and the last third of a probe's readings lie far apart. */
function driftNote({ readings_R }: Contender): string[] {
  const third = Math.ceil(readings_R.length / 3);
  const drift = Math.abs(middleOf(readings_R.slice(-third)).value / middleOf(readings_R.slice(0, third)).value - 1);
  return drift > MOST_DRIFT
    ? [`A bare path drifted by ${Math.round(100 * drift)} % meanwhile: of these figures only the ratios hold.`]
    : [];
}

/** Messages of which the last one asks for the count. */
function smallMessages(count: number): readonly SmallMessage[] {
  return Array.from({ length: count }, (_, id) => ({ id, t: "small", a: 1.5, ok: id < count - 1 }));
}

function askOf(ref: ActorRef<EchoProtocol>): Ask {
  return (message) => ref.ask("echo", message, { deadlineMs: DEADLINE_MS });
}

/** Median of `count` round trips, one after the other, microseconds. */
async function medianRoundTrip(ask: Ask, count: number): Promise<number> {
  const trips: number[] = [];
  for (const message of smallMessages(count)) trips.push(1e6 * (await secondsOf(() => ask(message))));
  return quantile(trips, 0.5);
}

/** Mean of `count` round trips that are too short to be timed one by one, microseconds. */
async function meanRoundTrip(ask: Ask, count: number): Promise<number> {
  const messages = smallMessages(count);
  const seconds = await secondsOf(async () => {
    for (const message of messages) await ask(message);
  });
  return (1e6 * seconds) / count;
}

/** Median of `count` moves of a megabyte there and back, microseconds. */
async function medianMove(ref: ActorRef<EchoProtocol>, count: number): Promise<number> {
  const trips: number[] = [];
  let bytes: Uint8Array = new Uint8Array(MEGABYTE);
  for (let n = 0; n < count; n++) {
    // It is over a buffer of its own, never shared memory.
    const transfer = [bytes.buffer as ArrayBuffer];
    const start = performance.now();
    bytes = await ref.ask("move", bytes, { deadlineMs: DEADLINE_MS, transfer });
    trips.push(1000 * (performance.now() - start));
  }
  return quantile(trips, 0.5);
}

/** Milliseconds from a crash until its watcher hears of it, and until the actor answers again; by turns with bare starts. */
async function crashTimes(
  system: ActorSystem,
  at: "thread" | "process",
  count: number,
): Promise<{ readonly down: readonly number[]; readonly back: readonly number[]; readonly bare: readonly number[] }> {
  const supervision = { restart: "permanent", maxRestarts: count + 1, withinMs: 1, backoffMs: [0, 0] } as const;
  const ref = await system.spawn(echoActor, null, { placement: { at }, supervision });
  const times = { down: [] as number[], back: [] as number[], bare: [] as number[] }; // filled below
  for (let n = 0; n < count; n++) {
    const down = new Promise((resolve) => {
      const unwatch = ref.watch(() => {
        unwatch();
        resolve(undefined);
      });
    });
    const start = performance.now();
    ref.tell("crash", null);
    await down;
    times.down.push(performance.now() - start);
    await askOf(ref)({ id: 0, t: "small", a: 1.5, ok: true });
    times.back.push(performance.now() - start);
    times.bare.push(await bareStartMs(at));
  }
  await ref.stop();
  return times;
}

async function askInFlight(ask: Ask, count: number): Promise<void> {
  const waiting = smallMessages(count).values();
  const lane = async (): Promise<void> => {
    // All lanes draw from the one iterator.
    for (const message of waiting) await ask(message);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
}

/** Tells as fast as the mailbox takes it; resolves when the actor has handled the last message. */
async function tellAll(
  system: ActorSystem,
  ref: ActorRef<EchoProtocol>,
  messages: readonly SmallMessage[],
): Promise<void> {
  const handled = new Promise((resolve) => system.events.once("actor-event", resolve));
  for (const message of messages) {
    if (ref.tell("count", message) === "full") await ref.offer("count", message, { deadlineMs: DEADLINE_MS });
  }
  await handled;
}

/** A ring that the actor reads. */
async function openRing(ref: ActorRef<EchoProtocol>): Promise<RingWriter> {
  const { writer, reader } = createRing(1 << 18);
  await ref.ask("readRing", reader, { deadlineMs: DEADLINE_MS, transfer: [reader.port] });
  return new RingWriter(writer);
}

/** Writes as fast as the ring takes it; resolves when the actor has read the last record. */
async function writeAll(system: ActorSystem, ring: RingWriter, count: number): Promise<void> {
  const read = new Promise((resolve) => system.events.once("actor-event", resolve));
  const record = new Uint8Array(RECORD_BYTES);
  for (let n = 0; n < count; n += 1) {
    if (n === count - 1) record[0] = 1;
    while (!ring.write(record)) await ring.room();
  }
  await read;
}
