/** Spellings of units → one spelling. Words that are not here are units in their own right. */
const UNIT_SPELLINGS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "%": "percent percentage pct",
    "°": "degree degrees deg",
    dollar: "dollars usd bucks",
    cent: "cents",
    mm: "millimeter millimeters millimetre millimetres",
    cm: "centimeter centimeters centimetre centimetres",
    m: "meter meters metre metres",
    km: "kilometer kilometers kilometre kilometres",
    in: "inch inches",
    ft: "foot feet",
    yd: "yard yards",
    mi: "mile miles",
    g: "gram grams",
    kg: "kilogram kilograms kgs",
    lb: "pound pounds lbs",
    oz: "ounce ounces",
    l: "liter liters litre litres",
    ml: "milliliter milliliters millilitre millilitres",
    s: "sec secs second seconds",
    min: "mins minute minutes",
    h: "hr hrs hour hours",
    day: "days",
    "mi/h": "mph",
    "cm^2": "sqcm",
    week: "weeks wk wks",
    radian: "radians rad rads",
    mg: "milligram milligrams",
    "": "unit units square cubic",
  }).flatMap(([unit, others]) => others.split(" ").map((other) => [other, unit] as const)),
);

/** Letters in a row without a backslash that are a unit after a number, though they could be a product of variables. */
const SHORT_UNITS: ReadonlySet<string> = new Set([
  "cm",
  "mm",
  "km",
  "kg",
  "ml",
  "mg",
  "ft",
  "yd",
  "lb",
  "oz",
  "hr",
  "mph",
  "min",
  "sec",
  "pct",
  "usd",
  "deg",
]);

/** Whether letters after a number, without \text around them, are a unit and not variables. */
export function isUnitWord(word: string): boolean {
  return (
    word.length > 3 ||
    SHORT_UNITS.has(word.toLowerCase()) ||
    (UNIT_SPELLINGS.has(word.toLowerCase()) && word.length > 2)
  );
}

/** One spelling for each unit: "Centimeters" → "cm", "square feet" → "ft^2", "miles per hour" → "mi/h". */
export function unitOf(words: string): string {
  return words
    .split(/\s*(?:\bper\b|\/)\s*/)
    .map(withoutDivision)
    .filter((part) => part !== "")
    .join("/");
}

function withoutDivision(words: string): string {
  const power = /\b(?:square|sq)\b/i.test(words) ? "^2" : /\b(?:cubic|cu)\b/i.test(words) ? "^3" : "";
  const names = words
    .trim()
    .split(/\s+/)
    .map(oneSpelling)
    .filter((word) => word !== "" && word !== "sq" && word !== "cu");
  return names.length === 0 ? "" : names.join(" ") + power;
}

/** "Meters^2" → "m^2"; a unit without a name, "units^2", has no power either. */
function oneSpelling(word: string): string {
  const [, written = "", exponent = ""] = /^(.*?)\.?(\^\d+)?$/.exec(word) ?? [];
  const lower = written.length === 1 ? written : written.toLowerCase();
  const name = UNIT_SPELLINGS.get(lower) ?? (lower.length > 3 && lower.endsWith("s") ? lower.slice(0, -1) : lower);
  return name === "" ? "" : name + exponent;
}
