/** Characters beyond ASCII → the LaTeX that means the same. */
const FOLDED: ReadonlyMap<string, string> = new Map([
  ["−", "-"], ["–", "-"], ["—", "-"], ["×", "*"], ["·", "*"], ["⋅", "*"], ["∙", "*"], ["÷", "/"], ["∕", "/"], ["⁄", "/"],
  ["π", "\\pi "], ["∞", "\\infty "], ["√", "\\sqrt "], ["∛", "\\cbrt "], ["±", "\\pm "], ["∓", "\\mp "],
  ["≤", "\\le "], ["⩽", "\\le "], ["≥", "\\ge "], ["⩾", "\\ge "], ["≠", "\\ne "], ["≈", "\\approx "], ["∈", "\\in "],
  ["∪", "\\cup "], ["∩", "\\cap "], ["∖", "\\setminus "], ["∅", "\\emptyset "], ["°", "\\degree "], ["º", "\\degree "],
  ["…", "\\ldots "], ["⋯", "\\ldots "], ["′", "'"], ["’", "'"], ["‘", "'"], ["⌊", "\\lfloor "], ["⌋", "\\rfloor "],
  ["⌈", "\\lceil "], ["⌉", "\\rceil "], ["⟨", "("], ["⟩", ")"], ["ℝ", "\\mathbb{R}"], ["ℤ", "\\mathbb{Z}"],
  ["ℕ", "\\mathbb{N}"], ["ℚ", "\\mathbb{Q}"], ["ℂ", "\\mathbb{C}"], ["∧", ","], ["∨", ","], ["€", ""], ["£", ""], ["¥", ""],
  ["½", "\\frac{1}{2}"], ["⅓", "\\frac{1}{3}"], ["⅔", "\\frac{2}{3}"], ["¼", "\\frac{1}{4}"], ["¾", "\\frac{3}{4}"],
  ["⅕", "\\frac{1}{5}"], ["⅖", "\\frac{2}{5}"], ["⅗", "\\frac{3}{5}"], ["⅘", "\\frac{4}{5}"], ["⅙", "\\frac{1}{6}"],
  ["⅚", "\\frac{5}{6}"], ["⅛", "\\frac{1}{8}"], ["⅜", "\\frac{3}{8}"], ["⅝", "\\frac{5}{8}"], ["⅞", "\\frac{7}{8}"],
  ["α", "\\alpha "], ["β", "\\beta "], ["γ", "\\gamma "], ["δ", "\\delta "], ["ε", "\\epsilon "], ["θ", "\\theta "],
  ["λ", "\\lambda "], ["μ", "\\mu "], ["ρ", "\\rho "], ["σ", "\\sigma "], ["τ", "\\tau "], ["φ", "\\phi "], ["ω", "\\omega "],
  ["Δ", "\\Delta "], ["Σ", "\\Sigma "], ["Ω", "\\Omega "], ["Φ", "\\Phi "],
]);

const SUPERSCRIPTS = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ";
const SUPERSCRIPT_MEANINGS = "0123456789+-n";

/**
 * The same text in ASCII notation: "x²" → "x^{2}", "½π" → "\frac{1}{2}\pi ". Characters without a meaning in
 * mathematics are folded to their plain form where Unicode has one (full-width digits, for example).
 */
export function foldCharacters(text: string): string {
  return text
    .replace(/[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿ]+/g, (run) => `^{${Array.from(run, (c) => SUPERSCRIPT_MEANINGS[SUPERSCRIPTS.indexOf(c)]).join("")}}`)
    .replace(/[^\x00-\x7f]/gu, (character) => FOLDED.get(character) ?? character.normalize("NFKC"));
}
