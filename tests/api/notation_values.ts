// Arbitrary values of declared types, and an environment over a map, for the notation's tests.

import fc from "fast-check";
import {
  type CallPlan,
  type Environment,
  isArray,
  isRef,
  objectKind,
  OBJECTS,
  type Outcome,
  type ParamPlan,
  type Value,
} from "../../src/api/mod.ts";

/** The handle that `kind#number` has in `mapEnvironment`. */
export function handleOf(kind: string, number: number): number {
  return (Object.keys(OBJECTS).indexOf(kind) + 1) * 0x1000000 + number;
}

/** Variables in a map; every object exists. */
export function mapEnvironment(variables: Map<string, Value> = new Map()): Environment {
  return {
    variable: (name) => variables.get(name),
    bindVariable: (name, value) => void variables.set(name, value),
    object: (kind, number) => handleOf(kind, number),
  };
}

/** A value as a binder that knows no objects makes it: objects are their handles. */
export function withHandles(value: Value): Value {
  if (isArray(value)) return value.map(withHandles);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return value;
  if (isRef(value)) return value.handle;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, withHandles(member)]));
}

/** Canonical values of a parameter, on its way in or out. */
export function arbitraryValue(plan: ParamPlan, way: "in" | "out"): fc.Arbitrary<Value> {
  const one: fc.Arbitrary<Value> = plan.storage === "struct" ? arbitraryStruct(plan, way) : arbitraryScalar(plan);
  return plan.isArray ? fc.array(one, { maxLength: 3 }) : one;
}

function arbitraryStruct(plan: ParamPlan, way: "in" | "out"): fc.Arbitrary<Value> {
  const members = plan.members.filter((member) => way === "in" ? member.goesIn : member.goesOut);
  return fc.record(Object.fromEntries(members.map((member) => [member.name, arbitraryValue(member, way)])));
}

function arbitraryScalar(plan: ParamPlan): fc.Arbitrary<Value> {
  const named: (number | bigint)[] = Object.values({ ...plan.scalar?.flags, ...plan.scalar?.names });
  switch (plan.storage) {
    case "u64":
      return fc.oneof(fc.constantFrom(0n, ...named.map(BigInt)), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
    case "i64":
      return fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
    case "i32":
      return fc.integer({ min: -0x80000000, max: 0x7fffffff });
    case "bool":
    case "function":
      return fc.boolean();
    case "text":
      return fc.string({ unit: "binary" });
    case "guid":
      return fc.option(fc.uuid().map((uuid) => `{${uuid}}`));
    case "bytes":
      return fc.oneof(
        fc.uint8Array({ maxLength: 20 }),
        fc.tuple(fc.nat(255), fc.nat(40)).map(([byte, length]) => new Uint8Array(length).fill(byte)),
      );
    case "object":
      return fc.oneof(fc.constant(null), fc.integer({ min: 1, max: 2 ** 48 }), arbitraryRef(plan.kind ?? ""));
    default: {
      const max = { u8: 0xff, u16: 0xffff }[String(plan.storage)] ?? 0xffffffff;
      return fc.oneof(fc.constantFrom(0, ...named.map(Number)), fc.integer({ min: 0, max }));
    }
  }
}

function arbitraryRef(word: string): fc.Arbitrary<Value> {
  const kind = objectKind(word);
  if (kind === null) throw new TypeError(`${word} is no object kind`);
  return fc.integer({ min: 1, max: 9999 }).map((number) => ({ kind, number, handle: handleOf(kind, number) }));
}

/** Outcomes that a call can have. */
export function arbitraryOutcome(plan: CallPlan): fc.Arbitrary<Outcome> {
  if (plan.declaration.returns === "status") {
    return fc.oneof(fc.constantFrom(0, 0xc000000d), fc.nat(0xffffffff)).map((status) => ({ form: "status", status }));
  }
  const refused = fc.string({ unit: "binary" }).map((reason): Outcome => ({ form: "refused", reason }));
  const answer: fc.Arbitrary<Outcome> = plan.returned === null
    ? fc.constant({ form: "void" })
    : arbitraryValue(plan.returned, "out").map((value) => ({ form: "value", value }));
  return fc.oneof(answer, refused);
}
