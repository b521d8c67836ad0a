// `--sites findings`: audits the trace just recorded, and where it finds something runs the program again under the same seed
// to take the call sites of the events that findings name. The second run must be the first one again, event for event.

import { audit } from "../audit/mod.ts";
import { equalValues } from "../api/mod.ts";
import { record, type RecordOptions } from "../record/mod.ts";
import { openTrace, type Trace, type TraceEvent } from "../trace/mod.ts";
import { CliError, EXIT } from "./exit.ts";
import type { Io } from "./io.ts";
import { openInput } from "./paths.ts";

/** Adds the sites of the events that findings name to the trace at `path`. */
export async function addFindingSites(
  io: Io,
  { path, run }: { readonly path: string; readonly run: Omit<RecordOptions, "output"> },
): Promise<void> {
  const first = await openFile(io, path);
  try {
    const events = new Set(
      audit(first.trace).findings.flatMap(({ event, evidence }) => [event, ...evidence.map((each) => each.event)]),
    );
    if (events.size === 0) return;
    const again = `${path}.sites`;
    await recordAgain(again, { ...run, sites: "findings", siteEvents: events });
    const second = await openFile(io, again);
    try {
      checkSameRun(first.trace, second.trace);
    } finally {
      second.close();
    }
    await Deno.rename(again, path);
  } finally {
    first.close();
  }
}

async function openFile(io: Io, path: string) {
  const file = await openInput(io, path);
  return {
    trace: openTrace({ size: file.sizeInBytes, read: (at, length) => file.read(at, length) }),
    close: () => file.close(),
  };
}

async function recordAgain(path: string, run: Omit<RecordOptions, "output">): Promise<void> {
  using file = await Deno.open(path, { write: true, create: true, truncate: true });
  await record({
    ...run,
    output: {
      write(bytes) {
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      },
    },
  });
}

function checkSameRun(first: Trace, second: Trace): void {
  const others = second.events();
  for (const event of first.events()) {
    const { value: other, done } = others.next();
    if (done === true || !sameButSite(event, other)) {
      throw new CliError(
        EXIT.bug,
        `Cannot take the sites of findings: the second run differs from @${event.event} on; the program does not depend on its seed alone`,
      );
    }
  }
}

function sameButSite(one: TraceEvent, other: TraceEvent): boolean {
  return one.kind === other.kind && one.plan === other.plan && one.side === other.side && one.cause === other.cause &&
    equalValues(one.ins, other.ins) && equalValues(one.outs, other.outs);
}
