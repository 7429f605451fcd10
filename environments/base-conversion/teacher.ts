import type { Random, Teacher } from "@troupe/core/sdk";
import { problemTextOf, workedTeacher, type Working } from "../procedural/worked-teacher.js";
import { digitsOf, parseConversion, type Conversion } from "./conversion.js";
import type { Settings } from "./settings.js";

/** Converts by way of base 10: digit by digit into it, remainder by remainder out of it. */
export function conversionTeacher({ teacher }: Settings): Teacher {
  return workedTeacher("base-conversion", teacher.errorRate, (task, isRight, random) => {
    const conversion = parseConversion(problemTextOf(task) ?? "");
    return conversion && work(conversion, isRight, random);
  });
}

function work({ value, from, to }: Conversion, isRight: boolean, random: Random): Working {
  // A slip makes the last digit another one.
  const last = isRight ? value % to : ((value % to) + random.integer(1, to)) % to;
  const reached = value - (value % to) + last;
  const into = from === 10 ? [] : intoDecimal(digitsOf(value, from), from, reached);
  const outOf = to === 10 ? [] : outOfDecimal(value, reached, to, from === 10);
  return { lines: [...into, ...outOf], answer: digitsOf(reached, to) };
}

/** "1=1", "1*2+1=3", …; the last line arrives at `reached`. */
function intoDecimal(digits: string, base: number, reached: number): string[] {
  let value = 0;
  return [...digits].map((digit, index) => {
    const worth = parseInt(digit, 36);
    const left = index === 0 ? digit : `${value}*${base}+${worth}`;
    value = value * base + worth;
    return `${left}=${index === digits.length - 1 ? reached : value}`;
  });
}

/** "13/2=6 r 1", "6/2=3 r 0", …; the slip, where there is one, lies in the first remainder or in the way there. */
function outOfDecimal(value: number, reached: number, base: number, isGiven: boolean): string[] {
  const lines: string[] = [];
  for (let left = reached; lines.length === 0 || left > 0; left = Math.floor(left / base)) {
    const shown = lines.length === 0 && isGiven ? value : left;
    lines.push(`${shown}/${base}=${Math.floor(left / base)} r ${left % base}`);
  }
  return lines;
}
