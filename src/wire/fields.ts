// The named fields of a map that was read, each of the type that is wanted or a `WireError` that says which is not.
// Names are only ever looked up, so a key such as `__proto__` is data. It must not know what the fields mean.

import { WireError } from "./wire_error.ts";

/** The fields of a map. */
export class Fields {
  readonly #map: ReadonlyMap<unknown, unknown>;
  readonly #where: string;

  /** `WireError` where the value is no map; `where` names it in errors. */
  constructor(value: unknown, where: string) {
    if (!(value instanceof Map)) throw new WireError(`Cannot read ${where}: it is ${describe(value)}, not a map`, 0);
    this.#map = value;
    this.#where = where;
  }

  /** The map itself. */
  get map(): ReadonlyMap<unknown, unknown> {
    return this.#map;
  }

  /** Whether there is a field of this name. */
  has(name: string): boolean {
    return this.#map.has(name);
  }

  /** A string. */
  text(name: string): string {
    const value = this.#map.get(name);
    return typeof value === "string" ? value : this.#fail(name, "a string");
  }

  /** One of these strings. */
  choice<T extends string>(name: string, choices: readonly T[]): T {
    const value = this.#map.get(name);
    return choices.find((choice) => choice === value) ?? this.#fail(name, `one of ${choices.join(", ")}`);
  }

  /** True or false. */
  flag(name: string): boolean {
    const value = this.#map.get(name);
    return typeof value === "boolean" ? value : this.#fail(name, "true or false");
  }

  /** A whole number from 0 to 2^53 - 1. */
  count(name: string): number {
    return asCount(this.#map.get(name)) ?? this.#fail(name, "a whole number up to 2^53");
  }

  /** A whole number of up to 64 bits. */
  bigint(name: string): bigint {
    const value = this.#map.get(name);
    if (typeof value === "bigint") return value;
    return typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : this.#fail(name, "an integer");
  }

  /** Bytes. */
  bytes(name: string): Uint8Array {
    const value = this.#map.get(name);
    return value instanceof Uint8Array ? value : this.#fail(name, "bytes");
  }

  /** An array. */
  list(name: string): readonly unknown[] {
    const value = this.#map.get(name);
    return Array.isArray(value) ? value : this.#fail(name, "an array");
  }

  /** An array of strings. */
  texts(name: string): readonly string[] {
    return this.list(name).map((each) => typeof each === "string" ? each : this.#fail(name, "an array of strings"));
  }

  /** An array of whole numbers from 0 to 2^53 - 1. */
  counts(name: string): readonly number[] {
    return this.list(name).map((each) => asCount(each) ?? this.#fail(name, "an array of whole numbers"));
  }

  /** A map. */
  fields(name: string): Fields {
    return new Fields(this.#map.get(name), `${this.#where}, ${name}`);
  }

  #fail(name: string, wanted: string): never {
    const value = this.#map.get(name);
    throw new WireError(`Cannot read ${this.#where}: ${name} is ${describe(value)}, not ${wanted}`, 0);
  }
}

function asCount(value: unknown): number | null {
  if (typeof value === "number") return Number.isSafeInteger(value) && value >= 0 ? value : null;
  return typeof value === "bigint" && value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : null;
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  if (typeof value === "string") return value.length > 40 ? "a long string" : `"${value}"`;
  if (typeof value === "object" && value !== null) {
    return Array.isArray(value) ? "an array" : value instanceof Map ? "a map" : "bytes";
  }
  return String(value);
}
