import { styleText } from "node:util";

/** A style of Node's `util.styleText`, or several. */
export type Style = Parameters<typeof styleText>[0];

/** Styles a text, or leaves it alone where colours are not wanted. */
export type Paint = (style: Style, text: string) => string;

/** Paints for a stream: honours NO_COLOR, FORCE_COLOR, TERM=dumb and whether the stream is a terminal. */
export function paintFor(stream: NodeJS.WritableStream): Paint {
  return (style, text) => styleText(style, text, { stream });
}

/** Leaves every text as it is. */
export const plainPaint: Paint = (_, text) => text;
