// What a simulation does, step by step, as data: it can be done again with some of the steps left out.
// Then objects have other numbers: a step names those of the run that it was made in, and a book says which these are now.

import {
  type CallPlan,
  isArray,
  isRef,
  isStruct,
  type Outcome,
  printObject,
  type Ref,
  refsIn,
  type Value,
} from "../../src/api/mod.ts";

/** One input; `inside` and `of` are the places of `deliver` steps among all that were chosen, -1: none. */
export type Step =
  & { readonly place: number }
  & (
    | {
      readonly form: "call";
      readonly plan: CallPlan;
      readonly side: string;
      readonly ins: readonly Value[];
      readonly inside: number;
    }
    | { readonly form: "deliver"; readonly name: string; readonly subject: Ref | null }
    | { readonly form: "return"; readonly of: number; readonly outcome: Outcome; readonly outs: readonly Value[] }
  );

/** Objects of the run in which steps were chosen, as they are called now. */
export class Names {
  /** What each step made, in the run in which it was chosen. */
  readonly #made: ReadonlyMap<number, readonly Ref[]>;
  readonly #now = new Map<string, Ref>();

  constructor(made: ReadonlyMap<number, readonly Ref[]>) {
    this.#made = made;
  }

  /** A step was done again and brought these objects. */
  learn(place: number, brought: readonly Ref[]): void {
    for (const [index, ref] of (this.#made.get(place) ?? []).entries()) {
      const now = brought[index];
      if (now !== undefined && now.kind === ref.kind) this.#now.set(printObject(ref), now);
    }
  }

  /** The same values with objects as they are now; null where one of them was never made. */
  values(values: readonly Value[]): readonly Value[] | null {
    if (values.some((value) => refsIn(value).some((ref) => !this.#now.has(printObject(ref))))) return null;
    return values.map((value) => this.#value(value));
  }

  #value(value: Value): Value {
    if (isRef(value)) return this.#now.get(printObject(value)) ?? value;
    if (isArray(value)) return value.map((each) => this.#value(each));
    if (!isStruct(value)) return value;
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, this.#value(each)]));
  }
}
