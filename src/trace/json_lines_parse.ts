// A trace as lines of JSON, read back: the exact inverse of json_lines.ts, and lenient to what others write
// (only kind, side, call, args, outcome and outs need be there). It must not know files.

import {
  type CallPlan,
  defaultValue,
  findPlan,
  type Level,
  type Outcome,
  PAGE_BYTES,
  parseObject,
  STATUS,
  type Value,
} from "../api/mod.ts";
import {
  EVENT_KINDS,
  type EventKind,
  type MemoryDelta,
  type Site,
  type TraceEnd,
  type TraceEvent,
  type TraceHeader,
} from "./event.ts";
import { headerFromJson, Members, unknownHeader } from "./json_header.ts";
import { JSON_LINES_SCHEMA } from "./json_lines.ts";
import { BrokenLineError, JsonLinesError } from "./json_lines_error.ts";
import {
  bytesFromJson,
  HandleBook,
  integerFrom,
  JsonValueError,
  membersFromJson,
  mismatch,
  valueFromJson,
  type ValueReading,
} from "./json_values.ts";

/** Members of a line or of the header that nobody declared: skipped, never an error, as arguments of calls are. */
export interface IgnoredMembers {
  readonly count: number;
  /** How often each path was seen, and on which line first; at most 100 paths are kept. */
  readonly byPath: ReadonlyMap<string, { readonly count: number; readonly firstLine: number }>;
}

/** What a reader may be told. */
export interface JsonLinesOptions {
  /** Finds a call's declaration; the catalogue's where left out. */
  readonly findPlan?: (name: string) => CallPlan | undefined;
  /** Told of each line that is no JSON, which is then skipped; where left out, it is thrown. */
  readonly onBroken?: (error: BrokenLineError) => void;
}

/** Longest line accepted, in characters. */
export const MAX_LINE_LENGTH = 1 << 26;
const MAX_IGNORED_PATHS = 100;
const EVENT_MEMBERS = new Set([
  ...["event", "kind", "side", "call", "args", "outcome", "reason", "value", "outs", "handles", "cause", "of"],
  ...["actor", "level", "timeNs", "wallNs", "site", "memory", "text"],
]);

/** Reads lines one at a time, for sources that push. */
export class JsonLinesParser {
  #header: TraceHeader | null = null;
  #end: TraceEnd | null = null;
  #isCut = false;
  #line = 0;
  #isFirst = true;
  #lastEvent = 0;
  #ignoredCount = 0;
  readonly #ignored = new Map<string, { readonly count: number; readonly firstLine: number }>();
  readonly #handles = new HandleBook();
  readonly #findPlan: (name: string) => CallPlan | undefined;

  constructor(options: JsonLinesOptions = {}) {
    this.#findPlan = options.findPlan ?? findPlan;
  }

  /** What the first line said; null where it was an event. */
  get header(): TraceHeader | null {
    return this.#header;
  }

  /** How the recording ended, as the first line said. */
  get end(): TraceEnd | null {
    return this.#end;
  }

  /** Whether the first line says that nobody wrote how the recording ended. */
  get isCut(): boolean {
    return this.#isCut;
  }

  /** The number of the last line given, from 1; 0 before the first. */
  get lineNumber(): number {
    return this.#line;
  }

