// Values as JSON and back, exactly: 64-bit integers, bytes, objects. What a value is comes from its declaration.
// It must not know events, lines or files.

import {
  defaultValue,
  didYouMean,
  INTEGER_BOUNDS,
  isArray,
  isRef,
  type ObjectKind,
  type ParamPlan,
  parseObject,
  printObject,
  type Ref,
  type ScalarType,
  type Value,
} from "../api/mod.ts";

/** What JSON can say. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** A JSON object; any name may stand in it, `__proto__` too. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** Handle values by object: what was already said, or read. It keeps one number per object of the trace. */
export class HandleBook {
  readonly #byKind = new Map<ObjectKind, Map<number, number>>();
  #madeUp = 0;

  /** The object's handle value, or undefined where none was said. */
  get({ kind, number }: Pick<Ref, "kind" | "number">): number | undefined {
    return this.#byKind.get(kind)?.get(number);
  }

  /** Notes the object's handle value. */
  set({ kind, number, handle }: Ref): void {
    const known = this.#byKind.get(kind);
    if (known === undefined) this.#byKind.set(kind, new Map([[number, handle]]));
    else known.set(number, handle);
  }

  /** The object with its handle value; one that was never said is made up: 0, 1, 2, … */
  resolve(name: Pick<Ref, "kind" | "number">): Ref {
    const known = this.get(name);
    if (known !== undefined) return { ...name, handle: known };
    const made = { ...name, handle: this.#madeUp };
    this.#madeUp += 1;
    this.set(made);
    return made;
  }
}

/** Trouble with one member; the line's reader adds the line. */
export class JsonValueError extends Error {
  override readonly name = "JsonValueError";
  /** The member's path, such as `args.Operations[0].hAllocation`. */
  readonly member: string;

  constructor(member: string, message: string) {
    super(message);
    this.member = member;
  }
}

/** A value as JSON: integers above 2^53 as decimal text, bytes as hex, objects as `gpadl#7`; each `Ref` is given to `onRef`. */
export function valueToJson(value: Value, onRef: (ref: Ref) => void): JsonValue {
  if (typeof value === "bigint") return integerToJson(value);
  if (typeof value !== "object" || value === null) return value;
  if (value instanceof Uint8Array) return hexOf(value);
  if (isArray(value)) return value.map((each) => valueToJson(each, onRef));
  if (isRef(value)) {
    onRef(value);
    return printObject(value);
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, valueToJson(member, onRef)]));
}

/** A number up to 2^53, decimal text above. */
export function integerToJson(value: bigint): JsonValue {
  const isExact = value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER);
  return isExact ? Number(value) : value.toString();
}

