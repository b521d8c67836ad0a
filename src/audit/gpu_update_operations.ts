// The operations of an update, read by type word: what each changes, in pages, and what it breaks by itself
// (gpuva.md 2.1, 4.6). It must not know address spaces.

import { type CallPlan, isArray, isRef, isStruct, type ParamPlan, type Ref, SYMBOLS, type Value } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import { bigintOf, PAGE, pagesText, pagesTouched } from "./gpu_call_values.ts";
import type { Breach } from "./gpu_va_arguments.ts";
import type { PageSpan } from "./gpu_va_fold.ts";
import { hexText } from "./wording.ts";

const { MAP, UNMAP, COPY, MAP_PROTECT } = SYMBOLS.updateOperation;
const { Write, Execute, Zero, NoAccess } = SYMBOLS.protection;

/** One operation. */
export interface Operation {
  /** Its place in the array, from 0. */
  readonly place: number;
  readonly verb: "map" | "unmap" | "copy";
  /** What it changes; null: nothing that pages can say. */
  readonly span: PageSpan | null;
  /** What is copied there. */
  readonly source: PageSpan | null;
  /** What is mapped; null: nothing, or a handle that names nothing. */
  readonly allocation: Ref | null;
  readonly firstPage: number;
  /** So many pages of the allocation, over and over. */
  readonly repeatPages: number;
  /** Null: that of the address. */
  readonly driverProtection: bigint | null;
  /** An unmap that leaves no access. */
  readonly isNoAccess: boolean;
}

/** Where members stand, by type word in declared order. */
interface Members {
  readonly index: number;
  readonly names: ReadonlyMap<string, readonly string[]>;
}

const MEMBERS = new WeakMap<CallPlan, Members | null>();

/** Whether calls of a plan are updates: a parameter is an array of operations. */
export function isUpdate(plan: CallPlan): boolean {
  return membersOf(plan) !== null;
}

function membersOf(plan: CallPlan): Members | null {
  const known = MEMBERS.get(plan);
  if (known !== undefined) return known;
  const index = plan.ins.findIndex(({ members }) => members.some(({ word }) => word === "updateOperation"));
  const param = plan.ins[index];
  const made = param === undefined ? null : { index, names: namesOf(param) };
  MEMBERS.set(plan, made);
  return made;
}

function namesOf({ members }: ParamPlan): ReadonlyMap<string, readonly string[]> {
  const names = new Map<string, string[]>();
  for (const { word, name } of members) names.set(word, [...(names.get(word) ?? []), name]);
  return names;
}

/** An operation as it was passed. */
interface Given {
  readonly place: number;
  readonly type: number;
  readonly base: bigint;
  readonly size: bigint;
  readonly offset: bigint;
  /** Bytes of the allocation; 0: as many as `size`. */
  readonly allocationSize: bigint;
  readonly allocation: Value;
  readonly protection: bigint;
  readonly driverProtection: bigint;
  readonly source: bigint;
  readonly target: bigint;
}

function givenIn(call: CallView): readonly Given[] {
  const members = membersOf(call.plan);
  const list = members === null ? undefined : call.ins[members.index];
  if (members === null || list === undefined || !isArray(list)) return [];
  return list.map((value, place) => {
    const at = (word: string, nth = 0): Value => {
      const name = members.names.get(word)?.[nth];
      return name === undefined || !isStruct(value) ? null : value[name] ?? null;
    };
    return {
      place,
      type: Number(bigintOf(at("updateOperation"))),
      base: bigintOf(at("gpuVaBase")),
      size: bigintOf(at("byteSize", 0)),
      offset: bigintOf(at("byteSize", 1)),
      allocationSize: bigintOf(at("byteSize", 2)),
      allocation: at("allocation"),
      protection: bigintOf(at("protection")),
      driverProtection: bigintOf(at("driverProtection")),
      source: bigintOf(at("gpuVa", 0)),
      target: bigintOf(at("gpuVa", 1)),
    };
  });
}

/** What is known beside the call. */
export interface UpdateFacts {
  readonly isLenient: boolean;
  /** The size of an allocation in pages, where known. */
  readonly pagesOf: (allocation: Ref) => bigint | undefined;
}

/** The operations of a call, and what each breaks by itself. */
export function operationsOf(
  call: CallView,
  facts: UpdateFacts,
): { readonly operations: readonly Operation[]; readonly breaches: readonly Breach[] } {
  const given = givenIn(call);
  return { operations: given.flatMap(operationOf), breaches: given.flatMap((each) => breachesOf(each, facts)) };
}

