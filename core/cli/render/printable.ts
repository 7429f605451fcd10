/**
 * A text that can do nothing but be read: control characters, escape sequences' first bytes and the marks that turn
 * the reading direction are gone; newlines and tabs stay. For every text that a model or a data set wrote.
 */
export function printable(text: string): string {
  return text.replace(/[^\P{C}\n\t\u200d]|\p{Zl}|\p{Zp}/gu, "");
}

/** A printable text on one line: newlines become "⏎", other white space single spaces. */
export function oneLine(text: string): string {
  return printable(text)
    .trim()
    .replace(/\s*\n\s*/g, " ⏎ ")
    .replace(/[^\S\n]+/g, " ");
}

/** A conversation without the marks of its chat template (`<|im_start|>user`, `<|im_end|>`): what was said, for people. */
export function withoutTemplate(text: string): string {
  return text.replace(/<\|[^|<>\s]*\|>(?:(?:user|assistant|system)\n)?/g, "").trim();
}

/** Columns that a text without control characters takes in a terminal. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** A text cut, or filled with spaces, to exactly `width` columns; a cut shows as "…". */
export function fit(text: string, width: number): string {
  const cut = truncate(text, width);
  return cut + " ".repeat(width - displayWidth(cut));
}

/** A text cut to at most `width` columns; a cut shows as "…". */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let cut = "";
  let used = 0;
  for (const character of text) {
    used += characterWidth(character);
    if (used > width - 1) break;
    cut += character;
  }
  return width > 0 ? `${cut}…` : "";
}

/** A printable text broken into lines of at most `width` columns, at spaces where there are any. */
export function wrap(text: string, width: number): readonly string[] {
  return text.split("\n").flatMap((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const word of paragraph.replaceAll("\t", "  ").split(/(?<= )/)) {
      if (line !== "" && displayWidth(line + word.trimEnd()) > width) {
        lines.push(line.trimEnd());
        line = "";
      }
      line += word;
      while (displayWidth(line.trimEnd()) > width) {
        const head = truncate(line, width + 1).slice(0, -1);
        lines.push(head);
        line = line.slice(head.length);
      }
    }
    return [...lines, line.trimEnd()];
  });
}

function characterWidth(character: string): 0 | 1 | 2 {
  if (/\p{M}|\u200d/u.test(character)) return 0;
  return /\p{Emoji_Presentation}|[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u.test(
    character,
  )
    ? 2
    : 1;
}
