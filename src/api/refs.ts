// Which objects a value refers to, wherever they stand in it, and which of them an effect is about.
// It must not know any particular call.

import type { Operand } from "./catalogue.ts";
import { isArray, isRef, isStruct, type Outcome, type Ref, type Value } from "./values.ts";

/** All objects that a value refers to, in order: inside arrays and structures too. */
export function refsIn(value: Value | undefined): readonly Ref[] {
  if (isRef(value)) return [value];
  if (isArray(value)) return value.flatMap(refsIn);
  return isStruct(value) ? Object.values(value).flatMap(refsIn) : [];
}

/** The objects that a value is: one, an array of them, or with `member` those in that member of each structure. */
export function heldRefs(value: Value | undefined, member: string | null = null): readonly Ref[] {
  if (isRef(value)) return [value];
  if (isArray(value)) return value.flatMap((each) => heldRefs(each, member));
  return member !== null && isStruct(value) && Object.hasOwn(value, member) ? heldRefs(value[member]) : [];
}

/** What a call was given and gave. */
export interface CallValues {
  readonly ins: readonly Value[];
  readonly outs: readonly Value[];
  /** Null while it waits. */
  readonly outcome: Outcome | null;
}

/** The objects that an operand of a call's effect holds; a null or a raw handle value is none. */
export function operandRefs({ ins, outs, outcome }: CallValues, { from, index, member }: Operand): readonly Ref[] {
  if (from === "return") return outcome?.form === "value" ? heldRefs(outcome.value) : [];
  return heldRefs((from === "in" ? ins : outs)[index], member);
}