/** Null: it is no operation. */
function operationOf(given: Given): Operation | [] {
  const { place, type, base, size, source, target, allocation, offset, allocationSize } = given;
  const pageCount = Number(size / PAGE);
  const isWhole = (address: bigint) => address % PAGE === 0n && size % PAGE === 0n;
  const spanAt = (address: bigint) => isWhole(address) ? pagesTouched(address, size) : null;
  const nothing = { place, source: null, allocation: null, firstPage: 0, repeatPages: 0, driverProtection: null };
  if (type === COPY) {
    return { ...nothing, verb: "copy", span: spanAt(target), source: spanAt(source), isNoAccess: false };
  }
  if (type === UNMAP) {
    const isNoAccess = (given.protection & NoAccess) !== 0n;
    return { ...nothing, verb: "unmap", span: spanAt(base), isNoAccess };
  }
  if (type !== MAP && type !== MAP_PROTECT) return [];
  return {
    ...nothing,
    verb: "map",
    span: spanAt(base),
    allocation: isRef(allocation) ? allocation : null,
    firstPage: Number(offset / PAGE),
    repeatPages: allocationSize === 0n ? pageCount : Number(allocationSize / PAGE),
    driverProtection: type === MAP_PROTECT ? given.driverProtection : null,
    isNoAccess: false,
  };
}

/** Everything that is wrong with one operation, by its members. */
function breachesOf(given: Given, facts: UpdateFacts): readonly Breach[] {
  const { place, type } = given;
  const name = `operation ${place}`;
  if (type === COPY) return misaligned(name, { source: given.source, destination: given.target, size: given.size });
  const sizes = { base: given.base, size: given.size };
  if (type === UNMAP) return [...misaligned(name, sizes), ...unmapProtection(name, given)];
  if (type !== MAP && type !== MAP_PROTECT) {
    return [{ rule: "gpuva-update-invalid", message: `${name}: there is no operation type ${type}`, shape: "type" }];
  }
  const all = { ...sizes, "allocation offset": given.offset, "allocation size": given.allocationSize };
  return [...misaligned(name, all), ...mapped(name, given, facts), ...mapProtection(name, given, facts)];
}

function misaligned(name: string, values: Readonly<Record<string, bigint>>): readonly Breach[] {
  const wrong = Object.entries(values).filter(([, value]) => value % PAGE !== 0n);
  if (wrong.length === 0) return [];
  const named = wrong.map(([what, value]) => `${what} ${hexText(value)}`).join(" and ");
  const shape = `update ${wrong.map(([what]) => what).join(" ")}`;
  return [{ rule: "gpuva-misaligned", message: `${name} with ${named}: wanted multiples of ${PAGE} bytes`, shape }];
}

function unmapProtection(name: string, { protection }: Given): readonly Breach[] {
  const state = protection & (Zero | NoAccess);
  if (state === Zero || state === NoAccess) return strayBits(name, protection);
  const message = `${name} unmaps with protection ${hexText(protection)}: wanted Zero or NoAccess`;
  return [{ rule: "gpuva-update-invalid", message, shape: "unmap protection" }, ...strayBits(name, protection)];
}

function strayBits(name: string, protection: bigint): readonly Breach[] {
  const stray = protection & ~(Write | Execute | Zero | NoAccess);
  if (stray === 0n) return [];
  const message = `${name} has ${hexText(stray)} set in its protection: reserved, must be 0`;
  return [{ rule: "gpuva-reserved-bits", message, shape: "update protection" }];
}

/** U5, a map of nothing, and V-19. */
function mapped(name: string, given: Given, { pagesOf }: UpdateFacts): readonly Breach[] {
  const { size, offset, allocationSize, allocation } = given;
  const breaches: Breach[] = [];
  if (allocation === null) {
    const message = `${name} maps and names no allocation`;
    breaches.push({ rule: "gpuva-update-invalid", message, shape: "no allocation" });
  }
  if (allocationSize !== 0n && size % allocationSize !== 0n) {
    const message = `${name} maps ${hexText(size)} bytes with an allocation range of ${hexText(allocationSize)}: ` +
      "the size must be a multiple of it (U5)";
    breaches.push({ rule: "gpuva-update-invalid", message, shape: "U5" });
  }
  const pages = isRef(allocation) ? pagesOf(allocation) : undefined;
  const wanted = (offset + (allocationSize === 0n ? size : allocationSize)) / PAGE;
  if (pages !== undefined && wanted > pages) {
    const message = `${name} maps up to page ${wanted} of an allocation of ${pagesText(pages)}`;
    breaches.push({ rule: "gpuva-outside-allocation", message, shape: `update ${wanted} of ${pages}` });
  }
  return breaches;
}

/** V-13 and V-21: the members that MAP does not have are not looked at. */
function mapProtection(name: string, { type, protection }: Given, { isLenient }: UpdateFacts): readonly Breach[] {
  if (type !== MAP_PROTECT) return [];
  const breaches: Breach[] = [];
  if ((protection & (Zero | NoAccess)) !== 0n) {
    const message = `${name} maps an allocation with Zero or NoAccess`;
    const weak = isLenient ? { severity: "warning" as const } : {};
    breaches.push({ rule: "gpuva-zero-with-allocation", message, shape: "update", ...weak });
  }
  breaches.push(...strayBits(name, protection));
  return breaches;
}
