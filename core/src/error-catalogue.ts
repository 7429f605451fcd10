/** What an error of a catalogue says; `message` quotes strings and ends without a period. */
export interface ErrorEntry<Details> {
  readonly message: (details: Details) => string;
  readonly hint: string | ((details: Details) => string);
  /** Exit code of the command line when this error ends it; 1 (a bug) unless given. */
  readonly exitCode?: number;
}

/** An error with a permanent code and a hint; `details` holds the values its message was made from. */
export class TroupeError extends Error {
  readonly code: string;
  readonly hint: string;
  readonly exitCode: number;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: string,
    message: string,
    options: { hint: string; exitCode?: number; details?: object; cause?: unknown },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "TroupeError";
    this.code = code;
    this.hint = options.hint;
    this.exitCode = options.exitCode ?? 1;
    this.details = { ...options.details };
  }
}

type Maker<Entry> =
  Entry extends ErrorEntry<infer Details> ? (details: Details, cause?: unknown) => TroupeError : never;

/**
 * Turns a table of entries into one constructor per error. The code is the key in capitals:
 * `groupTooSmall` makes errors with code `GROUP_TOO_SMALL`.
 *
 * @example
 * const errors = defineErrors({
 *   groupTooSmall: { message: (d: { size: number }) => `Cannot compare a group of ${d.size}`, hint: "Raise groupSize" },
 * });
 * errors.groupTooSmall({ size: 1 }).code; // "GROUP_TOO_SMALL"
 */
// The entries' details differ, so only a bottom type admits them all.
export function defineErrors<Table extends Record<string, ErrorEntry<never>>>(
  table: Table,
): { readonly [Key in keyof Table]: Maker<Table[Key]> } {
  const makers = Object.entries(table).map(([key, entry]) => [
    key,
    (details: never, cause?: unknown) =>
      new TroupeError(codeOf(key), entry.message(details), {
        hint: typeof entry.hint === "string" ? entry.hint : entry.hint(details),
        ...(entry.exitCode === undefined ? {} : { exitCode: entry.exitCode }),
        details,
        cause,
      }),
  ]);
  // Object.fromEntries forgets the keys that `table` had.
  return Object.fromEntries(makers) as { readonly [Key in keyof Table]: Maker<Table[Key]> };
}

/** The permanent code of a catalogue key: `maxTokensExceeded` → `MAX_TOKENS_EXCEEDED`. */
export function codeOf(key: string): string {
  return key.replace(/([A-Z])/g, "_$1").toUpperCase();
}
