// The catalogue: every declaration, compiled once into a plan that engine, recorder, reader, notation and audits walk.
// Whatever is derived from a declaration is derived here; nothing here knows a particular call.

import type {
  DdiNames,
  Declaration,
  Direction,
  Effect,
  Level,
  ObjectKind,
  StructDeclaration,
  StructName,
} from "./grammar.ts";
import { DXGKRNL } from "./dxgkrnl.ts";
import { GPU_VA } from "./gpu_va.ts";
import { GPU_VA_CALLBACKS } from "./gpu_va_kernel.ts";
import { KMCL } from "./kmcl.ts";
import { KMCL_CALLBACKS } from "./kmcl_callbacks.ts";
import { MACHINE } from "./machine.ts";
import { OBJECTS } from "./objects.ts";
import { STRUCTS } from "./structs.ts";
import { type ScalarStorage, type ScalarType, TYPES } from "./types.ts";
import type { Value } from "./values.ts";
import { WIRE } from "./vmbus.ts";

/** How values of a parameter are kept. */
export type Storage = ScalarStorage | "object" | "struct";

/** A parameter or member, compiled. */
export interface ParamPlan {
  readonly name: string;
  readonly direction: Direction;
  /** The type word: says meaning and unit. */
  readonly word: string;
  readonly storage: Storage;
  readonly isArray: boolean;
  readonly goesIn: boolean;
  readonly goesOut: boolean;
  /** May be null where an object is wanted. */
  readonly optional: boolean;
  /** The scalar's type, where it is one. */
  readonly scalar: ScalarType | null;
  /** The object's kind, where it is one. */
  readonly kind: ObjectKind | null;
  /** A structure's members, in order. */
  readonly members: readonly ParamPlan[];
}

/** Where in a call an effect finds its subject. */
export interface Operand {
  readonly from: "in" | "out" | "return";
  /** Index into the plan's `ins` or `outs`. */
  readonly index: number;
  /** A member of each structure in that array. */
  readonly member: string | null;
}

/** An effect, compiled. */
export interface EffectPlan {
  readonly verb: (typeof VERBS)[number];
  readonly subject: Operand;
  /** The size operand of an address range. */
  readonly size: Operand | null;
  /** The subject's parameter plan. */
  readonly param: ParamPlan;
}

/** A declaration, compiled. */
export interface CallPlan {
  readonly name: string;
  readonly id: number;
  readonly level: Level;
  readonly isCallback: boolean;
  readonly declaration: Declaration;
  readonly params: readonly ParamPlan[];
  /** Parameters that go in, in declared order; `inout` ones stand in both. */
  readonly ins: readonly ParamPlan[];
  readonly outs: readonly ParamPlan[];
  /** The returned value's plan; null for status and void. */
  readonly returned: ParamPlan | null;
  readonly effects: readonly EffectPlan[];
  /** Creates or maps something: its call site is worth keeping. */
  readonly creates: boolean;
}

/** Where a declaration comes from. */
export interface PlanSource {
  readonly name: string;
  readonly level: Level;
  readonly isCallback: boolean;
}

/** What a type word stands for: a scalar, an object kind, or a structure by its members' specs. */
export type TypeMeaning =
  | { readonly form: "scalar"; readonly scalar: ScalarType }
  | { readonly form: "object"; readonly kind: ObjectKind }
  | { readonly form: "struct"; readonly members: readonly (readonly [name: string, spec: string])[] };

/** Says what type words stand for; null for a word that it does not know. */
export type TypeTable = (word: string) => TypeMeaning | null;

/** How deep structures may nest. */
const MAX_NESTING = 6;

