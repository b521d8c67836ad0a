// What the engine has of an object, in words: the replayed side of a divergence.

import type { Ref } from "../api/mod.ts";
import type { World } from "../engine/mod.ts";

/** State and data of an object, on one line. */
export function describeObject(world: World, ref: Ref): string {
  const object = world.find(ref.kind, ref.number);
  if (object === undefined) return world.countOf(ref.kind) >= ref.number ? "gone" : "not created";
  const data = Object.entries({ ...object.data }).map(([name, value]) => `${name}=${plain(value)}`);
  return [object.state, ...data].join(", ");
}

function plain(value: unknown): string {
  if (value instanceof Set) return `{${[...value].map(plain).join(" ")}}`;
  if (value instanceof Map) return `{${[...value].map(([key, each]) => `${plain(key)}:${plain(each)}`).join(" ")}}`;
  if (value instanceof Uint8Array) return `${value.length} bytes`;
  if (Array.isArray(value)) return value.length > 8 ? `[${value.length} of them]` : `[${value.map(plain).join(" ")}]`;
  if (typeof value === "object" && value !== null) {
    return `{${Object.entries(value).map(([name, each]) => `${name}=${plain(each)}`).join(" ")}}`;
  }
  return String(value);
}
