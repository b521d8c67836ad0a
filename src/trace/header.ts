// The header: the first value of a file. Its first keys have fixed places and widths, so that format, version, size and
// checksum can be read before anything is believed. Normative in FORMAT.md. It must not know blocks or events.

import { defaultOptions, type ModelOptions, parseOption } from "../api/options.ts";
import { crc32, endOfValue, Fields, findPrefix, pack, type Packable, unpack, WireError } from "../wire/mod.ts";
import { levelsOf, type Loss, type Selection, type TraceHeader } from "./event.ts";
import { TraceFormatError } from "./trace_format_error.ts";
import { FORMAT_VERSION, type Upgrade, upgradeFields } from "./upgrade.ts";

/** Largest header. */
export const MAX_HEADER_BYTES = 2 ** 20;
/** It lists losses, each a map. */
const HEADER_LIMITS = { values: 2 ** 18, maps: 2 ** 15 };
/** Bytes of the first keys, whose places never change. */
export const HEADER_START_BYTES = 51;
const AT = { version: 28, size: 38, crc: 47 };
const KINDS = ["builtin", "module", "calls", "import"] as const;
const SITES = ["all", "creating", "findings", "off"] as const;
const MEMORY = ["full", "digest", "none"] as const;

/** A header, read. */
export interface ReadHeader {
  readonly header: TraceHeader;
  readonly version: number;
  /** Where the first block starts; with a damaged header the place where one was found. */
  readonly sizeBytes: number;
  /** The header's checksum, which its blocks carry; null where the header is damaged. */
  readonly file: number | null;
  /** What is wrong with it. */
  readonly losses: readonly Loss[];
}

/** The bytes of a header. `RangeError` above `MAX_HEADER_BYTES`. */
export function encodeHeader(header: TraceHeader, version = FORMAT_VERSION): Uint8Array {
  const fields = Object.entries(packableHeader(header));
  const start = concat([
    Uint8Array.of(0xde, 0, fields.length + 4),
    pack("format"),
    pack("maptrail"),
    pack("version"),
    Uint8Array.of(0xce, 0, 0, 0, 0),
    pack("size"),
    Uint8Array.of(0xce, 0, 0, 0, 0),
    pack("crc"),
    Uint8Array.of(0xce, 0, 0, 0, 0),
  ]);
  const bytes = concat([start, ...fields.flatMap(([name, value]) => [pack(name), pack(value)])]);
  if (bytes.length > MAX_HEADER_BYTES) {
    throw new RangeError(`Cannot write header of ${bytes.length} bytes: the limit is ${MAX_HEADER_BYTES}`);
  }
  const view = new DataView(bytes.buffer);
  view.setUint32(AT.version, version);
  view.setUint32(AT.size, bytes.length);
  view.setUint32(AT.crc, crc32(bytes));
  return bytes;
}

/** The checksum of a header's bytes, which every block of its file carries. */
export function headerChecksum(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(AT.crc);
}

function packableHeader(header: TraceHeader): Readonly<Record<string, Packable>> {
  return {
    tool: header.tool,
    toolVersion: header.toolVersion,
    maker: header.maker,
    engineVersion: header.engineVersion,
    options: new Map<string, Packable>(Object.entries(header.options)),
    program: { name: header.program.name, kind: header.program.kind, args: header.program.args },
    seed: header.seed,
    sites: header.sites,
    memory: header.memory,
    wallClock: header.wallClock,
    startedAt: header.startedAt,
    capabilities: header.capabilities,
    losses: header.losses.map((loss) => ({ ...loss })),
    // Written only where they say something: most traces hold a whole run.
    ...(header.startsAfter === 0 ? {} : { startsAfter: header.startsAfter }),
    ...(header.leftOut.length === 0 ? {} : { leftOut: header.leftOut }),
    ...(header.selection === null ? {} : { selection: packableSelection(header.selection) }),
  };
}

function packableSelection({ range, calls, levels, sides, objects }: Selection): Packable {
  return {
    range: range === null ? null : { from: range.from, to: range.to },
    calls,
    ...(levels.length === 0 ? {} : { levels }),
    sides,
    objects,
  };
}

function concat(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let position = 0;
  for (const part of parts) {
    bytes.set(part, position);
    position += part.length;
  }
  return bytes;
}

