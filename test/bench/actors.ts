import { ActorSystem, quantile, type ActorRef } from "@troupe/core";
import * as comlink from "comlink";
import type { BenchSession, Findings } from "./area.js";
import { BarePort } from "./bare-port.js";
import { echoActor, endpoint, type ComlinkEcho, type EchoProtocol, type SmallMessage } from "./echo-actor.js";
import { Contender, interleave } from "./interleave.js";
import { secondsOf } from "./repeat.js";
import { middleOf, rateOf, row, type Middle, type Row } from "./row.js";

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
}

const IN_FLIGHT = 64;

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

/** Measures asks and tells by turns with the bare message port and with comlink, in one process. */
export async function measureActors(
  settings: ActorSettings,
  { progress }: Pick<BenchSession, "progress">,
): Promise<Findings> {
  const { rounds, asks, inlineAsks, asksInFlight, tells } = settings;
  const messages = smallMessages(tells);
  const system = new ActorSystem();
  try {
    const thread = await system.spawn(echoActor, null, { placement: { at: "thread" } });
    const ways = await thread.ask("otherWays", null, { deadlineMs: DEADLINE_MS });
    const bare = new BarePort(ways.bare);
    const remote = comlink.wrap<ComlinkEcho>(endpoint(ways.comlink));
    const inline = await system.spawn(echoActor, null);
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
    const here: Race = {
      actor: new Contender(() => meanRoundTrip(askOf(inline), inlineAsks)),
      bare: new Contender(() => meanRoundTrip(async (message) => message, inlineAsks)),
    };
    for (const [index, race] of [one, many, told, here].entries()) {
      progress(`race ${index + 1} of 4`);
      await interleave(rounds, Object.values(race));
    }
    return {
      rows: [
        raceRow("ask/thread", "us", one, middleOf),
        raceRow(`ask/thread/${IN_FLIGHT}`, "asks/s", many, (seconds_R) => rateOf(asksInFlight, seconds_R)),
        raceRow("tell/thread", "tells/s", told, (seconds_R) => rateOf(tells, seconds_R)),
        raceRow("ask/inline", "us", here, middleOf),
      ],
      notes: [
        "peer: comlink. It and the bare port lead to the very thread in which the actor lives.",
        ...[one, many, told].flatMap(({ bare: probe }) => driftNote(probe)),
      ],
    };
  } finally {
    await system.stop();
  }
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
    while (ref.tell("count", message) === "full") await new Promise((resolve) => setImmediate(resolve));
  }
  await handled;
}
