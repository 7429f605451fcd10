/** "0:44", "12:03", "1:02:03"; "–" when unknown. */
export function duration(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (value: number): string => String(value).padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** A number in [0, 1] with two places and no leading zero: ".71", "1.00"; "–" when unknown. */
export function unitShare(value: number): string {
  return Number.isFinite(value) ? value.toFixed(2).replace(/^(-?)0\./, "$1.") : "–";
}

/** "38 %"; "–" when unknown. */
export function percent(value: number, places = 0): string {
  return Number.isFinite(value) ? `${(100 * value).toFixed(places)} %` : "–";
}

/** A count for people: "940", "41 k", "1.9 M"; "–" when unknown. */
export function count(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value >= 999_500) return `${(value / 1e6).toFixed(1)} M`;
  if (value >= 9_950) return `${(value / 1e3).toFixed(0)} k`;
  return value.toFixed(0);
}

/** Three significant digits without trailing zeros: "1.31", "0.004", "41.2", "2310"; "–" when unknown. */
export function significant(value: number): string {
  if (!Number.isFinite(value)) return "–";
  return Math.abs(value) >= 1000 ? value.toFixed(0) : String(Number(value.toPrecision(3)));
}
