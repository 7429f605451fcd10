import { stripVTControlCharacters } from "node:util";
import { displayWidth } from "./printable.js";

const CLEAR_TO_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";

/** Shortest time between two paintings: about 8 in a second. */
const PAINT_INTERVAL_MS = 125;

interface Terminal extends NodeJS.WritableStream {
  readonly columns?: number;
  readonly rows?: number;
}

/** Lines at the bottom of a terminal that are painted over and over, below lines that stay. */
export class LiveBlock {
  readonly #terminal: Terminal;
  readonly #draw: (width: number) => readonly string[];
  #painted: readonly string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** @param draw makes the lines, none wider than `width` */
  constructor(terminal: Terminal, draw: (width: number) => readonly string[]) {
    this.#terminal = terminal;
    this.#draw = draw;
    terminal.write(HIDE_CURSOR);
    process.once("exit", this.#showCursor);
    terminal.on("resize", this.#onResize);
    this.#paint();
  }

  /** Asks for a painting soon; many calls make one. */
  refresh(): void {
    if (this.#isClosed) return;
    this.#timer ??= setTimeout(() => this.#paint(), PAINT_INTERVAL_MS).unref();
  }

  /** Writes lines that stay above the block. */
  print(lines: readonly string[]): void {
    this.#paint(lines);
  }

  /** Paints for the last time and gives the cursor back. */
  close(): void {
    if (this.#isClosed) return;
    this.#paint();
    this.#isClosed = true;
    this.#terminal.off("resize", this.#onResize);
    process.off("exit", this.#showCursor);
    this.#showCursor();
  }

  /** Also when the process ends before `close`. */
  readonly #showCursor = (): void => void this.#terminal.write(SHOW_CURSOR);

  readonly #onResize = (): void => this.refresh();

  #paint(above: readonly string[] = []): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const width = this.#terminal.columns ?? 80;
    const height = this.#terminal.rows ?? 24;
    const back = rowsOf(this.#painted, width);
    // The cursor cannot go above the window, so a block that does not fit would be painted again below itself.
    const block = this.#isClosed ? [] : this.#draw(width).slice(0, Math.max(1, height - 1));
    const lines = [...above, ...block].map((line) => `${line}${CLEAR_TO_LINE_END}\n`).join("");
    this.#terminal.write(`${back > 0 ? `\x1b[${back}A\r` : ""}${lines}${CLEAR_BELOW}`);
    this.#painted = block;
  }
}

/** Terminal rows that painted lines take now; a line wider than a window that has become narrower takes several. */
function rowsOf(lines: readonly string[], width: number): number {
  return lines.reduce(
    (sum, line) => sum + Math.max(1, Math.ceil(displayWidth(stripVTControlCharacters(line)) / width)),
    0,
  );
}
