/**
 * The operations of a transformer with their derivatives, as plain loops in float64. Every array is flat and row-major;
 * how wide a row is follows from the parameters. This is one file because the operations share one way of writing a
 * derivative: each returns its output together with the function that maps d loss / d output to d loss / d input.
 */

/** A tensor of weights with the gradient that backward passes add to; both of the same shape. */
export interface Parameter {
  readonly values: Float64Array;
  readonly gradient: Float64Array;
}

/** An output, and the way back: d loss / d output → d loss / d input, adding to the gradients of parameters. */
export interface Differentiable {
  readonly output: Float64Array;
  readonly backward: (dOutput: Float64Array) => Float64Array;
}

/** A function of one array with a derivative. */
export type Operation = (input: Float64Array) => Differentiable;

/** The operations one after the other. */
export function chain(...operations: readonly Operation[]): Operation {
  return (input) => {
    const stages: Differentiable[] = [];
    let output = input;
    for (const operation of operations) {
      const stage = operation(output);
      stages.push(stage);
      output = stage.output;
    }
    return { output, backward: (dOutput) => stages.reduceRight((d, stage) => stage.backward(d), dOutput) };
  };
}

/** x + f(x). */
export function residual(operation: Operation): Operation {
  return (input) => {
    const inner = operation(input);
    return { output: add(input, inner.output), backward: (dOutput) => add(dOutput, inner.backward(dOutput)) };
  };
}

/** y = x Wᵀ + b, with W of shape [outputs, inputs]. */
export function linear(weight: Parameter, inputs: number, bias?: Parameter): Operation {
  const outputs = weight.values.length / inputs;
  return (input) => {
    const rows = input.length / inputs;
    const output = new Float64Array(rows * outputs);
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < outputs; o++) {
        let sum = bias ? bias.values[o]! : 0;
        for (let i = 0; i < inputs; i++) sum += input[r * inputs + i]! * weight.values[o * inputs + i]!;
        output[r * outputs + o] = sum;
      }
    }
    const backward = (dOutput: Float64Array) => {
      const dInput = new Float64Array(input.length);
      for (let r = 0; r < rows; r++) {
        for (let o = 0; o < outputs; o++) {
          const d = dOutput[r * outputs + o]!;
          if (bias) bias.gradient[o]! += d;
          for (let i = 0; i < inputs; i++) {
            weight.gradient[o * inputs + i]! += d * input[r * inputs + i]!;
            dInput[r * inputs + i]! += d * weight.values[o * inputs + i]!;
          }
        }
      }
      return dInput;
    };
    return { output, backward };
  };
}

/** y = w · x / √(mean(x²) + ε), over rows as wide as the weight. */
export function rmsNorm(weight: Parameter, epsilon: number): Operation {
  const size = weight.values.length;
  return (input) => {
    const rows = input.length / size;
    const scales = new Float64Array(rows);
    const output = new Float64Array(input.length);
    for (let r = 0; r < rows; r++) {
      let squares = 0;
      for (let i = 0; i < size; i++) squares += input[r * size + i]! ** 2;
      scales[r] = 1 / Math.sqrt(squares / size + epsilon);
      for (let i = 0; i < size; i++) output[r * size + i] = input[r * size + i]! * scales[r]! * weight.values[i]!;
    }
    const backward = (dOutput: Float64Array) => {
      const dInput = new Float64Array(input.length);
      for (let r = 0; r < rows; r++) {
        const scale = scales[r]!;
        let inner = 0;
        for (let i = 0; i < size; i++) inner += dOutput[r * size + i]! * weight.values[i]! * input[r * size + i]!;
        for (let i = 0; i < size; i++) {
          const [x, d] = [input[r * size + i]!, dOutput[r * size + i]!];
          weight.gradient[i]! += d * x * scale;
          dInput[r * size + i] = d * weight.values[i]! * scale - (x * scale ** 3 * inner) / size;
        }
      }
      return dInput;
    };
    return { output, backward };
  };
}

/**
 * Rotary positions in the half-split form of Hugging Face: component i of a head turns with component i + headSize / 2,
 * by position · frequencies[i]. Rows hold one or more heads of one token.
 */
export function rotary(positions_N: ArrayLike<number>, frequencies: Float64Array): Operation {
  const headSize = 2 * frequencies.length;
  const turn = (input: Float64Array, direction: 1 | -1): Float64Array => {
    const output = new Float64Array(input.length);
    const width = input.length / positions_N.length;
    for (let at = 0; at < input.length; at += headSize) {
      const position = positions_N[Math.floor(at / width)]!;
      for (let i = 0; i < headSize / 2; i++) {
        const angle = direction * position * frequencies[i]!;
        const [a, b] = [input[at + i]!, input[at + i + headSize / 2]!];
        output[at + i] = a * Math.cos(angle) - b * Math.sin(angle);
        output[at + i + headSize / 2] = b * Math.cos(angle) + a * Math.sin(angle);
      }
    }
    return output;
  };
  return (input) => ({ output: turn(input, 1), backward: (dOutput) => turn(dOutput, -1) });
}

