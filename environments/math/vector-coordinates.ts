import { someNode, substituted, symbolsOf, type Expression } from "./expression.js";
import { rational } from "./rational.js";

/** Names that i, j and k have as vectors: bold, or under a hat or an arrow. */
const UNIT_VECTOR = /^(?:mathbf|hat|vec|widehat) ([ijk])$/;

/** Whether a formula is written in unit vectors: i + 2j. */
export function hasUnitVector(node: Expression): boolean {
  return someNode(node, (one) => one.kind === "symbol" && UNIT_VECTOR.test(one.name));
}

/** i + 2j as (1, 2): what stands before each unit vector. */
function componentsOf(node: Expression): readonly Expression[] {
  const names = new Map(
    [...symbolsOf(node)].flatMap((name) => {
      const letter = UNIT_VECTOR.exec(name)?.[1];
      return letter === undefined ? [] : [[letter, name] as const];
    }),
  );
  return (names.has("k") ? ["i", "j", "k"] : ["i", "j"]).map((wanted) =>
    [...names].reduce(
      (rest, [letter, name]) =>
        substituted(rest, name, { kind: "number", value: rational(letter === wanted ? 1n : 0n) }),
      node,
    ),
  );
}

/** The coordinates of a pair in round brackets, a row, a column, or a sum of unit vectors; undefined for all else. */
export function coordinatesOf(node: Expression): readonly Expression[] | undefined {
  if (["sum", "product", "symbol"].includes(node.kind) && hasUnitVector(node)) return componentsOf(node);
  if (node.kind === "tuple") return node.open === "(" && node.close === ")" ? node.items : undefined;
  if (node.kind !== "matrix") return undefined;
  const [row] = node.rows;
  if (node.rows.length === 1) return row;
  return node.rows.every(({ length }) => length === 1) ? node.rows.flat() : undefined;
}
