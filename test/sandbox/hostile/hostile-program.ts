/** Where a program could look and leave something. */
export interface Surroundings {
  readonly repository: string;
  /** A file of the harness that holds the expected output. */
  readonly secretFile: string;
  /** A name that nothing else on the machine has. */
  readonly mark: string;
  /** Of a listener on loopback that counts who comes. */
  readonly port: number;
}

/** A program that no grader should be fooled or harmed by, or an honest one that none may refuse. */
export interface HostileProgram {
  readonly name: string;
  readonly program: string | ((where: Surroundings) => string);
  /** "secret": the answer cannot be known. "echo": it is the line on stdin. "call": solve(x) is x. */
  readonly kind?: "secret" | "echo" | "call";
  /** How the reason of its verdict begins; absent where a busy machine decides which limit it meets first. */
  readonly want?: string;
  /** Time that it gets, milliseconds, where the usual would end it too soon to be dangerous. */
  readonly limitMs?: number;
  readonly isHonest?: boolean;
}
