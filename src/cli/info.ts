// The verb `info`. Must not parse words and must not end the process.
import { visibleText } from "../api/notation/text_literal.ts";
import { defaultOptions } from "../api/options.ts";
import type { Trace, TraceFile, TraceSummary } from "../trace/mod.ts";
import type { TraceOutline } from "../trace/outline.ts";
import { sizeText } from "../wire/mod.ts";
import type { InfoArgs } from "./grammar.ts";
import type { Io } from "./io.ts";
import { hasEventFilters, type Opened, openOutline, tellLosses } from "./outline.ts";
import { cutNote, grouped } from "./terminal.ts";

/** What is printed of a trace: its outline, or all of it. */
type Described = Opened<Omit<TraceFile, "events" | "visit" | "keyframes" | "summary">>;

/** Prints a trace's header, counts, sizes, duration and losses. Resolves to the exit code. */
export async function runInfo(args: InfoArgs, io: Io): Promise<number> {
  const { filters, show } = args;
  const narrow = hasEventFilters(filters) ? await (await import("./open.ts")).narrowing(io, filters) : null;
  const outlined = await openOutline(io, args.trace);
  try {
    const indexed = narrow === null ? outlined.trace.indexed() : null;
    const { opened, facts } = indexed === null
      ? await walked(outlined, narrow)
      : { opened: outlined, facts: factsOf(indexed, indexed) };
    if (show.json) io.out.json(toJson(opened, facts));
    else for (const line of lines(io, { opened, facts, limit: show.limit })) io.out.line(line);
    if (narrow !== null && facts.events === 0) io.talk(`No event of ${opened.name} is what the filters ask for.`);
    return tellLosses(io, opened);
  } finally {
    outlined.close();
  }
}

interface Facts {
  readonly calls: readonly (readonly [string, number])[];
  readonly events: number;
  /** Events of the trace, whatever the filters admit. */
  readonly held: number;
  readonly durationNs: bigint;
  readonly wallNs: number;
  readonly blocks: readonly (readonly [string, number])[];
}

/** What only events tell: the counts of those that filters admit, and of all where the index is not whole. */
async function walked(
  outlined: Opened<TraceOutline>,
  narrow: ((trace: Trace) => Trace) | null,
): Promise<{ readonly opened: Described; readonly facts: Facts }> {
  const { openTrace } = await import("../trace/mod.ts");
  const trace = openTrace(outlined.source);
  const summary = trace.summary();
  const facts = factsOf(summary, narrow === null ? summary : countedEvents(narrow(trace)));
  return { opened: { ...outlined, trace }, facts };
}

function factsOf(summary: TraceSummary, { events, calls }: Pick<TraceSummary, "events" | "calls">): Facts {
  const { firstTimeNs, lastTimeNs, lastWallNs, blocks } = summary;
  return {
    calls: [...calls].toSorted(([left, one], [right, other]) => other - one || (left < right ? -1 : 1)),
    events,
    held: summary.events,
    durationNs: lastTimeNs - firstTimeNs,
    wallNs: lastWallNs,
    blocks: [...blocks],
  };
}

function countedEvents(trace: Trace) {
  const calls = new Map<string, number>();
  let events = 0;
  for (const { plan, kind } of trace.events()) {
    events += 1;
    const isCall = kind === "call" || kind === "enter" || kind === "callback";
    if (plan !== null && isCall) calls.set(plan.name, (calls.get(plan.name) ?? 0) + 1);
  }
  return { events, calls };
}

function toJson({ trace, path, sizeInBytes }: Described, { calls, events, durationNs, wallNs, blocks }: Facts): object {
  const { header, end, losses, complete } = trace;
  return {
    schema: "maptrail.info/1",
    file: path,
    events,
    bytes: sizeInBytes,
    calls: Object.fromEntries(calls),
    complete,
    version: trace.version,
    maker: header.maker,
    tool: `${header.tool} ${header.toolVersion}`,
    engineVersion: header.engineVersion,
    program: header.program,
    seed: header.seed,
    options: header.options,
    sites: header.sites,
    memory: header.memory,
    wallClock: header.wallClock,
    startedAt: header.startedAt,
    capabilities: header.capabilities,
    startsAfter: header.startsAfter,
    leftOut: header.leftOut,
    selection: header.selection,
    durationNs: Number(durationNs),
    wallNs,
    end,
    losses,
    blocks: Object.fromEntries(blocks),
  };
}

