// Structures at fixed offsets, little-endian, as C compilers lay them out: declared as text, read and written as records.
// It must not know any particular structure.

import { WireError } from "./wire_error.ts";

/** What a field holds: whole numbers (64-bit ones as bigint), bytes, arrays of these, structures. */
export type LayoutValue = number | bigint | Uint8Array | readonly LayoutValue[] | LayoutRecord;

/** A structure's values by field. */
export interface LayoutRecord {
  readonly [field: string]: LayoutValue;
}

/** How many of a field there are: one, so many, as many as another field says, or the bytes that are left. */
type Count =
  | { readonly form: "one" }
  | { readonly form: "rest" }
  | { readonly form: "fixed"; readonly count: number }
  | { readonly form: "counted"; readonly by: string };

interface Field {
  readonly at: number;
  readonly name: string;
  readonly element: Element;
  readonly count: Count;
}

/** One value: where it stands is given, how long it is, is its own. */
interface Element {
  readonly bytes: number;
  read(view: DataView, at: number): LayoutValue;
  write(view: DataView, at: number, value: LayoutValue): void;
}

const WORDS: Readonly<Record<string, Element>> = {
  u8: number(1, { low: 0, high: 0xff }, (view, at) => view.getUint8(at), (view, at, n) => view.setUint8(at, n)),
  u16: number(
    2,
    { low: 0, high: 0xffff },
    (view, at) => view.getUint16(at, true),
    (view, at, n) => view.setUint16(at, n, true),
  ),
  u32: number(
    4,
    { low: 0, high: 0xffff_ffff },
    (view, at) => view.getUint32(at, true),
    (view, at, n) => view.setUint32(at, n, true),
  ),
  i32: number(
    4,
    { low: -0x8000_0000, high: 0x7fff_ffff },
    (view, at) => view.getInt32(at, true),
    (view, at, n) => view.setInt32(at, n, true),
  ),
  u64: {
    bytes: 8,
    read: (view, at) => view.getBigUint64(at, true),
    write: (view, at, value) => view.setBigUint64(at, bigintOf(value), true),
  },
};

/**
 * A structure of `bytes` bytes. Fields are `OFFSET NAME TYPE`, with `;` between: `0 count u32; 8 handles u32[count]`. A type
 * is u8, u16, u32, i32, u64 or a structure of `parts`; `[4]` makes it an array of so many, `[count]` of as many as that
 * field says, `[*]` of what is left. With a counted last field `bytes` is the size with one element. Gaps are zero.
 */
export function layout(bytes: number, fields: string, parts: Readonly<Record<string, Layout>> = {}): Layout {
  return new Layout(bytes, fields.split(";").map((field) => compileField(field.trim(), parts)));
}

/** A structure's layout; made by `layout`. */
export class Layout implements Element {
  readonly bytes: number;
  readonly #fields: readonly Field[];

  constructor(bytes: number, fields: readonly Field[]) {
    this.bytes = bytes;
    this.#fields = fields;
    for (const { at, name, element, count } of fields) {
      const end = at + element.bytes * (count.form === "fixed" ? count.count : count.form === "rest" ? 0 : 1);
      if (end > bytes) throw new TypeError(`Cannot lay out ${name}: it ends at byte ${end} of ${bytes}`);
    }
  }

  /** The fields' names with their offsets, in order. */
  get offsets(): readonly (readonly [name: string, at: number])[] {
    return this.#fields.map(({ name, at }) => [name, at]);
  }

  /** The bytes that a structure of these values takes. */
  sizeOf(values: LayoutRecord): number {
    return this.#fields.reduce((size, field) => size + this.#extraBytes(field, values[field.name]), this.bytes);
  }

