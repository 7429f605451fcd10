/** A time of day as it was written. */
interface ClockTime {
  /** Since midnight; on a twelve-hour face where `half` is absent. */
  readonly minutes: number;
  readonly half?: "a" | "p";
}

/** "3:00 p.m.", "3 PM", "15:00"; undefined for all else. A ratio such as 10:30 reads as a time as well. */
function clockTime(text: string): ClockTime | undefined {
  const plain = text
    .replace(/\\(?:text|mathrm|textrm|mbox)\s*\{([^{}]*)\}/g, "$1")
    .replace(/\{:\}/g, ":")
    .replace(/\\[,;: !]|[~$\s]/g, "")
    .toLowerCase();
  const [, hours, minutes, half] = /^(\d{1,2})(?::(\d\d))?(?:([ap])\.?m\.?)?$/.exec(plain) ?? [];
  if (hours === undefined || (minutes === undefined && half === undefined)) return undefined;
  const hour = Number(hours);
  if (hour > (half === undefined ? 23 : 12) || Number(minutes ?? 0) > 59) return undefined;
  const since = (half === undefined ? hour : hour % 12) * 60 + Number(minutes ?? 0);
  if (half !== "a" && half !== "p") return { minutes: since };
  return { minutes: since + (half === "p" ? 720 : 0), half };
}

/** Whether a text is a time of day and cannot be anything else: it says a.m. or p.m. */
export function isClockTime(text: string): boolean {
  return clockTime(text)?.half !== undefined;
}

/**
 * Whether two texts name the same time of day; undefined where neither says a.m. or p.m., or one is no time. What is
 * left out may be either half of the day: "11:00" is met by "11:00 a.m.", and "3:00 p.m." by "3:00" and "15:00".
 */
export function isSameTime(gold: string, answer: string): boolean | undefined {
  const [g, a] = [clockTime(gold), clockTime(answer)];
  if (g === undefined || a === undefined || (g.half ?? a.half) === undefined) return undefined;
  const isOpen = g.half === undefined || a.half === undefined;
  return g.minutes === a.minutes || (isOpen && Math.abs(g.minutes - a.minutes) === 720);
}