/** Compiles one declaration; `types` are the catalogue's own where left out. `TypeError` where it makes no sense. */
export function compilePlan(source: PlanSource, declaration: Declaration, types: TypeTable = knownType): CallPlan {
  const params = Object.entries<string>(declaration.params).map(([name, spec]) => compileParam(name, spec, { types }));
  const ins = params.filter((param) => param.goesIn);
  const outs = params.filter((param) => param.goesOut);
  const returned = declaration.returns === "status" || declaration.returns === "void"
    ? null
    : compileParam("return", `out ${declaration.returns}`, { types });
  const effects = (declaration.effects ?? []).map((effect) => compileEffect(effect, { ins, outs, returned }));
  const creates = effects.some(({ verb }) => verb === "create" || verb === "map" || verb === "reserve");
  return { ...source, id: declaration.id, declaration, params, ins, outs, returned, effects, creates };
}

function compileParam(
  name: string,
  spec: string,
  { types, depth = 0 }: { readonly types: TypeTable; readonly depth?: number },
): ParamPlan {
  if (depth > MAX_NESTING) throw new TypeError(`Cannot compile parameter ${name}: it nests deeper than ${MAX_NESTING}`);
  const [direction, typed] = splitSpec(spec);
  const isArray = typed.endsWith("[]");
  const word = isArray ? typed.slice(0, -2) : typed;
  const meaning = types(word);
  if (meaning === null) {
    throw new TypeError(`Cannot compile parameter ${name}: "${word}" is no scalar, structure or object kind`);
  }
  const members = meaning.form === "struct" ? meaning.members : [];
  return {
    name,
    direction,
    word,
    isArray,
    storage: meaning.form === "scalar" ? meaning.scalar.storage : meaning.form,
    goesIn: direction !== "out",
    goesOut: direction === "out" || direction === "inout",
    optional: direction === "in?",
    scalar: meaning.form === "scalar" ? meaning.scalar : null,
    kind: meaning.form === "object" ? meaning.kind : null,
    members: members.map(([member, inner]) => compileParam(member, inner, { types, depth: depth + 1 })),
  };
}

function splitSpec(spec: string): [Direction, string] {
  const [direction, word] = spec.split(" ");
  if (
    word !== undefined && (direction === "in" || direction === "in?" || direction === "out" || direction === "inout")
  ) {
    return [direction, word];
  }
  throw new TypeError(`Cannot compile parameter: "${spec}" is not "in|in?|out|inout TYPE"`);
}

const SCALARS: ReadonlyMap<string, ScalarType> = new Map(Object.entries(TYPES));
const STRUCTURES: ReadonlyMap<string, StructDeclaration> = new Map(
  Object.entries<StructDeclaration>(STRUCTS satisfies Record<StructName, StructDeclaration>),
);

/** What the notation takes beside the members of a structure of this name. */
export function structDdiNames(word: string): DdiNames | undefined {
  return STRUCTURES.get(word)?.ddi;
}

/** What a word stands for in this project's own tables, or null. */
export function knownType(word: string): TypeMeaning | null {
  const scalar = SCALARS.get(word);
  if (scalar !== undefined) return { form: "scalar", scalar };
  const struct = STRUCTURES.get(word);
  if (struct !== undefined) return { form: "struct", members: Object.entries(struct.members) };
  return isObjectKind(word) ? { form: "object", kind: word } : null;
}

/** The object kind of this name, or null. */
export function objectKind(word: string): ObjectKind | null {
  return isObjectKind(word) ? word : null;
}

function isObjectKind(word: string): word is ObjectKind {
  return Object.hasOwn(OBJECTS, word);
}

interface Signature {
  readonly ins: readonly ParamPlan[];
  readonly outs: readonly ParamPlan[];
  readonly returned: ParamPlan | null;
}

function compileEffect(effect: Effect, signature: Signature): EffectPlan {
  const [verb, subjectName, , sizeName] = effect.split(" ");
  const found = findOperand(subjectName ?? "", signature, verb !== "create");
  const size = sizeName === undefined ? null : findOperand(sizeName, signature, true).operand;
  if (!isVerb(verb)) throw new TypeError(`Cannot compile effect "${effect}": no such verb`);
  return { verb, subject: found.operand, size, param: found.param };
}

