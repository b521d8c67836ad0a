// What a declaration says that a call does to channels and GPADLs, so that rules ask for the effect and not for a name.
// It must not know rules, nor events.

import { baseSide, type CallName, type CallPlan, isRef, type ObjectKind, type Ref, type Value } from "../api/mod.ts";
import type { AuditContext, CallView } from "./detector.ts";
import { shapeOf } from "./plan_shape.ts";

/** The calls that leave and enter a channel's paused state: no effect tells them. */
export const START: CallName = "VmbChannelStart";
/** See `START`. */
export const PAUSE: CallName = "VmbChannelPause";

/** The guest leaves the bus: it closes every channel and ends every GPADL, which no effect tells. */
export const UNLOAD: CallName = "UnloadVmbus";
/** A restored channel is what its image says; no effect tells that. */
export const RESTORE: CallName = "VmbChannelRestoreFromBuffer";

/** The guest stands still, and goes on: what its ends hear meanwhile is nothing, which no effect tells. */
export const SAVE_VM: CallName = "SaveVm";
/** See `SAVE_VM`. */
export const RESTORE_VM: CallName = "RestoreVm";

/** Whether a call is about the whole guest: it names no channel, and yet channels hear of it. */
export function isOfGuest({ name }: CallPlan): boolean {
  return name === UNLOAD || name === SAVE_VM || name === RESTORE_VM;
}

/** Whether a call can break a rule: one that is not modelled makes no finding, but what it did counts. */
export function isModelled(plan: CallPlan): boolean {
  return plan.declaration.modelled !== false;
}

/** Whether a call of this trace can break a rule: what our model does not do, another system may. */
export function isJudged({ plan }: CallView, { header }: AuditContext): boolean {
  return isModelled(plan) || header.maker !== "engine";
}

/** A setter of the time between Allocate and Enable: it names its refusal and wants a disabled channel. */
export function isInitSetter(plan: CallPlan): boolean {
  return plan.declaration.refusal === "STATUS_INVALID_PARAMETER_1" &&
    shapeOf(plan).channelNeeds?.join() === "disabled";
}

/** A callback about the channel's state: it is told the channel and nothing else. */
export function isStateCallback(plan: CallPlan): boolean {
  return plan.isCallback && plan.level === "kmcl" && plan.ins.length === 1 && plan.ins[0]?.kind === "channel";
}

/** The first object of this kind among values of parameters. */
export function refOf(values: readonly Value[], kind: ObjectKind): Ref | null {
  for (const value of values) if (isRef(value) && value.kind === kind) return value;
  return null;
}

/** Whether a call is meant for one end of a channel only. */
export function isForOneEnd({ declaration: { endpoint } }: CallPlan): boolean {
  return endpoint === "client" || endpoint === "server";
}

/** The other end's side, where a call is meant for one end and made at the other; else null. */
export function wrongEnd({ plan, side }: CallView): "client" | "server" | null {
  const { endpoint } = plan.declaration;
  if (endpoint !== "client" && endpoint !== "server") return null;
  return side === endpoint || baseSide(side) === endpoint ? null : endpoint;
}

/** A number parameter's value, whatever its width; 0 where there is none. */
export function numberIn(call: CallView, word: string): number {
  const value = call.in(word);
  return typeof value === "number" || typeof value === "bigint" ? Number(value) : 0;
}

/**
 * The engine lets nothing in that is made in a wrong state. Of a trace that begins in the middle of its run, as a ring's does, a
 * fold may not know how an endpoint came to be where it is, for its peer is older than the trace: such a call is the proof.
 */
export function isLetIn({ outcome, succeeded }: CallView, { header, isFromStart }: AuditContext): boolean {
  return header.maker === "engine" && !isFromStart && outcome !== null && succeeded;
}
