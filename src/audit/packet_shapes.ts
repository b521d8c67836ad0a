// What a declaration says that a call does with packet objects: made, freed, sent, used; and where in its parameters that
// stands. Found once per plan, by kinds and type words. It must not know rules, nor events.

import { type CallbackName, type CallPlan, type ParamPlan, SYMBOLS } from "../api/mod.ts";
import type { PlanShape } from "./plan_shape.ts";

/** What a call does with packets; `request` sends without an object of the caller's. */
export type PacketRole = "allocate" | "initialize" | "free" | "set-routine" | "send" | "request" | "restore" | "use";

/** The bits of a send's flags. */
export const { WAIT_FOR_COMPLETION, FORCE_MDL_LENGTH } = SYMBOLS.packetFlags;
/** All bits that exist. */
export const PACKET_FLAGS = Object.values(SYMBOLS.packetFlags).reduce((mask, bit) => mask | bit, 0);

/** The callbacks that packets travel by. */
export const PROCESS_PACKET: CallbackName = "EvtVmbChannelProcessPacket";
/** See `PROCESS_PACKET`. */
export const COMPLETION_ROUTINE: CallbackName = "EvtVmbPacketCompletionRoutine";

/** One call that packets matter to; places among its ins, -1: nowhere. */
export interface PacketShape {
  readonly role: PacketRole;
  readonly packet: number;
  readonly flags: number;
  readonly buffer: number;
  /** Bytes of the buffer that are meant. */
  readonly length: number;
  readonly mdl: number;
  /** Which part of the MDL; only where a part can be named. */
  readonly mdlOffset: number;
  readonly mdlLength: number;
  readonly pfnCount: number;
  /** Room for the completion, in bytes. */
  readonly room: number;
  readonly timeout: number;
  readonly routine: number;
  /** It names a part of an MDL, or page frames: WAIT_FOR_COMPLETION must be set. */
  readonly mustWait: boolean;
}

const SHAPES = new WeakMap<PlanShape, PacketShape | null>();

/** The shape of a call as packets see it, or null: they do not matter to it. */
export function packetShapeOf(shape: PlanShape): PacketShape | null {
  const known = SHAPES.get(shape);
  if (known !== undefined) return known;
  const role = roleOf(shape);
  const made = role === null ? null : placesOf(shape, role);
  SHAPES.set(shape, made);
  return made;
}

function roleOf(shape: PlanShape): PacketRole | null {
  const { plan } = shape;
  if (plan.isCallback || plan.level !== "kmcl") return null;
  if (!shape.names("packet")) return shape.in("packetFlags") >= 0 ? "request" : null;
  const verb = shape.verbOn("packet");
  if (verb === "create") return shape.object("packet") < 0 ? "allocate" : "initialize";
  if (verb === "destroy") return "free";
  if (shape.in("packetFlags") >= 0) return "send";
  if (shape.in("function") >= 0) return "set-routine";
  return shape.in("bytes") >= 0 ? "restore" : "use";
}

function placesOf(shape: PlanShape, role: PacketRole): PacketShape {
  const { plan } = shape;
  const mdlOffset = shape.in("byteOffset");
  const isPfns = placeWhere(plan, ({ word, isArray }) => isArray && word === "u64") >= 0;
  return {
    role,
    packet: shape.object("packet"),
    flags: shape.in("packetFlags"),
    buffer: shape.in("bytes"),
    length: shape.in("byteCount"),
    mdl: shape.object("mdl"),
    mdlOffset,
    mdlLength: mdlOffset < 0 ? -1 : plan.ins.findLastIndex(({ word }) => word === "byteCount"),
    pfnCount: isPfns ? shape.in("u32") : -1,
    room: placeWhere(plan, ({ word, goesOut }) => goesOut && word === "byteCount"),
    timeout: placeWhere(plan, ({ word }) => word === "timeout"),
    routine: shape.in("function"),
    mustWait: role === "send" && (mdlOffset >= 0 || isPfns),
  };
}

function placeWhere({ ins }: CallPlan, wanted: (param: ParamPlan) => boolean): number {
  return ins.findIndex(wanted);
}
