// A slow, obvious count of what begins and ends in an import, for tests. It names events and fields by hand and asks
// no declaration, so that what a declaration says of keys and edges is compared with a second opinion.

import type { TraceEvent } from "../../src/trace/mod.ts";
import type { Value } from "../../src/api/mod.ts";

/** How one kind of thing is seen. */
export interface Thing {
  readonly rundown?: string;
  readonly start: string;
  readonly stop: string;
  /** Fields that together name it, at its start and at its stop. */
  readonly startKey: readonly string[];
  readonly stopKey: readonly string[];
  /** Whether two at once may not share addresses (`pVaAllocator`, `StartAddress`, `EndAddress`). */
  readonly isRange: boolean;
}

const PLACE = ["pVaAllocator", "StartAddress", "EndAddress"] as const;

function range(name: string): Thing {
  const names = { rundown: `${name}DCStart`, start: `${name}Start`, stop: `${name}Stop` };
  return { ...names, startKey: PLACE, stopKey: PLACE, isRange: true };
}

function allocation(name: string, key: string): Thing {
  const names = { rundown: `${name}DCStart`, start: `${name}Start`, stop: `${name}Stop` };
  return { ...names, startKey: [key], stopKey: [key], isRange: false };
}

/** The things that a capture of DxgKrnl shows. */
export const THINGS: Readonly<Record<string, Thing>> = {
  "gpuva-mapping": range("GpuVirtualAddressRangeMapping"),
  "gpuva-range": range("GpuVirtualAddressRange"),
  "commit": {
    start: "CommitVirtualAddressStart",
    stop: "CommitVirtualAddressStop",
    startKey: ["Owner"],
    stopKey: ["VidMmAlloc"],
    isRange: false,
  },
  "allocation": allocation("AdapterAllocation", "hVidMmGlobalAlloc"),
  "device-allocation": allocation("DeviceAllocation", "hVidMmAlloc"),
  "va-space": allocation("GpuVirtualAddressAllocator", "pVaAllocator"),
};

/** What was counted. */
export interface PlainCount {
  readonly starts: number;
  readonly rundowns: number;
  readonly ends: number;
  /** Ends of what was seen to start or was there at the rundown. */
  readonly pairs: number;
  /** Ends of what was never seen before. */
  readonly preExisting: number;
  readonly liveAtEnd: number;
  /** Starts of what was there, or of a range that shares an address with one that was. */
  readonly overlapping: number;
}

/** An event's values by name. */
export function valuesOf(event: TraceEvent): Readonly<Record<string, Value>> {
  return Object.fromEntries(event.plan?.ins.map(({ name }, index) => [name, event.ins[index] ?? null]) ?? []);
}

type Fields = Readonly<Record<string, Value>>;

/** Counts one kind of thing. */
export function countPairs(events: Iterable<TraceEvent>, thing: Thing): PlainCount {
  const count = { starts: 0, rundowns: 0, ends: 0, pairs: 0, preExisting: 0, liveAtEnd: 0, overlapping: 0 };
  let live: { readonly key: string; readonly fields: Fields }[] = [];
  for (const event of events) {
    const name = event.plan?.name;
    const fields = valuesOf(event);
    if (name === thing.start || name === thing.rundown) {
      const key = thing.startKey.map((each) => fields[each]).join(" ");
      if (name === thing.start) count.starts++;
      else count.rundowns++;
      const clashes = (other: (typeof live)[number]) =>
        thing.isRange ? shares(other.fields, fields) : other.key === key;
      if (live.some(clashes)) count.overlapping++;
      live.push({ key, fields });
    } else if (name === thing.stop) {
      const key = thing.stopKey.map((each) => fields[each]).join(" ");
      const found = live.find((other) => other.key === key);
      live = live.filter((other) => other !== found);
      count.ends++;
      if (found === undefined) count.preExisting++;
      else count.pairs++;
    }
  }
  return { ...count, liveAtEnd: live.length };
}

function shares(left: Fields, right: Fields): boolean {
  if (left["pVaAllocator"] !== right["pVaAllocator"]) return false;
  return (left["StartAddress"] ?? 0n) < (right["EndAddress"] ?? 0n) &&
    (right["StartAddress"] ?? 0n) < (left["EndAddress"] ?? 0n);
}
