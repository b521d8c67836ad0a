// Turns a raw log (.etl) of Microsoft-Windows-DxgKrnl into a trace: events about GPU virtual addresses and
// allocations become the calls of the same name. It must not know buffers and records, nor what audits make of it.
//
// Format: etl_file.ts and dxgkrnl_schema.ts; Windows 10 1511 to 11 26H1, tried on a log of 1803. Dropped: other
// providers and events without a declaration of their name (page table writes, TLB flushes), both counted; fields
// without a parameter of their name; the processor; the time between the recording's start and the first event,
// which the report keeps. Nothing is made up: a log without an event class has none, and its capabilities say so.

import {
  type CallPlan,
  CATALOGUE,
  defaultValue,
  DXGKRNL,
  findPlan,
  type ParamPlan,
  type Value,
  VOID,
} from "../api/mod.ts";
import type { TraceEvent, TraceHeader } from "../trace/mod.ts";
import { captureHeader } from "./capture_header.ts";
import {
  decodeDxgkrnl,
  DXGKRNL_EVENTS,
  DXGKRNL_PROVIDER,
  type DxgkrnlProblem,
  type DxgkrnlRecord,
} from "./dxgkrnl_schema.ts";
import { type EtlEvent, type EtlFile, type EtlHeader, readEtlFile } from "./etl_file.ts";
import { etlLosses } from "./etl_losses.ts";
import { isoDate } from "./filetime.ts";
import type { ImportClock, ImportCount, Imported, ImportProblem } from "./imported.ts";

/** What an importer cannot know by itself. */
export interface ImportOptions {
  /** The program's version, for the header; default: empty. */
  readonly toolVersion?: string;
}

/** Parameters by the names that older versions of an event give them: the mapping events' version 0. */
const OLDER_NAMES: Readonly<Record<string, string>> = { OwnerOffset: "Offset" };

/** Always among the capabilities, because an empty list of them would mean "all". */
const SOURCE_CAPABILITY = "dxgkrnl";
const MAX_TIME_NS = 2n ** 63n - 1n;
const NANOSECONDS_PER_SECOND = 1_000_000_000n;

/** Declarations by event id; known events without one are skipped. */
const PLANS: ReadonlyMap<number, CallPlan> = new Map(
  Object.entries(DXGKRNL_EVENTS).flatMap(([id, { name }]) => {
    const plan = Object.hasOwn(DXGKRNL, name) ? findPlan(name) : undefined;
    return plan === undefined ? [] : [[Number(id), plan] as const];
  }),
);

/** All capabilities that this importer can find, in the catalogue's order. */
const CLASSES: readonly string[] = [
  ...new Set(CATALOGUE.filter(({ name }) => Object.hasOwn(DXGKRNL, name)).flatMap(classesOf)),
];

/**
 * Imports a raw, uncompressed log; damage inside it becomes losses of the trace. `ForeignFormatError` where it is no
 * such log. Times count from the log's first DxgKrnl event, imported or not.
 */
export function importEtl(bytes: Uint8Array, options: ImportOptions = {}): Imported {
  const file = readEtlFile(bytes, { provider: DXGKRNL_PROVIDER });
  const clock = new Clock(file);
  const sorted = sortEvents(file.events, clock);
  const { kept, problems } = sorted;
  const occurred = occurredClasses(kept);
  const header = makeHeader(file, { problems, capabilities: [SOURCE_CAPABILITY, ...occurred], ...options });
  return {
    header,
    events: new EtlTraceEvents(kept, clock),
    end: { reason: "imported", message: "", events: kept.length },
    report: {
      imported: sorted.imported,
      skipped: sorted.skipped,
      unknown: sorted.unknown,
      undecodable: problems,
      otherRecords: file.otherRecordCount,
      notes: file.notes.filter(({ kind }) => kind === "missing-buffers").map(({ message }) => message),
      missing: CLASSES.filter((each) => !occurred.includes(each)),
      clock: clock.describe(),
      offsetUnit: "byte",
      offsetOf: (event) => offsetOf(kept, event),
    },
  };
}

