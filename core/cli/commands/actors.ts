import type { Command } from "commander";
import type { ActorStatus } from "../../src/actors/actor-status.js";
import { seconds } from "../../src/actors/diagnosis.js";
import type { ActorsRecord } from "../../src/store/actors-file.js";
import { oneLine, truncate } from "../render/printable.js";
import { textTable } from "../render/table.js";
import { runActors } from "../run-actors.js";

/** `troupe actors [RUN]`: the actor tree of a run with mailboxes and restarts, live or as it was last. */
export function define(command: Command, program: Command): void {
  command
    .argument("[run]", "number, name or path; the latest run unless given")
    .addHelpText(
      "after",
      `
A live run writes its actors once a second; of a run that ended or died, its last word is shown.
Ends and dead letters are those of this attempt.

Example:
  troupe actors 7`,
    )
    .action(async (wanted: string | undefined) => {
      const { title, record, state, freshness } = await runActors(wanted);
      if (program.opts<{ json?: boolean }>().json) {
        process.stdout.write(`${JSON.stringify({ type: "actors", run: title, state, ...record })}\n`);
        return;
      }
      const lines = [`${title}: ${freshness}`, "", tree(record), ...ends(record), ...deadLetters(record)];
      process.stdout.write(`${lines.join("\n")}\n`);
    });
}

function tree({ actors, at }: ActorsRecord): string {
  if (actors.length === 0) return "no actor";
  return textTable(inTreeOrder(actors), [
    { title: "actor", cell: ({ actor, depth }) => `${"  ".repeat(depth)}${actor.address}` },
    { title: "placement", cell: ({ actor }) => actor.placement },
    { title: "state", cell: ({ actor }) => actor.state },
    {
      title: "works on",
      cell: ({ actor: { current } }) => (current ? `"${current.type}" for ${seconds(at - current.since)}` : ""),
    },
    { title: "mailbox", align: "right", cell: ({ actor: { mailbox } }) => `${mailbox.depth}/${mailbox.capacity}` },
    {
      title: "oldest ask",
      align: "right",
      cell: ({ actor: { oldestAskAt } }) => (oldestAskAt === undefined ? "" : seconds(at - oldestAskAt)),
    },
    { title: "restarts", align: "right", cell: ({ actor }) => String(actor.restarts) },
  ]);
}

/** Children below their parents; a child whose parent is gone stands alone. */
function inTreeOrder(
  actors: readonly ActorStatus[],
): readonly { readonly actor: ActorStatus; readonly depth: number }[] {
  const known = new Set(actors.map(({ address }) => address));
  const below = (parent: string | undefined, depth: number): { actor: ActorStatus; depth: number }[] =>
    actors
      .filter((actor) => (actor.parent !== undefined && known.has(actor.parent) ? actor.parent : undefined) === parent)
      .flatMap((actor) => [{ actor, depth }, ...below(actor.address, depth + 1)]);
  return below(undefined, 0);
}

function ends({ ends: all, at }: ActorsRecord): readonly string[] {
  const shown = all.filter(({ reason }) => reason !== "stopped").slice(-5);
  if (shown.length === 0) return [];
  return [
    "",
    "last ends",
    ...shown.map(
      (end) =>
        `  ${seconds(at - end.at)} ago  ${end.address} #${end.incarnation} ${end.reason}${end.restarts ? ", restarted" : ""}${end.problem === undefined ? "" : `: ${truncate(oneLine(end.problem), 100)}`}`,
    ),
  ];
}

function deadLetters({ deadLetters: counts }: ActorsRecord): readonly string[] {
  const some = Object.entries(counts).filter(([, count]) => count > 0);
  return some.length === 0
    ? []
    : ["", `dead letters: ${some.map(([reason, count]) => `${count} ${reason}`).join(", ")}`];
}