/** Reads the header at the start of a file's first bytes. `TraceFormatError` where the file is not a trace that can be read. */
export function readHeader(bytes: Uint8Array, upgrades?: ReadonlyMap<number, Upgrade>): ReadHeader {
  if (!startsLikeTrace(bytes)) return readWithoutStart(bytes);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint32(AT.version);
  const size = view.getUint32(AT.size);
  const isWhole = size >= HEADER_START_BYTES && size <= bytes.length && isIntact(bytes.subarray(0, size));
  if (!isWhole) return readDamaged(bytes, "its checksum is wrong");
  if (version > FORMAT_VERSION) {
    throw new TraceFormatError(
      `Update maptrail to read this trace: it has format version ${version}, this program reads up to ${FORMAT_VERSION}`,
      { reason: "newer-version", offset: AT.version },
    );
  }
  try {
    const { header, troubles } = parseHeader(bytes.subarray(0, size), { version, ...(upgrades && { upgrades }) });
    const losses = troubles.map((trouble) => loss(trouble));
    return { header, version, sizeBytes: size, file: view.getUint32(AT.crc), losses };
  } catch (error) {
    // A right checksum over what is no value: only a bad writer makes that, and its blocks may be whole.
    if (error instanceof WireError) return readDamaged(bytes, error.message);
    throw error;
  }
}

const START = encodeHeader(blankHeader());

/** Whether the fixed bytes of the start are there; the number of keys, version, size and checksum are not fixed. */
function startsLikeTrace(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER_START_BYTES) return false;
  const isFree = (index: number): boolean =>
    index === 1 || index === 2 || Object.values(AT).some((at) => index >= at && index < at + 4);
  return START.subarray(0, HEADER_START_BYTES).every((byte, index) => isFree(index) || bytes[index] === byte);
}

function isIntact(bytes: Uint8Array): boolean {
  const zeroed = bytes.slice();
  zeroed.fill(0, AT.crc, AT.crc + 4);
  return crc32(zeroed) === headerChecksum(bytes);
}

/** A file whose first bytes are not a trace's: damaged if a block of a trace is near, else no trace. */
function readWithoutStart(bytes: Uint8Array): ReadHeader {
  if (findPrefix(bytes, 0) >= 0) return readDamaged(bytes, "its first bytes are wrong");
  const what = bytes.length === 0
    ? "it is empty"
    : START.subarray(0, Math.min(bytes.length, 28)).every((byte, index) => index === 2 || bytes[index] === byte)
    ? `it ends after ${bytes.length} bytes, inside the header`
    : looksLikeText(bytes)
    ? "it is text (`import` reads logs, `record` runs .calls files)"
    : "it does not start with a trace's header";
  throw new TraceFormatError(
    `Cannot read trace at byte 0: ${what}. Give one that \`record\` or \`import\` wrote.`,
    {
      reason: "not-a-trace",
      offset: 0,
    },
  );
}

function looksLikeText(bytes: Uint8Array): boolean {
  return bytes.subarray(0, 512).every((byte) => byte >= 0x20 || (byte >= 9 && byte <= 13));
}

/** What can be read of a damaged header; blocks may still be whole. */
function readDamaged(bytes: Uint8Array, what: string): ReadHeader {
  const end = valueEnd(bytes);
  const found = findPrefix(bytes, 0);
  const sizeBytes = found >= 0 ? found : end ?? bytes.length;
  const parsed = end === null ? null : parseLeniently(bytes.subarray(0, end));
  const kept = parsed === null ? "nothing of it could be read" : "its fields may be wrong";
  return {
    header: parsed ?? blankHeader(),
    version: FORMAT_VERSION,
    sizeBytes,
    file: null,
    losses: [loss(`the header is damaged: ${what}; ${kept}`)],
  };
}

function loss(what: string): Loss {
  return { what, firstEvent: 0, lastEvent: 0, offsetBytes: 0 };
}

function valueEnd(bytes: Uint8Array): number | null {
  try {
    return endOfValue(bytes.subarray(0, MAX_HEADER_BYTES), 0);
  } catch {
    return null;
  }
}

function parseLeniently(bytes: Uint8Array): TraceHeader | null {
  try {
    return parseHeader(bytes, { version: FORMAT_VERSION }).header;
  } catch {
    return null;
  }
}

