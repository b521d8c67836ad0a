// Arguments by type word: mostly such as a driver would give, now and then such as none should.
// It knows hardly any call: a size is fitted to what stands before it in the same call.

import {
  type CallPlan,
  CALLS,
  defaultValue,
  isRef,
  type ObjectKind,
  type ParamPlan,
  type Ref,
  SIDES,
  STATUS,
  SYMBOLS,
  type Value,
} from "../../src/api/mod.ts";
import type { Random } from "../../src/driver/mod.ts";
import type { EngineObject, World } from "../../src/engine/mod.ts";

/** What arguments are made of. */
export interface Material {
  readonly world: World;
  readonly random: Random;
  /** Objects that were seen, newest last. */
  readonly seen: readonly Ref[];
  /** Whether a driver was ever given this object: it cannot name others. */
  readonly isKnown: (object: Ref) => boolean;
  /** Bytes that callbacks gave, and bytes that calls gave; newest last. */
  readonly bytes: { readonly given: readonly Uint8Array[]; readonly returned: readonly Uint8Array[] };
}

/** A call to make arguments for. */
export interface Asked {
  readonly plan: CallPlan;
  readonly side: string;
  /** What the callback brought that the call is made in. */
  readonly near: readonly Value[];
  /** Make some of them wrong. */
  readonly isCareless: boolean;
}

const GUIDS = ["1", "1", "1", "2"].map((digit) => `{11111111-0000-0000-0000-00000000000${digit}}`);
const LENGTHS = [0, 1, 7, 8, 16, 64, 200, 1000];
const COUNTS = [0, 1, 2, 3, 8, 16, 64];
const BYTE_COUNTS = [0, 8, 16, 64, 4096, 5000, 8192, 12288];
const FAR_BYTE_COUNTS = [3, 100, 65536, 0x7fff_ffff, 0xffff_ffff];
const OFFSETS = [0, 0, 0, 8, 100, 4095];
const { WAIT_FOR_COMPLETION, FORCE_MDL_LENGTH, PAGED_BUFFER } = SYMBOLS.packetFlags;
const PACKET_FLAGS = [
  0,
  WAIT_FOR_COMPLETION,
  WAIT_FOR_COMPLETION,
  WAIT_FOR_COMPLETION,
  WAIT_FOR_COMPLETION | FORCE_MDL_LENGTH,
  WAIT_FOR_COMPLETION | PAGED_BUFFER,
];
const NAMES = Object.keys(CALLS).filter((name) => name.startsWith("Vmb"));
const TIMEOUTS = [0n, -10n, -100_000n, 1n, 1_000_000n];
const FAILING = Object.values(STATUS).filter((status) => status >= 0x8000_0000);

/** Makes the arguments of a call, in order; null: there is no object that would fit. */
export function argumentsFor(asked: Asked, material: Material): Value[] | null {
  const { plan, side, isCareless } = asked;
  if (!isCareless && side === "server" && plan.ins.some(isGuests)) return null;
  const values: Value[] = [];
  for (const param of plan.ins) {
    const value = valueFor(param, { ...asked, values, ...material });
    if (value === undefined) return null;
    values.push(value);
  }
  return values;
}

/** A guest alone waits for what it sends, and shows its pages (kmcl.md 2.4). */
function isGuests({ word, isArray }: ParamPlan): boolean {
  return word === "timeout" || (word === "u64" && isArray);
}

interface Scene extends Asked, Material {
  /** What was made of the parameters before. */
  readonly values: readonly Value[];
}

/** Undefined: no object fits. */
function valueFor(param: ParamPlan, scene: Scene): Value | undefined {
  const { random } = scene;
  if (param.isArray) return arrayFor(param, scene);
  if (param.storage === "object") return objectFor(param, scene);
  if (param.storage === "struct") return structFor(param, scene);
  return scalarFor(param, scene.isCareless && random.below(8) === 0, scene);
}