/** Sizes of causal attention with grouped queries: query head h reads key-value head ⌊h · kvHeads / heads⌋. */
export interface AttentionShape {
  /** Sequence s is rows [offsets_S1[s], offsets_S1[s + 1]); rows of other sequences are never read. */
  readonly offsets_S1: ArrayLike<number>;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headSize: number;
}

/**
 * softmax(q kᵀ / √headSize) v, each row over its own and earlier rows of its sequence. q [N, heads, headSize];
 * k and v [N, kvHeads, headSize]. The way back gives the derivatives of all three.
 */
export function attention(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  shape: AttentionShape,
): {
  output: Float64Array;
  backward: (dOutput: Float64Array) => { dq: Float64Array; dk: Float64Array; dv: Float64Array };
} {
  const { offsets_S1, heads, kvHeads, headSize } = shape;
  const output = new Float64Array(q.length);
  const scale = 1 / Math.sqrt(headSize);

  const forEachQuery = (visit: (query: number, start: number, end: number, keyOf: (row: number) => number) => void) => {
    for (let s = 0; s + 1 < offsets_S1.length; s++) {
      for (let row = offsets_S1[s]!; row < offsets_S1[s + 1]!; row++) {
        for (let h = 0; h < heads; h++) {
          const kvHead = Math.floor((h * kvHeads) / heads);
          const keyOf = (other: number) => (other * kvHeads + kvHead) * headSize;
          visit((row * heads + h) * headSize, offsets_S1[s]!, row + 1, keyOf);
        }
      }
    }
  };
  const probabilitiesOf = (query: number, start: number, end: number, keyOf: (row: number) => number) => {
    const scores = new Float64Array(end - start);
    for (let row = start; row < end; row++) scores[row - start] = scale * dot(q, query, k, keyOf(row), headSize);
    const highest = scores.reduce((a, b) => Math.max(a, b));
    const powers = scores.map((score) => Math.exp(score - highest));
    const total = powers.reduce((a, b) => a + b);
    return powers.map((power) => power / total);
  };

  forEachQuery((query, start, end, keyOf) => {
    const probabilities = probabilitiesOf(query, start, end, keyOf);
    for (let row = start; row < end; row++)
      addScaled(output, query, v, keyOf(row), probabilities[row - start]!, headSize);
  });
  const backward = (dOutput: Float64Array) => {
    const [dq, dk, dv] = [new Float64Array(q.length), new Float64Array(k.length), new Float64Array(v.length)];
    forEachQuery((query, start, end, keyOf) => {
      const probabilities = probabilitiesOf(query, start, end, keyOf);
      const dProbabilities = probabilities.map((_, j) => dot(dOutput, query, v, keyOf(start + j), headSize));
      const inner = probabilities.reduce((sum, p, j) => sum + p * dProbabilities[j]!, 0);
      probabilities.forEach((p, j) => {
        const key = keyOf(start + j);
        const dScore = scale * p * (dProbabilities[j]! - inner);
        addScaled(dv, key, dOutput, query, p, headSize);
        addScaled(dq, query, k, key, dScore, headSize);
        addScaled(dk, key, q, query, dScore, headSize);
      });
    });
    return { dq, dk, dv };
  };
  return { output, backward };
}

/** silu(gate) · up, with silu(x) = x / (1 + e⁻ˣ). The way back gives the derivatives of both. */
export function swiglu(
  gate: Float64Array,
  up: Float64Array,
): { output: Float64Array; backward: (dOutput: Float64Array) => { dGate: Float64Array; dUp: Float64Array } } {
  const sigmoid = gate.map((x) => 1 / (1 + Math.exp(-x)));
  return {
    output: gate.map((x, i) => x * sigmoid[i]! * up[i]!),
    backward: (dOutput) => ({
      dGate: gate.map((x, i) => dOutput[i]! * up[i]! * sigmoid[i]! * (1 + x * (1 - sigmoid[i]!))),
      dUp: gate.map((x, i) => dOutput[i]! * x * sigmoid[i]!),
    }),
  };
}

/** Rows of a table, by id. The way back adds to the table's gradient; ids have none. */
export function lookUp(
  table: Parameter,
  ids_N: ArrayLike<number>,
  size: number,
): { output: Float64Array; backward: (dOutput: Float64Array) => void } {
  const output = new Float64Array(ids_N.length * size);
  for (let n = 0; n < ids_N.length; n++) addScaled(output, n * size, table.values, ids_N[n]! * size, 1, size);
  const backward = (dOutput: Float64Array) => {
    for (let n = 0; n < ids_N.length; n++) addScaled(table.gradient, ids_N[n]! * size, dOutput, n * size, 1, size);
  };
  return { output, backward };
}

/** Element by element sum of arrays of one length. */
export function add(first: Float64Array, ...others: readonly Float64Array[]): Float64Array {
  return first.map((value, i) => others.reduce((sum, other) => sum + other[i]!, value));
}

function dot(a: Float64Array, atA: number, b: Float64Array, atB: number, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i++) sum += a[atA + i]! * b[atB + i]!;
  return sum;
}

/** target[atTarget …] += factor · source[atSource …], `size` entries. */
function addScaled(
  target: Float64Array,
  atTarget: number,
  source: Float64Array,
  atSource: number,
  factor: number,
  size: number,
): void {
  for (let i = 0; i < size; i++) target[atTarget + i]! += factor * source[atSource + i]!;
}
