// What a value in a call names, and whether its caller may use it. Every call asks this of every handle.
// It must not know a particular call, nor what a refusal looks like.

import { printObject, STATUS, type Value } from "../api/mod.ts";
import type { CompiledCall } from "./compiled.ts";
import type { KindTable } from "./object_tables.ts";
import { type EngineObject, isObject } from "./objects.ts";

/** The live object of a kind that a value names, else what last had its handle value. */
export function objectIn(table: KindTable, value: Value): EngineObject | undefined {
  if (value === null || typeof value !== "object" || !("handle" in value)) return undefined;
  const { number, handle } = value;
  const live = typeof number === "number" ? table.live.get(number) : undefined;
  return live ?? (typeof handle === "number" ? table.resolve(handle) : undefined);
}

/** Whether a side can use an object in a call. */
export function isUsable(object: EngineObject, side: string): boolean {
  return object.alive && mayUse(object, side);
}

/** GPU objects belong to their process, channels to their end; memory and GPADLs are named by both. */
export function mayUse(object: EngineObject, side: string): boolean {
  if (object.side === side || side === "gpu" || side === "machine" || side === "kmd") return true;
  return object.kind === "buffer" || object.kind === "mdl" || object.kind === "gpadl";
}

/** Why a call is refused, and the status that says so; null: the declaration's or the model's own. */
export interface Trouble {
  readonly reason: string;
  readonly status: number | null;
}

/** The first object that is in none of the states that its call needs. */
export function stateTrouble({ args, needs }: CompiledCall): Trouble | null {
  for (const { index, states } of needs) {
    const object = args[index];
    if (isObject(object) && !states.includes(object.state)) {
      const reason = `${printObject(object)} is ${object.state}, not ${states.join(" or ")}`;
      return { reason, status: null };
    }
  }
  return null;
}

/** What a page lists for a bad parameter, by its place. */
const LISTED: readonly number[] = [
  STATUS.STATUS_INVALID_PARAMETER_1,
  STATUS.STATUS_INVALID_PARAMETER_2,
  STATUS.STATUS_INVALID_PARAMETER_3,
];

/**
 * Trouble with what the parameter of an index names, as it is answered. Where a page lists STATUS_INVALID_PARAMETER_1 for a bad
 * channel and for its wrong state, both come before the other parameters, and these answer by their place (kmcl.md 2.2).
 */
export function listedTrouble(
  compiled: CompiledCall,
  { index, trouble }: { readonly index: number; readonly trouble: Trouble },
): Trouble {
  if (index === 0 || compiled.plan.declaration.refusal !== "STATUS_INVALID_PARAMETER_1") return trouble;
  return stateTrouble(compiled) ?? { ...trouble, status: trouble.status ?? LISTED[index] ?? null };
}