function arrayFor(param: ParamPlan, scene: Scene): Value {
  const { random, world } = scene;
  if (param.word === "timeout") return random.below(2) === 0 ? [] : [random.pick(TIMEOUTS)];
  const [buffer] = live(world, "buffer");
  const first = BigInt(buffer?.data.pieces[0].pages[0] ?? 0x100);
  const isFar = scene.isCareless && random.below(8) === 0;
  return Array.from({ length: random.below(4) + 1 }, (_, index) => first + BigInt(index) + (isFar ? 1n << 41n : 0n));
}

function structFor(param: ParamPlan, scene: Scene): Value {
  const { random } = scene;
  const members = param.members.filter((member) => member.goesIn).map((member) => {
    if (member.name === "Version") return [member.name, scene.isCareless && random.below(9) === 0 ? 2 : 1] as const;
    if (member.name === "Size") return [member.name, scene.isCareless && random.below(9) === 0 ? 40 : 48] as const;
    return [member.name, valueFor(member, scene) ?? defaultValue(member)] as const;
  });
  return Object.fromEntries(members);
}

function scalarFor(param: ParamPlan, isWrong: boolean, scene: Scene): Value {
  const { random, values } = scene;
  const { scalar, storage, word } = param;
  if (word === "packetFlags" && !isWrong) return random.pick(PACKET_FLAGS);
  if (scalar?.flags !== undefined) return flagsFor(Object.values(scalar.flags), isWrong, scene);
  if (word === "status") return random.below(10) === 0 ? 0 : random.pick(FAILING);
  if (word === "irql") return random.below(3) > 0 ? 0 : random.pick([1, 2, isWrong ? 9 : 0]);
  if (word === "sideName") return isWrong ? random.pick(SIDES) : random.pick(["client", "server"]);
  if (word === "callName") return isWrong ? "NoSuchCall" : random.pick(NAMES);
  if (word === "nanoseconds") return BigInt(random.below(20_000));
  switch (storage) {
    case "bool":
      return word === "bool" && scene.plan.name === "VmbChannelAllocate" && !isWrong
        ? scene.side === "server"
        : random.below(2) === 0;
    case "function":
      return random.below(8) > 0;
    case "guid":
      return isWrong ? null : random.pick(GUIDS);
    case "text":
      return random.pick(["", "a name", "IVmbusClient"]);
    case "bytes":
      return bytesFor(scene);
    case "u64":
    case "i64":
      return BigInt(random.pick(COUNTS));
    default:
      return numberFor(param, isWrong, { ...scene, last: values.at(-1) });
  }
}

function flagsFor(bits: readonly (number | bigint)[], isWrong: boolean, { random }: Scene): Value {
  const chosen = bits.filter(() => random.below(2) === 0);
  if (bits.some((bit) => typeof bit === "bigint")) {
    return chosen.reduce<bigint>((sum, bit) => sum | BigInt(bit), 0n);
  }
  return chosen.reduce<number>((sum, bit) => sum | Number(bit), isWrong ? 0x4000 : 0);
}

/** Bytes that were seen, such as a saved state or a packet's context, or any others. */
function bytesFor({ plan, random, bytes, near }: Scene): Uint8Array {
  const own = near.find((value) => value instanceof Uint8Array && value.length > 0);
  if (own instanceof Uint8Array && random.below(3) > 0) return own;
  const isOwn = plan.name === "VmbChannelRestoreFromBuffer";
  const pool = !isOwn && random.below(2) === 0 ? bytes.given : bytes.returned;
  const known = isOwn || random.below(2) > 0 ? pool.at(-1 - random.below(3)) : undefined;
  if (known !== undefined) return known;
  return Uint8Array.from({ length: random.pick(LENGTHS) }, (_, index) => index & 0xff);
}