/** The header that stands for one of which nothing can be read. */
export function blankHeader(): TraceHeader {
  return {
    tool: "",
    toolVersion: "",
    maker: "",
    engineVersion: 0,
    options: defaultOptions(),
    program: { name: "", kind: "import", args: [] },
    seed: 0,
    sites: "off",
    memory: "none",
    wallClock: false,
    startedAt: "",
    capabilities: [],
    losses: [],
    startsAfter: 0,
    leftOut: [],
    selection: null,
  };
}

/** The header of its fields; one that is missing or wrong gets a blank value and is said to. */
function parseHeader(
  bytes: Uint8Array,
  from: { readonly version: number; readonly upgrades?: ReadonlyMap<number, Upgrade> },
): { readonly header: TraceHeader; readonly troubles: readonly string[] } {
  const fields = upgradeFields(new Fields(unpack(bytes, HEADER_LIMITS), "the header"), { ...from, part: "header" });
  const troubles: string[] = [];
  const take = <T>(read: (fields: Fields) => T, blank: T): T => {
    try {
      return read(fields);
    } catch (error) {
      if (!(error instanceof WireError)) throw error;
      troubles.push(error.message);
      return blank;
    }
  };
  const header: TraceHeader = {
    tool: take((each) => each.text("tool"), ""),
    toolVersion: take((each) => each.text("toolVersion"), ""),
    maker: take((each) => each.text("maker"), ""),
    engineVersion: take((each) => each.count("engineVersion"), 0),
    options: take((each) => parseOptions(each.fields("options"), troubles), defaultOptions()),
    program: take((each) => parseProgram(each.fields("program")), blankHeader().program),
    seed: take((each) => each.count("seed"), 0),
    sites: take((each) => each.choice("sites", SITES), "off"),
    memory: take((each) => each.choice("memory", MEMORY), "none"),
    wallClock: take((each) => each.flag("wallClock"), false),
    startedAt: take((each) => each.text("startedAt"), ""),
    capabilities: take((each) => each.texts("capabilities"), []),
    losses: take((each) => each.list("losses").map(parseLoss), []),
    startsAfter: take((each) => each.has("startsAfter") ? each.count("startsAfter") : 0, 0),
    leftOut: take((each) => each.has("leftOut") ? each.texts("leftOut") : [], []),
    selection: take((each) => each.has("selection") ? parseSelection(each.fields("selection")) : null, null),
  };
  return { header, troubles };
}

/**
 * Options that the trace does not name, or whose value is none, have their defaults; names that this version does not
 * know are kept as data.
 */
function parseOptions(fields: Fields, troubles: string[]): ModelOptions {
  const others = [...fields.map].filter(([, value]) => typeof value === "string");
  const known = Object.keys(defaultOptions()).filter((name) => fields.has(name)).reduce<ModelOptions>(
    (options, name) => withOption(options, { name, value: fields.text(name), troubles }),
    defaultOptions(),
  );
  return Object.assign(defaultOptions(), Object.fromEntries(others), known);
}

function withOption(
  options: ModelOptions,
  { name, value, troubles }: { readonly name: string; readonly value: string; readonly troubles: string[] },
): ModelOptions {
  try {
    return parseOption(options, name, value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    troubles.push(`Cannot read the header's option ${name}: ${value} is no value of it; its default stands here`);
    return options;
  }
}

function parseProgram(fields: Fields): TraceHeader["program"] {
  return { name: fields.text("name"), kind: fields.choice("kind", KINDS), args: fields.texts("args") };
}

function parseSelection(fields: Fields): Selection {
  return {
    range: fields.map.get("range") === null ? null : parseRange(fields.fields("range")),
    calls: fields.texts("calls"),
    levels: fields.has("levels") ? levelsOf(fields.texts("levels")) : [],
    sides: fields.texts("sides"),
    objects: fields.texts("objects"),
  };
}

function parseRange(fields: Fields): Selection["range"] {
  return { from: fields.count("from"), to: fields.map.get("to") === null ? null : fields.count("to") };
}

function parseLoss(value: unknown): Loss {
  const fields = new Fields(value, "a loss");
  return {
    what: fields.text("what"),
    firstEvent: fields.count("firstEvent"),
    lastEvent: fields.count("lastEvent"),
    offsetBytes: Number(fields.bigint("offsetBytes")),
  };
}
