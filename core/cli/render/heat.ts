import { oneLine } from "./printable.js";

/** What the colour of a token can show. */
export const HEATS = ["logprob", "entropy", "advantage"] as const;

/** One of the quantities that a token's colour can show. */
export type Heat = (typeof HEATS)[number];

/** 256-colour backgrounds, weak to strong: orange for surprise and for negative advantage, blue for positive. */
const ORANGE = [230, 223, 215, 208, 202] as const;
const BLUE = [195, 153, 111, 75, 33] as const;
const BLACK_INK = 16;
const LEVELS = ["▁", "▂", "▃", "▅", "▇"] as const;

/**
 * Token texts with their values as colours; without colours, each token is followed by a bar (and a minus sign for a
 * negative advantage). The scale reaches from 0 to the largest magnitude.
 *
 * @param pieces text of each token
 * @param values one number a token: nats, or an advantage
 */
export function heatText(pieces: readonly string[], values: Float32Array, heat: Heat, hasColour: boolean): string {
  const most = values.reduce((largest, value) => Math.max(largest, Math.abs(value)), 0);
  return pieces
    .map((piece, t) => {
      const value = values[t] ?? 0;
      const share = most === 0 ? 0 : Math.abs(value) / most;
      const level = Math.min(LEVELS.length - 1, Math.floor(share * LEVELS.length));
      const isNegative = heat === "advantage" && value < 0;
      // A newline is shown and kept, so that the text has the shape that the policy gave it.
      const text = `${visible(piece)}${piece.includes("\n") ? "\n" : ""}`;
      if (value === 0) return text;
      if (!hasColour)
        return `${text.trimEnd()}${isNegative ? "-" : ""}${LEVELS[level]}${text.endsWith("\n") ? "\n" : ""}`;
      const ramp = heat === "advantage" && !isNegative ? BLUE : ORANGE;
      return text.replace(/^[^\n]+/, (body) => `\x1b[48;5;${ramp[level]};38;5;${BLACK_INK}m${body}\x1b[0m`);
    })
    .join("");
}

/** The legend of a heat text. */
export function heatLegend(heat: Heat, values: Float32Array): string {
  const [low, high] = values.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [0, 0]);
  const unit = heat === "advantage" ? "" : " nats";
  return `${heat} from ${low.toFixed(2)} to ${high.toFixed(2)}${unit}; stronger is ${
    { logprob: "more surprising", entropy: "less certain", advantage: "farther from 0 (blue above, orange below)" }[
      heat
    ]
  }`;
}

function visible(piece: string): string {
  const leading = piece.startsWith(" ") ? " " : "";
  const trailing = piece.length > 1 && piece.endsWith(" ") ? " " : "";
  return `${leading}${oneLine(piece)}${piece.includes("\n") ? "⏎" : ""}${trailing}`;
}