/** A size or count that fits what stands before it: bytes, an array, a buffer, an MDL. */
function numberFor(
  { word, storage }: ParamPlan,
  isWrong: boolean,
  { random, last, world }: Scene & { readonly last: Value | undefined },
): number {
  if (word === "byteOffset") return random.pick(OFFSETS);
  if (storage === "u8") return random.below(3);
  if (storage === "u16") return random.pick(COUNTS);
  if (word !== "byteCount") {
    return Array.isArray(last) && !isWrong ? random.below(last.length) + 1 : random.pick(COUNTS);
  }
  if (isWrong) return random.pick(FAR_BYTE_COUNTS);
  if (last instanceof Uint8Array) return last.length;
  if (isRef(last) && last.kind === "buffer") return world.find("buffer", last.number)?.data.pieces[0].byteCount ?? 0;
  return random.pick(BYTE_COUNTS);
}

/** Live objects of a kind. */
function live<K extends ObjectKind>(world: World, kind: K): EngineObject<K>[] {
  return [...world.all(kind)];
}

/** An object in a state that the call needs, else one that it should not be given; undefined: there is none. */
function objectFor(param: ParamPlan, scene: Scene): Value | undefined {
  const { kind } = param;
  const { random, world, isCareless } = scene;
  if (kind === null) return null;
  if (isCareless && random.below(4) === 0) return wrongObject(kind, scene);
  if (param.optional && random.below(2) === 0) return null;
  if (param.direction === "inout" && random.below(4) > 0) return null;
  const fitting = live(world, kind).filter((object) => fits(object, param, scene));
  const [own] = scene.near.flatMap((value) => isRef(value) && value.kind === kind ? [value] : []);
  const isOwn = own !== undefined && fitting.some(({ number }) => number === own.number);
  if (isOwn && random.below(3) > 0) return own;
  if (fitting.length > 0) return random.pick(fitting).ref;
  return param.optional || param.direction === "inout" ? null : undefined;
}

/** Dead, of anybody, none, or a number that names nothing. */
function wrongObject(kind: ObjectKind, { random, world, seen, isKnown }: Scene): Value {
  const all = live(world, kind).filter(({ ref }) => isKnown(ref));
  const known = seen.filter((ref) => ref.kind === kind);
  switch (random.below(4)) {
    case 0:
      return null;
    case 1:
      return random.pick([1, 0x1234, 0x8000_1000, 0xe_1e0f]);
    case 2:
      return all.length === 0 ? null : random.pick(all).ref;
    default:
      return known.length === 0 ? null : random.pick(known);
  }
}

const SHARED: ReadonlySet<ObjectKind> = new Set(["gpadl", "buffer", "mdl"]);
const GUESTS: ReadonlySet<string> = new Set(["client", "guest"]);

function fits(object: EngineObject, param: ParamPlan, { plan, side, values, isKnown, isCareless }: Scene): boolean {
  if (!isKnown(object.ref)) return false;
  const needed = plan.declaration.needs?.[param.name];
  if (needed !== undefined && !needed.includes(object.state)) return false;
  if (!SHARED.has(object.kind) && object.side !== side) return false;
  if (isKind(object, "buffer")) return object.data.partition === (GUESTS.has(side) ? "guest" : "host");
  const verb = plan.effects.find((effect) => effect.param === param)?.verb;
  if (isKind(object, "channel")) return isCareless || verb !== "open" || object.data.interfaceType !== null;
  if (isKind(object, "packet")) return isCareless || object.data.routine !== "none" || plan.ins[1]?.word !== "bytes";
  if (isKind(object, "mdl")) {
    return isCareless || (side !== "server" && object.data.partition === "guest" && object.data.gpadl === 0);
  }
  if (!isKind(object, "gpadl")) return true;
  const [channel] = values;
  const own = verb === "destroy" ? object.data.channel : object.data.server;
  const isMapped = object.data.mapping !== 0;
  if (isRef(channel) && channel.number !== own) return false;
  return verb === "unmap" ? isMapped : verb === "map" ? !isMapped && !object.data.isDeleting : !object.data.isDeleting;
}

function isKind<K extends ObjectKind>(object: EngineObject, kind: K): object is EngineObject<K> {
  return object.kind === kind;
}