/** Lower-case hexadecimal, two digits a byte. */
export function hexOf(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What reading a value needs besides its declaration. */
export interface ValueReading {
  readonly handles: HandleBook;
  /** Fill in members of structures that were left out, as for arguments. */
  readonly fill: boolean;
}

/** A value from JSON, by its declared type; `JsonValueError` names the member and what was wanted. */
export function valueFromJson(param: ParamPlan, json: unknown, at: ValueReading & { readonly path: string }): Value {
  if (!param.isArray) return oneFromJson(param, json, at);
  if (!Array.isArray(json)) throw mismatch(at.path, json, `an array (${param.word}[])`);
  return json.map((each, index) => oneFromJson(param, each, { ...at, path: `${at.path}[${index}]` }));
}

type At = ValueReading & { readonly path: string };

function oneFromJson(param: ParamPlan, json: unknown, at: At): Value {
  if (param.storage === "struct") return structFromJson(param.members, json, at);
  if (param.storage === "object") return objectFromJson(param, json, at);
  return param.scalar === null ? null : scalarFromJson(param.scalar, param.word, { json, path: at.path });
}

/**
 * Members by name. One that nobody declared is misspelt, and what it was meant for would become 0: it is refused. Exported
 * for the arguments of a call, which are members too.
 */
export function membersFromJson(members: readonly ParamPlan[], json: unknown, at: At): Map<string, Value> {
  const given = membersOf(json, at.path);
  const values = new Map<string, Value>();
  for (const [name, inner] of given) {
    const member = members.find((each) => each.name === name);
    if (member === undefined) throw undeclared(name, members, at.path);
    values.set(name, valueFromJson(member, inner, { ...at, path: `${at.path}.${name}` }));
  }
  return values;
}

function undeclared(name: string, members: readonly ParamPlan[], path: string): JsonValueError {
  const names = members.map((member) => member.name);
  const hint = didYouMean(name, names) || (names.length === 0 ? " It takes none." : ` There are ${names.join(", ")}.`);
  return new JsonValueError(`${path}.${name}`, `${path} has no member ${shown(name)}.${hint}`);
}

function structFromJson(members: readonly ParamPlan[], json: unknown, at: At): Value {
  const values = membersFromJson(members, json, at);
  if (at.fill) {
    for (const member of members) {
      if (member.goesIn && !values.has(member.name)) values.set(member.name, defaultValue(member));
    }
  }
  return Object.fromEntries(values);
}

/** The members of a JSON object, own ones only. */
export function membersOf(json: unknown, path: string): [string, unknown][] {
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw mismatch(path, json, "an object {…}");
  return Object.entries(json);
}

function objectFromJson(param: ParamPlan, json: unknown, at: At): Value {
  if (json === null) return null;
  const name = typeof json === "string" ? parseObject(json) : null;
  if (name !== null) return at.handles.resolve(name);
  const handle = typeof json === "string" || typeof json === "number" ? integerFrom(json) : null;
  if (handle === null || handle < 0n || handle > BigInt(Number.MAX_SAFE_INTEGER)) {
    throw mismatch(at.path, json, `an object such as "${param.kind}#1", a handle value below 2^53, or null`);
  }
  return handle === 0n ? null : Number(handle);
}

interface Given {
  readonly json: unknown;
  readonly path: string;
}

function scalarFromJson(scalar: ScalarType, word: string, given: Given): Value {
  const { json, path } = given;
  switch (scalar.storage) {
    case "bool":
      if (typeof json === "boolean") return json;
      throw mismatch(path, json, "true or false");
    case "function":
      if (typeof json === "boolean" || json === null) return json === true;
      throw mismatch(path, json, "true (given), false or null");
    case "text":
      if (typeof json === "string" || json === null) return json;
      throw mismatch(path, json, "a string");
    case "guid":
      return guidFromJson(given);
    case "bytes":
      return bytesFromJson(given);
    default: {
      const integer = rangedFrom(given, { limits: INTEGER_BOUNDS[scalar.storage], word, scalar });
      return scalar.storage === "u64" || scalar.storage === "i64" ? integer : Number(integer);
    }
  }
}

interface Wanted {
  readonly limits: readonly [bigint, bigint];
  readonly word: string;
  readonly scalar?: ScalarType;
}

function rangedFrom({ json, path }: Given, { limits: [low, high], word, scalar }: Wanted): bigint {
  const integer = integerFrom(json) ?? (typeof json === "string" ? symbolValue(scalar, json) : null);
  if (integer !== null && integer >= low && integer <= high) return integer;
  const inexact = typeof json === "number" && Number.isInteger(json) && !Number.isSafeInteger(json);
  throw mismatch(
    path,
    json,
    `a whole number ${low} to ${high}${inexact ? ', above 2^53 as a string like "0x…"' : ""} (${word})`,
  );
}

/** A whole number from a JSON number up to 2^53, or decimal or `0x` text; null where it is none. */
export function integerFrom(json: unknown): bigint | null {
  if (typeof json === "number") return Number.isSafeInteger(json) ? BigInt(json) : null;
  if (typeof json !== "string" || !/^(?:-?[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(json)) return null;
  return BigInt(json);
}

/** `READ_ONLY`, `Write|Execute`: the DDI's symbols, for logs that hold them. */
function symbolValue(scalar: ScalarType | undefined, text: string): bigint | null {
  const { names, flags } = scalar ?? {};
  if (names !== undefined) return Object.hasOwn(names, text) ? BigInt(names[text] ?? 0) : null;
  if (flags === undefined) return null;
  let sum = 0n;
  for (const name of text.split("|")) {
    if (!Object.hasOwn(flags, name)) return null;
    sum |= BigInt(flags[name] ?? 0);
  }
  return sum;
}

const GUID = /^\{?([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\}?$/i;

function guidFromJson({ json, path }: Given): Value {
  if (json === null) return null;
  const digits = typeof json === "string" ? GUID.exec(json)?.[1] : undefined;
  if (digits === undefined) {
    throw mismatch(path, json, "a GUID such as {00000000-0000-0000-0000-000000000000}, or null");
  }
  return `{${digits.toLowerCase()}}`;
}

/** Bytes from hexadecimal digits of either case. */
export function bytesFromJson({ json, path }: Given): Uint8Array {
  if (typeof json !== "string" || json.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(json)) {
    throw mismatch(path, json, "bytes as an even number of hexadecimal digits");
  }
  return Uint8Array.from({ length: json.length / 2 }, (_, index) => parseInt(json.slice(2 * index, 2 * index + 2), 16));
}

/** The error for a member that is something else than was wanted. */
export function mismatch(path: string, json: unknown, wanted: string): JsonValueError {
  return new JsonValueError(path, `${path === "" ? "it" : path} is ${shown(json)}; it must be ${wanted}`);
}

const SHOWN_LENGTH = 60;

function shown(json: unknown): string {
  if (json === undefined) return "missing";
  if (typeof json === "object" && json !== null) return Array.isArray(json) ? "an array" : "an object";
  const text = JSON.stringify(json);
  return text.length <= SHOWN_LENGTH ? text : `${text.slice(0, SHOWN_LENGTH)}…`;
}
