import { errors } from "../src/errors.js";

/**
 * The value of an option that counts something.
 *
 * @throws OPTION_NOT_VALID when it is not a whole number, or below `least`
 */
export function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw errors.optionNotValid({ option, found: text, wanted: `a whole number from ${least} up` });
  }
  return value;
}