/** The log's clock; time 0 is its first event. */
class Clock {
  readonly #header: EtlHeader;
  readonly #first: bigint | null;

  constructor(file: EtlFile) {
    this.#header = file.header;
    this.#first = file.events[0]?.timestamp ?? null;
  }

  timeNs(event: EtlEvent): bigint {
    return this.#nanoseconds(event.timestamp - (this.#first ?? 0n));
  }

  describe(): ImportClock {
    const { clock, ticksPerSecond, startTicks } = this.#header;
    const zeroAtNs = this.#first === null ? null : this.#nanoseconds(this.#first - startTicks);
    return { source: clock, ticksPerSecond, zeroAtNs };
  }

  #nanoseconds(ticks: bigint): bigint {
    return ticks * NANOSECONDS_PER_SECOND / this.#header.ticksPerSecond;
  }
}

/** Made anew on each walk, so that a log of millions of events is held once, as its bytes. */
class EtlTraceEvents implements Iterable<TraceEvent> {
  readonly #kept: readonly EtlEvent[];
  readonly #clock: Clock;

  constructor(kept: readonly EtlEvent[], clock: Clock) {
    this.#kept = kept;
    this.#clock = clock;
  }

  *[Symbol.iterator](): Generator<TraceEvent> {
    for (const [index, source] of this.#kept.entries()) {
      const call = readCall(source, this.#clock);
      if (call.kind !== "call") throw new Error(`Assertion failed: event ${index + 1} could be read before`);
      yield traceEvent(index + 1, source, call);
    }
  }
}

function traceEvent(event: number, source: EtlEvent, call: CallRecord): TraceEvent {
  return {
    event,
    kind: "call",
    plan: call.plan,
    side: "kmd",
    actor: `${source.pid}/${source.tid}`,
    level: call.plan.level,
    cause: 0,
    of: 0,
    timeNs: call.timeNs,
    wallNs: 0,
    site: null,
    ins: call.ins,
    outs: [],
    outcome: VOID,
    memory: null,
    text: "",
  };
}

/** An event that a declaration takes whole. */
interface CallRecord {
  readonly kind: "call";
  readonly plan: CallPlan;
  readonly timeNs: bigint;
  readonly ins: readonly Value[];
}

/** An event that cannot become a call, and why. */
interface UnusableRecord {
  readonly kind: DxgkrnlProblem["kind"] | "value-too-large" | "time-too-large";
  readonly message: string;
}

/** Reads an event of `PLANS`. */
function readCall(event: EtlEvent, clock: Clock): CallRecord | UnusableRecord {
  const plan = PLANS.get(event.id);
  const record = decodeDxgkrnl(event);
  if (plan === undefined || record === undefined) {
    throw new Error(`Assertion failed: event ${event.id} is none of ours`);
  }
  if (record.kind !== "record") return record;
  const timeNs = clock.timeNs(event);
  const what = `Skipped ${plan.name} (event ${event.id} version ${event.version})`;
  if (timeNs > MAX_TIME_NS) {
    return { kind: "time-too-large", message: `${what}: ${timeNs} ns after the first event are more than 63 bits` };
  }
  const ins: Value[] = [];
  for (const param of plan.ins) {
    const raw = fieldOf(record, param);
    const value = raw === undefined ? defaultValue(param) : valueOf(param, raw);
    if (value === undefined) {
      const message = `${what}: ${param.name} is 0x${
        (raw ?? 0n).toString(16)
      }, and a ${param.word} has ${param.storage}`;
      return { kind: "value-too-large", message };
    }
    ins.push(value);
  }
  return { kind: "call", plan, timeNs, ins };
}

/** The field of the parameter's name, or of its older one; `undefined` where this version has neither. */
function fieldOf({ fields }: DxgkrnlRecord, param: ParamPlan): bigint | undefined {
  return fields[param.name] ?? fields[OLDER_NAMES[param.name] ?? ""];
}

/** The value as the parameter keeps it; `undefined` where it does not fit. */
function valueOf(param: ParamPlan, raw: bigint): Value | undefined {
  switch (param.storage) {
    case "u64":
      return raw;
    case "u32":
      return raw <= 0xffff_ffffn ? Number(raw) : undefined;
    case "bool":
      return raw !== 0n;
    default:
      throw new TypeError(`Cannot import ${param.name}: no field of an event becomes a ${param.storage}`);
  }
}

/** A log's events by what becomes of them. */
interface SortedEvents {
  readonly kept: readonly EtlEvent[];
  readonly imported: readonly ImportCount[];
  readonly skipped: readonly ImportCount[];
  readonly unknown: readonly ImportCount[];
  readonly problems: readonly ImportProblem[];
}

function sortEvents(events: readonly EtlEvent[], clock: Clock): SortedEvents {
  const kept: EtlEvent[] = [];
  const [imported, skipped, unknown] = [new Tally(), new Tally(), new Tally()];
  const problems = new Tally();
  for (const event of events) {
    if (DXGKRNL_EVENTS[event.id] === undefined) unknown.add(event);
    else if (!PLANS.has(event.id)) skipped.add(event);
    else {
      const call = readCall(event, clock);
      if (call.kind === "call") {
        kept.push(event);
        imported.add(event);
      } else problems.add(event, call);
    }
  }
  const counts = { imported: imported.counts(), skipped: skipped.counts(), unknown: unknown.counts() };
  return { kept, ...counts, problems: problems.problems() };
}

/** Counts events by id, and by problem where there is one. */
class Tally {
  readonly #counts = new Map<string, { -readonly [K in keyof ImportProblem]: ImportProblem[K] }>();

