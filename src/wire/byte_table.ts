// Bytes that are stored once: contents one after the other, found again by their checksum and then compared byte by byte.
// What compresses and what does not are kept apart, so that the one costs no compressor's time and does not spoil the
// other's table. Normative in trace/FORMAT.md. It must not know what the bytes are for.

import { ByteWriter } from "./byte_writer.ts";
import { crc32 } from "./compress.ts";
import { NumberColumn } from "./number_column.ts";
import { writeColumn } from "./column_writer.ts";
import type { PlaneSink } from "./planes.ts";

/** Below this bytes are not looked for: a reference would cost as much. */
const WORTH_BYTES = 64;
const SAMPLES = 64;
/** So many different bytes among the samples are noise: even bytes have 57 in the mean, those of a text about 25. */
const NOISE_KINDS = 48;

/** A content, or a part of one: its bytes are in the pool from the offset on. */
interface MutablePlace {
  content: number;
  /** Where in the content it starts, and how many bytes of the content follow it. */
  start: number;
  rest: number;
  length: number;
  pool: ByteWriter;
  offset: number;
}

type Place = Readonly<MutablePlace>;

/** Bytes of one chunk after the other. */
export class ByteTable {
  /** The content of the bytes that were put last. */
  content = 0;
  /** Where in their content they start. */
  start = 0;
  /** How many bytes of their content follow them. */
  rest = 0;
  /** Their crc32, where one was claimed. */
  digest = 0;
  readonly #lengths = new NumberColumn();
  readonly #isNoise = new NumberColumn();
  readonly #plain = new ByteWriter();
  readonly #noise = new ByteWriter();
  /** By checksum the place of the newest bytes that have it. */
  readonly #known = new Map<number, Place>();
  /** What was put last but for what continued it, as it was given; what follows it starts `#continued` bytes into it. */
  #last: Place | null = null;
  /** The newest place of bytes that are not looked for, which nobody keeps: one for all of them. */
  readonly #short: MutablePlace = { content: 0, start: 0, rest: 0, length: 0, pool: this.#plain, offset: 0 };
  #lastBytes: Uint8Array | null = null;
  #lastDigest = 0;
  #continued = 0;
  #putBytes = 0;

  /** How many contents there are. */
  get size(): number {
    return this.#lengths.length;
  }

  /** Bytes that were put since it was cleared. */
  get putBytes(): number {
    return this.#putBytes;
  }

  /** Bytes of all contents. */
  get storedBytes(): number {
    return this.#plain.length + this.#noise.length;
  }

  /** The contents that compress, then those that do not: views that the next `put` or `clear()` may change. */
  parts(): readonly Uint8Array[] {
    return [this.#plain.view(), this.#noise.view()];
  }

  /**
   * Finds the bytes or stores a copy; `content`, `start` and `rest` say where. `claimed` is their crc32, as the caller has
   * it, right or wrong. Must not allocate but for contents that are new.
   */
  put(bytes: Uint8Array, claimed?: number): void {
    this.#putBytes += bytes.length;
    const isWorth = bytes.length >= WORTH_BYTES;
    // The same array may have been filled anew: its checksum says that it was not.
    const isLast = bytes === this.#lastBytes && claimed === this.#lastDigest;
    if (isLast) this.digest = this.#lastDigest;
    else if (isWorth || claimed !== undefined) this.digest = crc32(bytes);
    if (this.#continues(bytes, isLast)) return;
    const key = this.digest | 0;
    const known = isWorth ? this.#known.get(key) : undefined;
    const isKnown = known !== undefined && known.length === bytes.length && isAt(known, 0, bytes);
    const place = isKnown ? known : this.#add(bytes);
    if (isWorth && !isKnown) this.#known.set(key, place);
    this.#take(place);
    this.#last = place;
    this.#lastBytes = isWorth ? bytes : null;
    this.#lastDigest = this.digest;
    this.#continued = 0;
  }

  /** Writes the columns of the contents. */
  write(sink: PlaneSink): void {
    writeColumn(this.#lengths, sink);
    writeColumn(this.#isNoise, sink);
  }

  /** Forgets all, keeps the buffers. */
  clear(): void {
    for (const each of [this.#lengths, this.#isNoise, this.#plain, this.#noise, this.#known]) each.clear();
    this.#last = null;
    this.#lastBytes = null;
    this.#putBytes = 0;
  }

  /** Takes the bytes that follow in what was put last: a write of pages is followed by the delta of each of them. */
  #continues(bytes: Uint8Array, isLast: boolean): boolean {
    const last = this.#last;
    const from = this.#continued;
    if (last === null || from + bytes.length > last.length) return false;
    const isWhole = bytes.length === last.length;
    if (!isWhole && bytes.length < WORTH_BYTES) return false;
    if (!isLast && !isAt(last, from, bytes)) return false;
    this.#continued = from + bytes.length;
    const place = isWhole ? last : partOf(last, from, bytes.length);
    if (!isWhole) this.#known.set(this.digest | 0, place);
    this.#take(place);
    return true;
  }

  #add(bytes: Uint8Array): Place {
    const isNoise = looksLikeNoise(bytes);
    const pool = isNoise ? this.#noise : this.#plain;
    const place = bytes.length < WORTH_BYTES ? this.#short : { ...this.#short };
    place.content = this.size;
    place.length = bytes.length;
    place.pool = pool;
    place.offset = pool.length;
    this.#lengths.push(bytes.length);
    this.#isNoise.push(isNoise ? 1 : 0);
    pool.bytes(bytes);
    return place;
  }

  #take({ content, start, rest }: Place): void {
    this.content = content;
    this.start = start;
    this.rest = rest;
  }
}

function partOf(whole: Place, from: number, length: number): Place {
  const { content, pool } = whole;
  const rest = whole.rest + whole.length - from - length;
  return { content, start: whole.start + from, rest, length, pool, offset: whole.offset + from };
}

/** Whether these bytes stand `from` bytes into a place and do not pass its end. */
function isAt({ pool, offset, length }: Place, from: number, bytes: Uint8Array): boolean {
  return from + bytes.length <= length && pool.holds(offset + from, bytes);
}

const seen = new Uint8Array(256);

/** Whether no compressor would shrink the bytes, by a sample. The samples' odd distance hits all places in words. */
function looksLikeNoise(bytes: Uint8Array): boolean {
  if (bytes.length < SAMPLES) return false;
  const step = (Math.floor(bytes.length / SAMPLES) - 1) | 1;
  seen.fill(0);
  let kinds = 0;
  for (let index = 0; index < SAMPLES; index += 1) {
    const byte = bytes[index * step] ?? 0;
    kinds += 1 - (seen[byte] ?? 0);
    seen[byte] = 1;
  }
  return kinds >= NOISE_KINDS;
}
