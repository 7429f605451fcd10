import { describe, expect, it } from "vitest";
import { whyUnfit } from "../../../core/src/data/question-filters.js";

const limits = { minWords: 4, maxAnswerCharacters: 40 };

describe("whyUnfit()", () => {
  it.each([
    ["too-short", "Find $x$.", "3"],
    ["multiple-choice", "What is $2+2$? (A) 1 (B) 2 (C) 4 (D) 5", "C"],
    ["multiple-choice", "Pick the right one of these:\nA. one\nB. two\nC. three", "C"],
    ["multiple-choice", "Which of the following is a prime number?", "7"],
    ["several-parts", "Given a line, (a) find its slope, (b) find its length.", "1, 2"],
    ["true-or-false", "True or false: every prime number is odd.", "false"],
    ["true-or-false", "Is every prime number larger than two odd?", "Yes."],
    ["proof", "Prove that there are infinitely many primes.", "done"],
    ["proof", "Show that $n^2+n$ is even for every integer.", "even"],
    ["figure", "In the figure below, what is the area of the square?", "4"],
    ["figure", "Find the shaded area. [asy] draw(unitcircle); [/asy]", "\\pi"],
    ["not-english", "Найдите сумму всех простых чисел меньше десяти.", "17"],
    ["not-english", "Trouvez le nombre des entiers positifs qui sont inférieurs ou égaux aux cent premiers", "100"],
    ["answer-too-long", "What is the value of this large expression?", "1".repeat(41)],
    ["answer-too-complex", "What can be said about the sequence here?", "it grows without any bound"],
  ])("says %s of %j", (reason, question, answer) => {
    expect(whyUnfit(question, answer, limits)?.[0]).toBe(reason);
  });

  it.each([
    ["What is the sum of all prime numbers below 10?", "17"],
    ["Compute $\\dbinom{8}{4}$ and simplify your answer.", "70"],
    ["Let $f(x)=x^2$. Find all $x$ for which $f(x)=4$.", "\\{-2, 2\\}"],
    ["On which weekday does the tenth day of that month fall?", "\\text{Monday}"],
  ])("has nothing against %j", (question, answer) => {
    expect(whyUnfit(question, answer, limits)).toBeUndefined();
  });
});