  /** Writes the structure; what is left out is 0. `RangeError` for what does not fit its field. */
  encode(values: LayoutRecord): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(this.sizeOf(values));
    this.write(new DataView(bytes.buffer), 0, values);
    return bytes;
  }

  /** Reads the structure from the start of bytes, which may go on behind it. `WireError` where they are too few. */
  decode(bytes: Uint8Array): LayoutRecord {
    return this.read(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0);
  }

  read(view: DataView, at: number): LayoutRecord {
    if (at + this.bytes > view.byteLength) throw tooShort(at + this.bytes, view);
    const values: { [field: string]: LayoutValue } = {};
    for (const field of this.#fields) values[field.name] = readField(view, at, { field, values });
    return values;
  }

  write(view: DataView, at: number, values: LayoutValue): void {
    if (!isRecord(values)) throw new RangeError("Cannot lay out a structure: the value is no record");
    for (const field of this.#fields) writeField(view, at, { field, value: values[field.name] });
  }

  /** What a field takes beyond the size of the structure. */
  #extraBytes({ at, element, count }: Field, value: LayoutValue | undefined): number {
    const elements = Array.isArray(value) ? value.length : 0;
    if (count.form === "counted") return Math.max(0, elements - 1) * element.bytes;
    if (count.form !== "rest") return 0;
    const held = value instanceof Uint8Array ? value.length : elements * element.bytes;
    return Math.max(0, at + held - this.bytes);
  }
}

interface FieldOf {
  readonly field: Field;
  readonly values: LayoutRecord;
}

function readField(view: DataView, base: number, { field, values }: FieldOf): LayoutValue {
  const { element, count } = field;
  const at = base + field.at;
  if (count.form === "one") return element.read(view, at);
  const left = Math.max(0, view.byteLength - at);
  if (count.form === "rest" && element.bytes === 1) {
    return new Uint8Array(view.buffer, view.byteOffset + at, left).slice();
  }
  const wanted = count.form === "fixed"
    ? count.count
    : count.form === "rest"
    ? Math.floor(left / element.bytes)
    : Number(values[count.by] ?? 0);
  if (wanted * element.bytes > left) throw tooShort(at + wanted * element.bytes, view);
  return Array.from({ length: wanted }, (_, index) => element.read(view, at + index * element.bytes));
}

function writeField(
  view: DataView,
  base: number,
  { field, value }: { readonly field: Field; readonly value: LayoutValue | undefined },
): void {
  const { name, element, count } = field;
  const at = base + field.at;
  if (value === undefined) return;
  try {
    if (count.form === "one") return element.write(view, at, value);
    const most = count.form === "fixed" ? count.count : Infinity;
    const list = value instanceof Uint8Array ? [...value] : value;
    if (!Array.isArray(list) || list.length > most) throw new RangeError(`it takes an array of at most ${most}`);
    for (const [index, each] of list.entries()) element.write(view, at + index * element.bytes, each);
  } catch (error) {
    if (error instanceof RangeError) error.message = `Cannot lay out ${name}: ${error.message}`;
    throw error;
  }
}

function compileField(text: string, parts: Readonly<Record<string, Layout>>): Field {
  const [, at, name, type, counted] = /^(\d+) (\w+) (\w+)(?:\[(\w+|\*)\])?$/.exec(text) ?? [];
  const element = type === undefined ? undefined : WORDS[type] ?? parts[type];
  if (name === undefined || element === undefined) {
    throw new TypeError(`Cannot lay out "${text}": it is not "OFFSET NAME TYPE" of a known type`);
  }
  return { at: Number(at), name, element, count: countOf(counted) };
}

function countOf(text: string | undefined): Count {
  if (text === undefined) return { form: "one" };
  if (text === "*") return { form: "rest" };
  return /^\d+$/.test(text) ? { form: "fixed", count: Number(text) } : { form: "counted", by: text };
}

interface Bounds {
  readonly low: number;
  readonly high: number;
}

function number(
  bytes: number,
  { low, high }: Bounds,
  read: (view: DataView, at: number) => number,
  write: (view: DataView, at: number, value: number) => void,
): Element {
  return {
    bytes,
    read,
    write: (view, at, value) => {
      const number = typeof value === "bigint" ? Number(value) : value;
      if (typeof number !== "number" || !Number.isInteger(number) || number < low || number > high) {
        throw new RangeError(`${String(number)} is not ${low} to ${high}`);
      }
      write(view, at, number);
    },
  };
}

function bigintOf(value: LayoutValue): bigint {
  const big = typeof value === "number" && Number.isSafeInteger(value) ? BigInt(value) : value;
  if (typeof big !== "bigint" || BigInt.asUintN(64, big) !== big) {
    throw new RangeError(`${String(value)} is not 64 bits`);
  }
  return big;
}

function isRecord(value: LayoutValue): value is LayoutRecord {
  return typeof value === "object" && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function tooShort(wanted: number, view: DataView): WireError {
  return new WireError(
    `Cannot read structure: it ends at byte ${wanted}, there are ${view.byteLength}`,
    view.byteLength,
  );
}
