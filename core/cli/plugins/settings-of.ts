import { errors } from "../../src/errors.js";

/** Reads the value of `--with`. @throws OPTION_NOT_VALID */
export function settingsOf(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw errors.optionNotValid({ option: "--with", found: text, wanted: "a JSON object" });
  // Just checked; the plugin's own schema checks the fields.
  return value as Record<string, unknown>;
}
