import { printable } from "../render/printable.js";

/** Text that is HTML or SVG already; everything else is escaped on its way in. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  toString(): string {
    return this.text;
  }
}

/** What can stand in a `markup` template. */
export type MarkupValue = string | number | Markup | readonly MarkupValue[];

/**
 * Template tag for HTML and SVG. Strings and numbers are escaped, and stripped of control characters; only what a
 * `markup` template made goes in as it is. So a model's answer is text wherever it stands.
 *
 * @example
 * markup`<td>${"<script>"}</td>`.text; // "<td>&lt;script&gt;</td>"
 */
export function markup(parts: TemplateStringsArray, ...values: readonly MarkupValue[]): Markup {
  return new Markup(parts.map((part, i) => part + (i < values.length ? render(values[i]) : "")).join(""));
}

function render(value: MarkupValue | undefined): string {
  if (value === undefined) return "";
  if (value instanceof Markup) return value.text;
  if (typeof value === "string") return escape(value);
  if (typeof value === "number") return String(value);
  return value.map(render).join("");
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return printable(text).replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character);
}