  /** The members that were skipped so far. */
  get ignored(): IgnoredMembers {
    return { count: this.#ignoredCount, byPath: this.#ignored };
  }

  /** The line's event; null for a blank line and for the first line when it describes the trace. */
  line(text: string): TraceEvent | null {
    this.#line += 1;
    try {
      return this.#read(text);
    } catch (error) {
      if (error instanceof NoJsonError) throw new BrokenLineError(this.#line, "", error.message);
      if (!(error instanceof JsonValueError)) throw error;
      throw new JsonLinesError(this.#line, error.member, error.message);
    }
  }

  #read(text: string): TraceEvent | null {
    if (text.length > MAX_LINE_LENGTH) {
      throw new JsonValueError("", `it has ${text.length} characters; at most ${MAX_LINE_LENGTH} are read`);
    }
    const trimmed = text.replace(/^\uFEFF/, "").trim();
    if (trimmed === "") return null;
    const json = parseJson(trimmed);
    const line = new Members(json, "");
    const isHeader = line.get("schema") !== undefined;
    const isFirst = this.#isFirst;
    this.#isFirst = false;
    if (!isHeader) return this.#event(line);
    if (!isFirst) throw new JsonValueError("schema", "it describes a trace again; one file holds one trace");
    this.#readHeader(json, line);
    return null;
  }

  #readHeader(json: unknown, line: Members): void {
    const schema = line.get("schema");
    if (schema !== JSON_LINES_SCHEMA) throw mismatch("schema", schema, `"${JSON_LINES_SCHEMA}"`);
    const { header, end } = headerFromJson(json, (member) => this.#ignore(member));
    this.#header = header;
    this.#end = end;
    this.#isCut = line.get("end") === null;
  }

  #event(line: Members): TraceEvent {
    for (const name of line.names()) if (!EVENT_MEMBERS.has(name)) this.#ignore(name);
    this.#readHandles(line.inner("handles"));
    const event = this.#eventNumber(line);
    const kind = kindOf(line);
    const plan = kind === "memory" || kind === "note" ? null : this.#plan(line, kind);
    const side = plan === null ? line.text("side", "machine") : line.text("side");
    const timeNs = integerFrom(line.get("timeNs") ?? 0);
    if (timeNs === null || timeNs < 0n) throw mismatch("timeNs", line.get("timeNs"), "nanoseconds as a whole number");
    return {
      event,
      kind,
      plan,
      side,
      actor: line.text("actor", side),
      level: levelOf(line, plan),
      cause: line.integer("cause", 0),
      of: line.integer("of", 0),
      timeNs,
      wallNs: line.integer("wallNs", 0),
      site: siteFrom(line),
      ins: plan === null ? [] : this.#ins(line, kind, plan),
      outs: plan === null ? [] : this.#outs(line, plan),
      outcome: plan === null ? null : this.#outcome(line, kind, plan),
      memory: kind === "memory" ? memoryFrom(line) : null,
      text: line.text("text", ""),
    };
  }

  #eventNumber(line: Members): number {
    const event = line.integer("event", this.#lastEvent + 1);
    if (event <= this.#lastEvent) {
      throw mismatch("event", event, `above ${this.#lastEvent}, the number of the event before`);
    }
    this.#lastEvent = event;
    return event;
  }

  #plan(line: Members, kind: EventKind): CallPlan {
    const name = line.text("call");
    const plan = this.#findPlan(name);
    if (plan === undefined) throw mismatch("call", name, "the name of a declared call (`explain` lists them)");
    const isCallback = kind === "callback" || kind === "return";
    if (plan.isCallback === isCallback) return plan;
    throw mismatch(
      "kind",
      kind,
      plan.isCallback
        ? `"callback" or "return": ${name} is a callback`
        : `"call", "enter" or "leave": ${name} is a call`,
    );
  }

  #readHandles(handles: Members): void {
    for (const name of handles.names()) {
      const object = parseObject(name);
      const handle = integerFrom(handles.get(name));
      if (object === null) {
        throw new JsonValueError(
          `handles.${name}`,
          `handles names ${JSON.stringify(name)}; it must name objects such as gpadl#1`,
        );
      }
      if (handle === null || handle < 0n || handle > BigInt(Number.MAX_SAFE_INTEGER)) {
        throw mismatch(`handles.${name}`, handles.get(name), "a handle value below 2^53");
      }
      this.#handles.set({ ...object, handle: Number(handle) });
    }
  }

  #reading(path: string, fill: boolean): ValueReading & { readonly path: string } {
    return { path, fill, handles: this.#handles };
  }

  /** Arguments by position; what is left out is 0, null, false or empty. */
  #ins(line: Members, kind: EventKind, plan: CallPlan): readonly Value[] {
    if (kind === "leave" || kind === "return") return [];
    const values = membersFromJson(plan.ins, line.get("args") ?? {}, this.#reading("args", true));
    return plan.ins.map((param) => values.has(param.name) ? values.get(param.name) ?? null : defaultValue(param));
  }

  /** Outputs by position, up to the last one given; one left out before it is 0, null, false or empty. */
  #outs(line: Members, plan: CallPlan): readonly Value[] {
    const values = membersFromJson(plan.outs, line.get("outs") ?? {}, this.#reading("outs", false));
    const count = plan.outs.findLastIndex((param) => values.has(param.name)) + 1;
    return plan.outs.slice(0, count).map((param) =>
      values.has(param.name) ? values.get(param.name) ?? null : defaultValue(param)
    );
  }

  #outcome(line: Members, kind: EventKind, plan: CallPlan): Outcome | null {
    if (kind === "enter" || kind === "callback") return null;
    const json = line.get("outcome");
    const { returns } = plan.declaration;
    if (json === "refused") return { form: "refused", reason: line.text("reason", "") };
    if (returns === "void") {
      if (json === undefined || json === null || json === "void") return { form: "void" };
      throw mismatch("outcome", json, `"void" or "refused": ${plan.name} returns nothing`);
    }
    if (plan.returned === null) return { form: "status", status: statusFrom(json, plan) };
    if (json !== "value") {
      throw mismatch("outcome", json, `"value" (with a member value) or "refused": ${plan.name} returns ${returns}`);
    }
    return { form: "value", value: valueFromJson(plan.returned, line.get("value"), this.#reading("value", false)) };
  }

  #ignore(path: string): void {
    this.#ignoredCount += 1;
    const { count, firstLine } = this.#ignored.get(path) ?? { count: 0, firstLine: this.#line };
    if (count > 0 || this.#ignored.size < MAX_IGNORED_PATHS) this.#ignored.set(path, { count: count + 1, firstLine });
  }
}

