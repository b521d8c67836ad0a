// Values, calls and outcomes as canonical notation: equal values print equally, and what is printed reads back.
// It must not know the parser nor where text goes; nothing printed makes a terminal act.

import { type CallPlan, defaultValue, type ParamPlan } from "../catalogue.ts";
import { statusName } from "../symbols.ts";
import { isArray, isRef, isStruct, type Outcome, type Value } from "../values.ts";
import { countedBy, lengthOf } from "./counts.ts";
import { printObject } from "./positions.ts";
import { quoteText, visibleText } from "./text_literal.ts";

/** Bytes up to this many are written out, however alike they are. */
const SHORT_BYTES = 16;
const GUID = /^\{[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\}$/;

/** A value as its declared type writes it. A value that does not fit its type is still printed, by its own form. */
export function printValue(plan: ParamPlan, value: Value): string {
  if (value === null) return "null";
  if (value instanceof Uint8Array) return printBytes(value);
  if (isArray(value)) return `[${value.map((item) => printValue(plan, item)).join(", ")}]`;
  if (isRef(value)) return printObject(value);
  if (isStruct(value)) return printNamed(plan.members, plan.members.map(({ name }) => value[name] ?? null));
  if (typeof value === "boolean") return plan.storage === "function" && !value ? "null" : String(value);
  if (typeof value === "string") return plan.storage === "guid" && GUID.test(value) ? value : quoteText(value);
  return typeof value === "number" && !Number.isInteger(value) ? String(value) : printInteger(plan, BigInt(value));
}

function printInteger({ word, storage, scalar }: ParamPlan, value: bigint): string {
  if (word === "status") return statusName(Number(value));
  if (scalar?.flags !== undefined) return printFlags(scalar.flags, value);
  const name = Object.entries(scalar?.names ?? {}).find(([, number]) => BigInt(number) === value)?.[0];
  if (name !== undefined) return name;
  return storage === "object" || scalar?.hex ? printHex(value) : String(value);
}

function printFlags(flags: Readonly<Record<string, number | bigint>>, value: bigint): string {
  if (value <= 0n) return String(value);
  let rest = value;
  const parts: string[] = [];
  for (const [name, bits] of Object.entries(flags)) {
    const mask = BigInt(bits);
    if ((rest & mask) !== mask) continue;
    parts.push(name);
    rest &= ~mask;
  }
  return [...parts, ...(rest === 0n ? [] : [printHex(rest)])].join("|");
}

function printHex(value: bigint): string {
  return value < 0n ? String(value) : `0x${value.toString(16)}`;
}

function printBytes(bytes: Uint8Array): string {
  const first = bytes[0] ?? 0;
  if (bytes.length > SHORT_BYTES && bytes.every((byte) => byte === first)) {
    return first === 0 ? `zero(${bytes.length})` : `fill(0x${first.toString(16).padStart(2, "0")}, ${bytes.length})`;
  }
  return `h'${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}'`;
}

/** `{NAME=VALUE, ...}` without the defaults. */
function printNamed(plans: readonly ParamPlan[], values: readonly Value[]): string {
  const parts = plans.flatMap((plan, index) => {
    const value = values[index] ?? null;
    return isDefault(plan, value) ? [] : [`${plan.name}=${printValue(plan, value)}`];
  });
  return `{${parts.join(", ")}}`;
}

/** Whether leaving the value out says the same: 0, null, false or empty, member by member. */
export function isDefault(plan: ParamPlan, value: Value): boolean {
  if (value === null) return true;
  if (isArray(value) || value instanceof Uint8Array) return value.length === 0;
  if (isRef(value)) return false;
  if (isStruct(value)) return plan.members.every((member) => isDefault(member, value[member.name] ?? null));
  return plan.isArray || plan.storage === "struct" ? false : value === defaultValue(plan);
}

/** A call or a callback: who makes it, and its in values by position. */
export interface PrintableCall {
  readonly side: string;
  readonly plan: CallPlan;
  readonly ins: readonly Value[];
}

/** `server VmbChannelMapGpadl(Channel=channel#1, GpadlHandle=gpadl#7)`, without what says the same left out. */
export function printCall({ side, plan, ins }: PrintableCall): string {
  const parts = plan.ins.flatMap((param, index) => {
    const value = ins[index] ?? null;
    const counted = countedBy(plan.ins, param);
    const isImplied = counted === null ? isDefault(param, value) : value === lengthOf(ins[index - 1]);
    return isImplied ? [] : [`${param.name}=${printValue(param, value)}`];
  });
  return visibleText(`${side} ${plan.name}(${parts.join(", ")})`);
}

/** What a call answered, with its out values by position; `outcome` null: it waits. */
export interface PrintableOutcome {
  readonly plan: CallPlan;
  readonly outcome: Outcome | null;
  readonly outs: readonly Value[];
}

/** `STATUS_SUCCESS {Mdl=mdl#3}`, `void`, `17`, `refused "why"`, `blocked`; outputs that are not their default. */
export function printOutcome({ plan, outcome, outs }: PrintableOutcome): string {
  const named = outs.length === 0 ? "{}" : printNamed(plan.outs, outs);
  return visibleText(`${outcomeWord(plan, outcome)}${named === "{}" ? "" : ` ${named}`}`);
}

function outcomeWord(plan: CallPlan, outcome: Outcome | null): string {
  if (outcome === null) return "blocked";
  if (outcome.form === "status") return statusName(outcome.status);
  if (outcome.form === "refused") return `refused ${quoteText(outcome.reason)}`;
  if (outcome.form === "void" || plan.returned === null) return "void";
  return printValue(plan.returned, outcome.value);
}
