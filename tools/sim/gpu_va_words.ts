// Arguments for calls about GPU virtual addresses: by the declarations' words and kinds, and for calls whose arguments belong
// together, by what the process has. Addresses come from a small window, so that calls meet.

import {
  type CallPlan,
  defaultValue,
  isArray,
  isRef,
  isStruct,
  type ObjectKind,
  type ParamPlan,
  STATUS,
  SYMBOLS,
  type Value,
} from "../../src/api/mod.ts";
import type { EngineObject } from "../../src/engine/mod.ts";
import { GPU_VA_RELATED } from "./gpu_va_related.ts";
import type { Asked, Material } from "./words.ts";

/** A call that arguments are made for. */
export interface GpuScene extends Asked, Material {
  /** By parameter: what was chosen because it belongs together. */
  readonly chosen: Readonly<Record<string, Value>>;
  /** The device that all objects of the call are of, 0: not chosen yet. */
  device: number;
}

const SIZES: ReadonlySet<string> = new Set(["byteSize", "pageCount"]);
const LAST_BIGINT = (1n << 64n) - 1n;
const WILD_NUMBERS = [0, 1, 2, 3, 7, 64, 0x1000, 0x7fff_ffff, 0xffff_ffff];
const WILD_BIGINTS = [0n, 1n, 0xfffn, 0x1000n, 0x8001n, 0x10000n, 1n << 32n, 1n << 47n, 1n << 48n, LAST_BIGINT];
/** No such size can be obtained that an oracle of single pages could not hold. */
const WILD_SIZES = [0n, 1n, 0xfffn, 0x1000n, 0x1001n, 1n << 48n, LAST_BIGINT];
const FAILING = Object.values(STATUS).filter((status) => status >= 0x8000_0000);
const LIST_LENGTHS = [1, 1, 1, 2, 3];

/** Arguments, in order; null: there is no object that would fit. */
export function gpuArguments(asked: Asked, material: Material): Value[] | null {
  const related = GPU_VA_RELATED[asked.plan.name];
  const scene: GpuScene = { ...asked, ...material, chosen: {}, device: 0 };
  const chosen = related === undefined ? {} : related(scene);
  if (chosen === null) return null;
  const values: Value[] = [];
  for (const param of asked.plan.ins) {
    const value = chosen[param.name] ?? valueFor(param, scene);
    if (value === undefined) return null;
    values.push(value);
  }
  return asked.isCareless ? spoilt(values, { plan: asked.plan, material }) : values;
}

/** One argument is not as it should be. */
function spoilt(
  values: Value[],
  { plan, material }: { readonly plan: CallPlan; readonly material: Material },
): Value[] {
  const at = material.random.below(plan.ins.length);
  const param = plan.ins[at];
  if (param === undefined) return values;
  return values.map((value, index) => index === at ? wild(param, value, material) : value);
}

function wild(param: ParamPlan, value: Value, material: Material): Value {
  const { random } = material;
  if (isArray(value)) {
    if (value.length === 0 || random.below(3) === 0) return value.slice(1);
    if (random.below(3) === 0) return [...value, ...value.slice(0, 1)];
    const at = random.below(value.length);
    return value.map((each, index) => index === at ? wild({ ...param, isArray: false }, each, material) : each);
  }
  if (param.storage === "struct" && isStruct(value)) {
    const members = param.members.filter(({ goesIn }) => goesIn);
    const member = random.pick(members);
    return { ...value, [member.name]: wild(member, value[member.name] ?? null, material) };
  }
  if (param.storage === "object" && param.kind !== null) return wrongObject(param.kind, material);
  if (typeof value === "bigint") {
    const isNear = random.below(2) === 0 && value < LAST_BIGINT - 0x800n;
    return isNear ? value + 0x800n : random.pick(SIZES.has(param.word) ? WILD_SIZES : WILD_BIGINTS);
  }
  if (typeof value === "boolean" || param.storage === "i32") return value;
  if (typeof value !== "number") return value;
  return random.pick(param.storage === "u32" ? WILD_NUMBERS : [0, 1, 2]);
}

/** Dead, of another process or another device, none, or a number that names nothing. */
function wrongObject(kind: ObjectKind, { random, world, seen, isKnown }: Material): Value {
  const all = [...world.all(kind)].filter(({ ref }) => isKnown(ref));
  const known = seen.filter((ref) => ref.kind === kind);
  const ways: (() => Value)[] = [
    () => null,
    () => random.pick([1, 0x40000040, 0x8000_1000]),
    () => all.length === 0 ? null : random.pick(all).ref,
    () => known.length === 0 ? null : random.pick(known),
  ];
  return random.pick(ways)();
}

/** Undefined: no object fits. */
function valueFor(param: ParamPlan, scene: GpuScene): Value | undefined {
  if (param.isArray) return arrayFor(param, scene);
  if (param.storage === "object") return objectFor(param, scene);
  if (param.storage !== "struct") return scalarFor(param, scene);
  const members = param.members.filter(({ goesIn }) => goesIn);
  return Object.fromEntries(members.map((each) => [each.name, valueFor(each, scene) ?? defaultValue(each)]));
}

