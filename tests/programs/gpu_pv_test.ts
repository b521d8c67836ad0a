// The two stories of a paravirtualised GPU: one is clean, the other ends as the real one did. Each GPADL leads back to the
// guest's create call, and on to the host's mapping.

import { audit } from "../../src/audit/mod.ts";
import { ERRNO, findIoctl, isRef, STATUS } from "../../src/api/mod.ts";
import { PROGRAMS } from "../../src/programs/mod.ts";
import { recordInMemory } from "../../src/record/mod.ts";
import { bytesSource, openTrace, type Trace, type TraceEvent } from "../../src/trace/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";

async function traceOf(name: string): Promise<Trace> {
  const module = PROGRAMS[name];
  assert(module !== undefined);
  return openTrace(bytesSource((await recordInMemory(module, { seed: 1 })).bytes));
}

/** The events that led to one, from the program's own on. */
function story(events: readonly TraceEvent[], event: TraceEvent): string[] {
  const cause = event.cause === 0 ? undefined : events[event.cause - 1];
  return [...(cause === undefined ? [] : story(events, cause)), `${event.side} ${event.plan?.name ?? ""}`];
}

function called(events: readonly TraceEvent[], name: string): readonly TraceEvent[] {
  return events.filter(({ plan, kind }) => plan?.name === name && (kind === "call" || kind === "leave"));
}

Deno.test("gpu-pv gives everything back: no error, no warning, nothing alive", async () => {
  const { findings, pairing } = audit(await traceOf("gpu-pv"));
  assertEquals(findings.filter(({ severity }) => severity !== "note"), []);
  for (const [thing, { leaked, liveAtEnd }] of Object.entries(pairing)) {
    assertEquals([leaked, liveAtEnd], [0, 0], thing);
  }
});

Deno.test("gpu-pv-leak leaks sixteen GPADLs of one line, then its allocations fail with ENOMEM", async () => {
  const trace = await traceOf("gpu-pv-leak");
  const events = [...trace.events()];
  const creates = called(events, "VmbChannelCreateGpadlFromBuffer").map(({ outcome }) =>
    outcome?.form === "status" ? outcome.status : -1
  );
  const refused = new Array<number>(8).fill(STATUS.STATUS_QUOTA_EXCEEDED);
  assertEquals(creates, [...new Array<number>(16).fill(STATUS.STATUS_SUCCESS), ...refused]);
  assertEquals(called(events, "VmbChannelDeleteGpadl"), []);
  const results = called(events, "DxgIoctl").flatMap(({ of, outcome }) => {
    const command = Number(events[of - 1]?.ins[0] ?? 0);
    const value = outcome?.form === "value" ? outcome.value : null;
    return findIoctl(command)?.name === "CreateAllocation" ? [value] : [];
  });
  assertEquals(results, [...new Array<number>(16).fill(0), ...new Array<number>(8).fill(-ERRNO.ENOMEM)]);
  const leaks = audit(trace).findings.filter(({ severity }) => severity !== "note");
  assertEquals(new Set(leaks.map(({ fingerprint }) => fingerprint)).size, 1);
  assertEquals(leaks.map(({ rule }) => rule), new Array<string>(16).fill("sysmem-gpadl-leak"));
  const [first] = leaks;
  assertEquals(first?.evidence.map(({ role, side, call }) => `${role} ${side} ${call}`), [
    "asked guest-umd DxgIoctl",
    "created client VmbChannelCreateGpadlFromBuffer",
    "shared client VmbChannelSendSynchronousRequest",
    "mapped server VmbChannelMapGpadl",
    "dropped client VmbChannelSendSynchronousRequest",
    "unmapped server VmbChannelUnmapGpadl",
  ]);
});

Deno.test("of each leaked GPADL the trace tells one story: the guest's create call, the GPADL, the host's mapping", async () => {
  const events = [...(await traceOf("gpu-pv-leak")).events()];
  const [map] = called(events, "VmbChannelMapGpadl");
  const [create] = called(events, "VmbChannelCreateGpadlFromBuffer");
  const [allocation] = called(events, "D3DKMTCreateAllocation2");
  assert(map !== undefined && create !== undefined && allocation !== undefined);
  const path = ["guest-umd DxgIoctl", "kmd EvtDxgIoctl"];
  assertEquals(story(events, create), [...path, "client VmbChannelCreateGpadlFromBuffer"]);
  const packet = [...path, "client VmbChannelSendSynchronousRequest", "server EvtVmbChannelProcessPacket"];
  assertEquals(story(events, allocation), [...packet, "umd#2 D3DKMTCreateAllocation2"]);
  assertEquals(story(events, map), [...packet, "server VmbChannelMapGpadl"]);
  const [mapped, created] = [map.ins[2], create.outs[0]];
  assert(isRef(mapped) && isRef(created));
  assertEquals(mapped.number, created.number);
});