  add({ id, version, offsetBytes }: EtlEvent, problem?: UnusableRecord): void {
    const key = problem === undefined ? `${id}` : `${id} ${version} ${problem.kind}`;
    const found = this.#counts.get(key);
    if (found !== undefined) {
      found.count += 1;
      return;
    }
    const name = DXGKRNL_EVENTS[id]?.name ?? "";
    this.#counts.set(key, { id, name, count: 1, message: problem?.message ?? "", firstOffset: offsetBytes });
  }

  /** By id; alike ids in the order first seen. */
  problems(): readonly ImportProblem[] {
    return [...this.#counts.values()].sort((left, right) => (left.id ?? 0) - (right.id ?? 0));
  }

  counts(): readonly ImportCount[] {
    return this.problems().map(({ id, name, count }) => ({ id, name, count }));
  }
}

/** `gpuva-mapping`, and with its edge `gpuva-mapping:start`. */
function classesOf(plan: CallPlan): readonly string[] {
  const observed = plan.declaration.observes;
  return observed === undefined ? [] : [observed.thing, `${observed.thing}:${observed.edge}`];
}

/** In the catalogue's order, whatever the log's. */
function occurredClasses(kept: readonly EtlEvent[]): readonly string[] {
  const ids = new Set(kept.map(({ id }) => id));
  const occurred = new Set([...PLANS].filter(([id]) => ids.has(id)).flatMap(([, plan]) => classesOf(plan)));
  return CLASSES.filter((each) => occurred.has(each));
}

interface HeaderParts extends ImportOptions {
  readonly capabilities: readonly string[];
  readonly problems: readonly ImportProblem[];
}

/** Events carry no wall time of their own, so `wallClock` is false; `startedAt` is the captured system's clock. */
function makeHeader(file: EtlFile, { capabilities, problems, toolVersion = "" }: HeaderParts): TraceHeader {
  return captureHeader({
    maker: "etl",
    toolVersion,
    startedAt: isoDate(file.header.startTime),
    capabilities,
    losses: etlLosses(file, problems),
  });
}

function offsetOf(kept: readonly EtlEvent[], event: number): number {
  const source = kept[event - 1];
  if (source !== undefined) return source.offsetBytes;
  throw new RangeError(`Cannot tell where event ${event} stands: events are numbered from 1 to ${kept.length}`);
}