const VERBS = ["create", "destroy", "map", "unmap", "open", "close", "reserve", "free"] as const;

function isVerb(word: string | undefined): word is EffectPlan["verb"] {
  return VERBS.some((verb) => verb === word);
}

/** Finds a parameter by name (`return`, or `array.member`), among the ins first where `insFirst`. */
function findOperand(
  path: string,
  { ins, outs, returned }: Signature,
  insFirst: boolean,
): { operand: Operand; param: ParamPlan } {
  const [name, member] = path.split(".");
  if (name === "return" && returned !== null) {
    return { operand: { from: "return", index: 0, member: null }, param: returned };
  }
  const sides = [{ from: "in", list: ins }, { from: "out", list: outs }] as const;
  for (const { from, list } of insFirst ? sides : sides.toReversed()) {
    const index = list.findIndex((param) => param.name === name);
    const param = list[index];
    if (param === undefined) continue;
    const inner = member === undefined ? param : param.members.find((each) => each.name === member);
    if (inner !== undefined) return { operand: { from, index, member: member ?? null }, param: inner };
  }
  throw new TypeError(`Cannot compile effect: no parameter "${path}"`);
}

/** The value of a parameter that was left out: 0, null, false or empty. */
export function defaultValue(param: ParamPlan): Value {
  if (param.isArray) return [];
  if (param.storage === "struct") {
    return Object.fromEntries(
      param.members.filter((member) => member.goesIn).map((member) => [member.name, defaultValue(member)]),
    );
  }
  return SCALAR_DEFAULTS[param.storage];
}

const NO_BYTES = new Uint8Array(0);
const SCALAR_DEFAULTS: Readonly<Record<Exclude<Storage, "struct">, Value>> = {
  u8: 0,
  u16: 0,
  u32: 0,
  i32: 0,
  u64: 0n,
  i64: 0n,
  bool: false,
  function: false,
  text: "",
  guid: null,
  bytes: NO_BYTES,
  object: null,
};

const TABLES = [
  { table: KMCL, level: "kmcl", isCallback: false },
  { table: KMCL_CALLBACKS, level: "kmcl", isCallback: true },
  { table: GPU_VA, level: "d3dkmt", isCallback: false },
  { table: GPU_VA_CALLBACKS, level: "d3dkmt", isCallback: true },
  { table: MACHINE, level: "machine", isCallback: false },
  { table: DXGKRNL, level: "d3dkmt", isCallback: false },
  { table: WIRE, level: "wire", isCallback: false },
] as const;

function compileAll(): readonly CallPlan[] {
  return TABLES.flatMap(({ table, level, isCallback }) =>
    Object.entries<Declaration>(table).map(([name, declaration]) =>
      compilePlan({ name, level, isCallback }, declaration)
    )
  );
}

/** Every declared call, callback and observed event, compiled. */
export const CATALOGUE: readonly CallPlan[] = compileAll();

const BY_NAME: ReadonlyMap<string, CallPlan> = new Map(CATALOGUE.map((plan) => [plan.name, plan]));

/** The plan of this name, or undefined. */
export function findPlan(name: string): CallPlan | undefined {
  return BY_NAME.get(name);
}

/** The plan of this name; a name of the catalogue always has one. */
export function planOf(name: CallName | CallbackName): CallPlan {
  const plan = BY_NAME.get(name);
  if (plan === undefined) throw new TypeError(`Cannot find the declaration of ${name}`);
  return plan;
}

/** All calls that a driver or the machine can make. */
export const CALLS = { ...KMCL, ...GPU_VA, ...MACHINE } as const;
/** All callbacks that a library makes. */
export const CALLBACKS = { ...KMCL_CALLBACKS, ...GPU_VA_CALLBACKS } as const;
/** The name of a call. */
export type CallName = keyof typeof CALLS;
/** The name of a callback. */
export type CallbackName = keyof typeof CALLBACKS;