class NoJsonError extends JsonValueError {}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NoJsonError("", `it is not JSON (${error instanceof Error ? error.message : String(error)})`);
  }
}

function kindOf(line: Members): EventKind {
  const kind = line.get("kind");
  const found = EVENT_KINDS.find((each) => each === kind);
  if (found === undefined) throw mismatch("kind", kind, EVENT_KINDS.map((each) => `"${each}"`).join(" or "));
  return found;
}

function levelOf(line: Members, plan: CallPlan | null): Level {
  const level = plan?.level ?? "machine";
  return line.get("level") === undefined ? level : line.oneOf("level", ["machine", "kmcl", "d3dkmt", "wire"]);
}

const STATUS_NUMBERS: ReadonlyMap<string, number> = new Map(Object.entries(STATUS));

function statusFrom(json: unknown, plan: CallPlan): number {
  const named = typeof json === "string" ? STATUS_NUMBERS.get(json) : undefined;
  const number = named ?? Number(integerFrom(json) ?? NaN);
  if (number >= -0x80000000 && number <= 0xffffffff) return number >>> 0;
  throw mismatch("outcome", json, `a status such as "STATUS_SUCCESS" or "0xc000000d": ${plan.name} returns one`);
}

function siteFrom(line: Members): Site | null {
  if (line.get("site") === undefined || line.get("site") === null) return null;
  const site = line.inner("site");
  return {
    file: site.text("file"),
    line: site.integer("line", 0),
    column: site.integer("column", 0),
    function: site.text("function", ""),
  };
}

function memoryFrom(line: Members): MemoryDelta {
  const memory = new Members(line.get("memory"), "memory");
  const json = memory.get("bytes") ?? null;
  const bytes = json === null ? null : bytesFromJson({ json, path: "memory.bytes" });
  const offset = memory.integer("offset", 0);
  const length = memory.integer("length", bytes?.length);
  if (offset + length > PAGE_BYTES) {
    throw mismatch("memory.length", length, `at most ${PAGE_BYTES - offset}: a delta stays in its page`);
  }
  if (bytes !== null && bytes.length !== length) {
    throw mismatch("memory.length", length, `${bytes.length}, the length of bytes`);
  }
  if (memory.get("partition") === undefined) {
    throw mismatch("memory.partition", undefined, '"guest", "host" or "video"');
  }
  return {
    partition: memory.oneOf("partition", ["guest", "host", "video"]),
    page: memory.integer("page"),
    offset,
    length,
    digest: memory.integer("digest"),
    bytes,
  };
}

/** What lines of JSON say. */
export interface ParsedJsonLines {
  /** What the first line said; one that claims nothing where there was no such line. */
  readonly header: TraceHeader;
  readonly hasHeader: boolean;
  /** Null where the lines do not say how the recording ended. */
  readonly end: TraceEnd | null;
  /** Whether they say that nobody wrote how the recording ended: a null, where nothing would leave it open. */
  readonly isCut: boolean;
  /** The events, read as they are asked for, once. Throws `JsonLinesError` at a line that is no event. */
  readonly events: IterableIterator<TraceEvent>;
  /** Where the event stands that was given last: its line, from 1. */
  readonly lineNumber: () => number;
  /** Members skipped so far; final when the events are through. */
  readonly ignored: () => IgnoredMembers;
}

/** Reads a trace from lines (without their line ends); the first line is read at once. Throws `JsonLinesError`. */
export function parseJsonLines(lines: Iterable<string>, options: JsonLinesOptions = {}): ParsedJsonLines {
  const parser = new JsonLinesParser(options);
  const source = lines[Symbol.iterator]();
  let first: TraceEvent | null = null;
  while (first === null && parser.header === null) {
    const next = source.next();
    if (next.done === true) break;
    first = eventOf(parser, next.value, options);
  }
  return {
    header: parser.header ?? unknownHeader(),
    hasHeader: parser.header !== null,
    end: parser.end,
    isCut: parser.isCut,
    events: eventsFrom(parser, { first, source, options }),
    lineNumber: () => parser.lineNumber,
    ignored: () => parser.ignored,
  };
}

interface Rest {
  readonly first: TraceEvent | null;
  readonly source: Iterator<string>;
  readonly options: JsonLinesOptions;
}

function* eventsFrom(parser: JsonLinesParser, { first, source, options }: Rest): IterableIterator<TraceEvent> {
  if (first !== null) yield first;
  for (let next = source.next(); next.done !== true; next = source.next()) {
    const event = eventOf(parser, next.value, options);
    if (event !== null) yield event;
  }
}

/** The line's event; null where it is none, and where it is broken and somebody is told. */
function eventOf(parser: JsonLinesParser, line: string, { onBroken }: JsonLinesOptions): TraceEvent | null {
  try {
    return parser.line(line);
  } catch (error) {
    if (!(error instanceof BrokenLineError) || onBroken === undefined) throw error;
    onBroken(error);
    return null;
  }
}
