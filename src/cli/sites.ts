// `--sites findings`: audits the trace just recorded, and where it finds something runs the program again under the same seed
// to take the call sites of the events that findings name. The second run must be the first one again, event for event.

import { audit } from "../audit/mod.ts";
import { equalValues, type Outcome } from "../api/mod.ts";
import { type MemoryDelta, openTrace, type Trace, type TraceEnd, type TraceEvent } from "../trace/mod.ts";
import { CliError, EXIT, isDiskFull } from "./exit.ts";
import type { Io } from "./io.ts";
import { createOutput, openInput, type OutputFile, resolvePath } from "./paths.ts";
import { recordInto, type Run } from "./run.ts";

/** Where the second run of a trace is recorded. */
function againOf(path: string): string {
  return `${path}.sites`;
}

/** Refuses, before the first run, to overwrite a file that stands where the second one goes; the output comes to nothing then. */
export function claimSites(io: Io, output: OutputFile, force: boolean): void {
  const again = againOf(output.path);
  if (force || !exists(resolvePath(io.folder, again))) return;
  output.discard();
  throw new CliError(
    EXIT.usage,
    `Choose another name, or add --force: the second run goes to "${again}", which exists.`,
  );
}

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/** Adds the sites of the events that findings name to the trace at `path`. */
export async function addFindingSites(
  io: Io,
  { path, run, end }: { readonly path: string; readonly run: Run; readonly end: TraceEnd },
): Promise<void> {
  if (end.reason === "interrupted") {
    return io.talk("The sites of findings are left out: a run that was interrupted cannot be run again to its end.");
  }
  const first = await openFile(io, path);
  try {
    const events = new Set(
      audit(first.trace).findings.flatMap(({ event, evidence }) => [event, ...evidence.map((each) => each.event)]),
    );
    if (events.size > 0) await takeSites(io, { path, first: first.trace, run: { ...run, siteEvents: events } });
  } finally {
    first.close();
  }
}

interface Taking {
  readonly path: string;
  readonly first: Trace;
  readonly run: Run;
}

async function takeSites(io: Io, { path, first, run }: Taking): Promise<void> {
  const again = againOf(path);
  const output = createOutput(io, { output: again, name: again, force: true });
  try {
    const { end } = await recordInto(output, io, run);
    if (end.reason === "interrupted") throw notTaken(`${end.message} came while the program ran again`);
    await checkSameRun(io, first, again);
    Deno.renameSync(resolvePath(io.folder, again), resolvePath(io.folder, path));
  } catch (error) {
    Deno.removeSync(resolvePath(io.folder, again));
    const isFull = error instanceof CliError && isDiskFull(error.cause);
    throw isFull ? notTaken(`no room is left for a second run, "${again}"`) : error;
  }
}

async function openFile(io: Io, path: string) {
  const file = await openInput(io, path);
  return {
    trace: openTrace({ size: file.sizeInBytes, read: (at, length) => file.read(at, length) }),
    close: () => file.close(),
  };
}

async function checkSameRun(io: Io, first: Trace, again: string): Promise<void> {
  const second = await openFile(io, again);
  try {
    const others = second.trace.events();
    for (const event of first.events()) {
      const { value: other, done } = others.next();
      if (done === true || !sameButSite(event, other)) throw notTheSame(event.event);
    }
    if (others.next().done !== true) throw notTheSame(first.eventCount + 1);
  } finally {
    second.close();
  }
}

function notTheSame(event: number): CliError {
  return notTaken(`the second run differs from @${event} on, so the program depends on more than its seed`);
}

function notTaken(why: string): CliError {
  return new CliError(EXIT.cutShort, `Cannot take the sites of findings: ${why}. The trace is kept, without them.`);
}

function sameButSite(one: TraceEvent, other: TraceEvent): boolean {
  return one.event === other.event && one.kind === other.kind && one.plan === other.plan && one.side === other.side &&
    one.actor === other.actor && one.cause === other.cause && one.of === other.of && one.timeNs === other.timeNs &&
    equalValues(one.ins, other.ins) && equalValues(one.outs, other.outs) && sameOutcome(one.outcome, other.outcome) &&
    sameDelta(one.memory, other.memory);
}

function sameOutcome(one: Outcome | null, other: Outcome | null): boolean {
  if (one?.form === "status") return other?.form === "status" && one.status === other.status;
  if (one?.form === "value") return other?.form === "value" && equalValues([one.value], [other.value]);
  return one?.form === other?.form;
}

function sameDelta(one: MemoryDelta | null, other: MemoryDelta | null): boolean {
  return one?.partition === other?.partition && one?.page === other?.page && one?.offset === other?.offset &&
    one?.length === other?.length && one?.digest === other?.digest;
}
