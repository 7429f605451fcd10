import { expect, test } from "vitest";
import { afterSlice, atFirstLook, InlineTurns, type TurnEnd } from "../../../core/src/actors/inline-turns.js";
import { settle } from "../../support/manual-clock.js";

/** How many of so many messages are handled in each turn of the thread. */
async function turnsOf(end: TurnEnd, messages: number): Promise<readonly number[]> {
  const turns = new InlineTurns(end);
  const counts: number[] = [];
  let waiting = messages;
  const pump = (): void => {
    let handled = 0;
    do {
      waiting -= 1;
      handled += 1;
    } while (waiting > 0 && turns.goesOn(pump));
    counts.push(handled);
  };
  turns.first(pump);
  // Whoever is told again that a message arrived does not begin a second turn.
  turns.first(pump);
  await Promise.resolve();
  expect(counts).toHaveLength(1);
  while (waiting > 0) await settle();
  await settle();
  return counts;
}

test("InlineTurns handles 16 messages in each turn of the thread when the first look ends it", async () => {
  expect(await turnsOf(atFirstLook, 40)).toEqual([16, 16, 8]);
});

test("InlineTurns looks after every 16 messages whether its turn is over, and goes on in the same turn if not", async () => {
  const thirdLook: TurnEnd = () => {
    let looks = 0;
    return () => ++looks === 3;
  };
  expect(await turnsOf(thirdLook, 100)).toEqual([48, 48, 4]);
});

test("InlineTurns stays over until its next turn begins", async () => {
  const turns = new InlineTurns(atFirstLook);
  let pumps = 0;
  const pump = (): void => void (pumps += 1);
  turns.first(pump);
  await Promise.resolve();
  const goesOn = Array.from({ length: 20 }, () => turns.goesOn(pump));
  expect(goesOn).toEqual([...Array.from({ length: 15 }, () => true), ...Array.from({ length: 5 }, () => false)]);
  await settle();
  expect(pumps).toBe(2);
});

test("afterSlice() ends every turn, and none before its first look", async () => {
  const counts = await turnsOf(afterSlice, 1_000);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(1_000);
  for (const count of counts.slice(0, -1)) expect(count % 16).toBe(0);
});