function arrayFor(param: ParamPlan, scene: GpuScene): Value | undefined {
  const { random } = scene;
  if (param.kind === null) return Array.from({ length: random.pick(LIST_LENGTHS) }, () => scalarFor(param, scene));
  const made = new Map<number, Value>();
  for (let count = random.pick(LIST_LENGTHS); count > 0; count -= 1) {
    const value = objectFor({ ...param, isArray: false }, scene);
    if (isRef(value)) made.set(value.number, value);
  }
  return made.size === 0 ? undefined : [...made.values()];
}

function objectFor(param: ParamPlan, scene: GpuScene): Value | undefined {
  const { kind } = param;
  if (kind === null) return null;
  if (param.optional && scene.random.below(2) === 0) return null;
  if (param.direction === "inout" && scene.random.below(4) > 0) return null;
  const found = pickObject(scene, kind);
  return found?.ref ?? (param.optional || param.direction === "inout" ? null : undefined);
}

/** An object of the caller's process, and of the call's device. */
export function pickObject<K extends ObjectKind>(scene: GpuScene, kind: K): EngineObject<K> | null {
  const fitting = [...scene.world.all(kind)].filter((object) => fits(object, scene));
  if (fitting.length === 0) return null;
  const found = scene.random.pick(fitting);
  if (scene.device === 0) scene.device = deviceOf(found);
  return found;
}

function fits(object: EngineObject, { side, device, isKnown }: GpuScene): boolean {
  if (!isKnown(object.ref)) return false;
  if (object.kind === "buffer") return side !== "guest";
  const isAnyones = side === "gpu" || side === "kmd" || side === "machine";
  if (!isAnyones && object.side !== side) return false;
  const own = deviceOf(object);
  return device === 0 || own === 0 || own === device;
}

/** The number of the device that an object is or is of, 0: none. */
export function deviceOf(object: EngineObject): number {
  if (object.kind === "device") return object.number;
  const { data } = object;
  return "device" in data && typeof data.device === "number" ? data.device : 0;
}

function scalarFor({ word, storage, scalar, name }: ParamPlan, { random, plan }: GpuScene): Value {
  const careful = CAREFUL[word];
  if (careful !== undefined) return random.pick(careful);
  if (word === "callName") return random.pick(FAULTED);
  if (word === "status") return random.pick(FAILING);
  if (word === "sideName") return random.pick(["umd", "umd#2"]);
  if (word === "nanoseconds") return BigInt(random.below(20_000));
  if (scalar?.names !== undefined) return random.pick(Object.values(scalar.names));
  if (scalar?.flags !== undefined) {
    return random.below(3) > 0 ? zeroOf(storage) : random.pick(Object.values(scalar.flags));
  }
  switch (storage) {
    case "bool":
      return random.below(2) === 0;
    case "function":
      return random.below(8) > 0;
    case "u64":
    case "i64":
      return BigInt(random.below(4));
    case "bytes":
      return Uint8Array.from({ length: random.pick([1, 8, 64]) }, (_, index) => index);
    case "i32":
      return random.below(3) - 1;
    default:
      return plan.name === "FailNext" && name === "Skip" ? random.below(3) : random.pick([0, 0, 0, 1]);
  }
}

function zeroOf(storage: string): Value {
  return storage === "u64" ? 0n : 0;
}

/** Calls that a planned fault strikes. */
const FAULTED = [
  "D3DKMTMapGpuVirtualAddress",
  "D3DKMTFreeGpuVirtualAddress",
  "D3DKMTReserveGpuVirtualAddress",
  "D3DKMTCreateAllocation2",
  "D3DKMTDestroyAllocation2",
  "D3DKMTMakeResident",
  "D3DKMTUpdateGpuVirtualAddress",
];
const { allocationFlags, contextFlags, protection } = SYMBOLS;
/** Values of words that mostly mean what they say. */
const CAREFUL: Readonly<Record<string, readonly Value[]>> = {
  luid: [1n, 1n, 1n, 2n],
  reserved: [0n],
  engineAffinity: [0, 0, 1, 2],
  physicalAdapterIndex: [0, 0, 0, 1],
  driverProtection: [0n, 0n, 0n, 0n, 5n, 7n],
  fenceValue: [0n, 1n, 2n, 3n, 5n, 8n, 20n],
  contextFlags: [0, 0, 0, 0, 0, contextFlags.NullRendering, contextFlags.SynchronizationOnly],
  allocationFlags: [0, 0, 0, allocationFlags.CreateResource],
  protection: [protection.Write, protection.Write, 0n, 3n],
  byteOffset: [0],
  byteCount: [4096, 8192, 4096, 100, 16384],
  byteSize: [0x1000n, 0x2000n, 0x4000n, 0x800n],
  access: [0, 0, 1, 1, 2],
};