interface Shown {
  readonly opened: Described;
  readonly facts: Facts;
  readonly limit: number;
}

function lines(io: Io, { opened, facts, limit }: Shown): string[] {
  const { trace, path, sizeInBytes } = opened;
  const { header } = trace;
  const each = facts.held === 0 ? "" : ` (${(sizeInBytes / facts.held).toFixed(1)} bytes an event)`;
  const rows: [string, string][] = [
    ["trace", `${path}, format ${trace.version}`],
    [
      "made by",
      `${header.tool} ${header.toolVersion}, ${
        header.maker === "engine" ? `engine ${header.engineVersion}` : `import of ${header.maker}`
      }`,
    ],
    ["program", programText(trace)],
    ["options", changedOptions(trace)],
    ["events", `${grouped(facts.events)} in ${sizeText(sizeInBytes)}${each}`],
    ["time", timeText(facts, trace)],
    ["keeps", `sites ${header.sites}, memory ${header.memory}`],
    ...partRows(trace),
    ["state", stateText(io, trace)],
  ];
  const shown = facts.calls.slice(0, limit);
  const cut = cutNote(facts.calls.length, shown.length);
  return [
    ...rows.map(([name, text]) => `${io.paint.faint(name.padEnd(8))} ${visibleText(text)}`),
    ...trace.losses.slice(0, limit).map(({ what }) => `${io.paint.warn("lost    ")} ${visibleText(what)}`),
    ...shown.map(([name, count]) => `${grouped(count).padStart(12)}  ${visibleText(name)}`),
    ...(cut === undefined ? [] : [io.paint.faint(`              ${cut}`)]),
  ];
}

/** What of the run the trace holds on purpose; nothing where that is all of it. */
function partRows({ header: { startsAfter, leftOut }, eventCount }: Described["trace"]): [string, string][] {
  const rows: [string, string][] = [];
  if (startsAfter > 0) rows.push(["ring", `the last part of the run, @${startsAfter + 1} to @${eventCount}`]);
  if (leftOut.length > 0) rows.push(["left out", leftOut.join("; ")]);
  return rows;
}

function programText({ header: { program, seed, startedAt } }: Described["trace"]): string {
  const args = program.args.length === 0 ? "" : ` -- ${program.args.join(" ")}`;
  const when = startedAt === "" ? "" : `, ${startedAt}`;
  if (program.kind === "import") return `a capture${when}`;
  return `${program.name}${args} (${program.kind}), seed ${seed}${when}`;
}

function changedOptions({ header }: Described["trace"]): string {
  const defaults = new Map<string, string>(Object.entries(defaultOptions()));
  const changed = Object.entries(header.options).filter(([name, value]) => defaults.get(name) !== value);
  return changed.length === 0 ? "defaults" : changed.map(([name, value]) => `${name}=${value}`).join(", ");
}

function timeText({ durationNs, wallNs }: Facts, { header }: Described["trace"]): string {
  const wall = header.wallClock ? `, recorded in ${(wallNs / 1e6).toFixed(1)} ms` : "";
  return `${(Number(durationNs) / 1e6).toFixed(3)} ms${header.maker === "engine" ? " of virtual time" : ""}${wall}`;
}

function stateText(io: Io, { complete, end, eventCount }: Described["trace"]): string {
  if (end === null) return io.paint.warn(`cut: it never said how it ended; whole up to @${eventCount}`);
  const why = end.message === "" ? end.reason : `${end.reason}: ${end.message}`;
  return `${complete ? io.paint.good("complete") : io.paint.warn("incomplete")}, ${why}`;
}
