// A snapshot is exact: the engine that goes on and the one made of the snapshot do the same, and end the same.

import fc from "fast-check";
import { type CallName, planOf } from "../../src/api/mod.ts";
import { Engine, isSnapshot } from "../../src/engine/mod.ts";
import type { GivenArgs } from "../../src/engine/mod.ts";
import { encodeKeyframe } from "../../src/trace/mod.ts";
import { assert, assertEquals, assertNotEquals } from "../support/assert.ts";
import { numberOf, Pair } from "./endpoints.ts";
import { GpuRig } from "./gpu_rig.ts";

type Call = readonly [side: string, name: CallName, args: GivenArgs];

/** Makes calls on an engine, then delivers what there is; everything that came out, as plain values. */
function play(engine: Engine, calls: readonly Call[]): unknown[] {
  const seen: unknown[] = [];
  let event = 1000;
  for (const [side, name, args] of calls) {
    const plan = planOf(name);
    const ins = engine.bind(plan, args);
    seen.push(engine.call({ plan, side, ins, event: ++event, insideCallback: 0 }), engine.takeOutputs());
    for (let next = engine.deliverable()[0]; next !== undefined; next = engine.deliverable()[0]) {
      seen.push(engine.deliver(next.id, ++event));
      engine.finish(event, { event: ++event, outcome: { form: "void" } });
      seen.push(engine.takeOutputs());
    }
  }
  return seen;
}

/** A pair in the middle of everything: a callback runs, others wait, calls wait, objects died, memory was written. */
function midway(): { pair: Pair; gpadl: number; buffer: number } {
  const pair = new Pair({ "handle-reuse": "after-delete" }).open();
  pair.call("machine", "AdvanceTime", { Nanoseconds: 5n });
  const buffer = numberOf(pair.call("guest", "AllocateBuffer", { ByteCount: 9000 }).value);
  const freed = numberOf(pair.call("guest", "AllocateBuffer", { ByteCount: 9000 }).value);
  pair.call("guest", "WriteBuffer", { Buffer: buffer, Offset: 4090, Data: new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]) });
  pair.call("guest", "FreeBuffer", { Buffer: freed });
  const create = () =>
    numberOf(
      pair.call("client", "VmbChannelCreateGpadlFromBuffer", {
        Channel: pair.client,
        Buffer: buffer,
        ByteCount: 9000,
      }).outs.GpadlHandle,
    );
  const [gone, gpadl] = [create(), create()];
  pair.call("client", "VmbChannelDeleteGpadl", { Channel: pair.client, GpadlHandle: gone });
  pair.call("server", "VmbChannelMapGpadl", { Channel: pair.server, GpadlHandle: gpadl });
  pair.call("machine", "FailNext", { Call: "VmbChannelEnable", Status: 0xc0000001, Skip: 1 });
  pair.call("client", "VmbChannelDeleteGpadl", { Channel: pair.client, GpadlHandle: gpadl }, false);
  pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  pair.engine.deliver(pair.engine.deliverable()[0]?.id ?? 0, 900);
  return { pair, gpadl, buffer };
}

Deno.test("Engine.view() encodes to the bytes of a snapshot, and copies no object for it", () => {
  const { pair } = midway();
  assertEquals(encodeKeyframe(pair.engine.view()), encodeKeyframe(pair.engine.snapshot()));
  assert(pair.engine.view().objects.objects.length > 5);
  const rig = new GpuRig();
  assertEquals(encodeKeyframe(rig.model.engine.view()), encodeKeyframe(rig.model.engine.snapshot()));
});

Deno.test("Engine.restore() goes on just as the engine that the snapshot was taken of", () => {
  const { pair, gpadl, buffer } = midway();
  const snapshot = pair.engine.snapshot();
  const { pending, running, parked, faults } = snapshot;
  assertEquals([pending.length, running.length, parked.length, faults.length], [1, 1, 2, 1]);
  const other = Engine.restore(snapshot);
  assertEquals(other.snapshot(), snapshot);
  const calls: readonly Call[] = [
    ["guest", "ReadBuffer", { Buffer: buffer, Offset: 4090, ByteCount: 8 }],
    ["guest", "AllocateBuffer", { ByteCount: 20_000 }],
    ["server", "VmbChannelUnmapGpadl", { Channel: pair.server, GpadlHandle: gpadl }],
    ["client", "VmbChannelDeleteGpadl", { Channel: pair.client, GpadlHandle: gpadl }],
    ["client", "VmbChannelEnable", { Channel: pair.client }],
    ["client", "VmbChannelEnable", { Channel: pair.client }],
    ["client", "VmbChannelCreateGpadlFromBuffer", { Channel: pair.client, Buffer: buffer, ByteCount: 1 }],
  ];
  for (const engine of [pair.engine, other]) engine.finish(900, { event: 901, outcome: { form: "void" } });
  const seen = play(pair.engine, calls);
  assertEquals(play(other, calls), seen);
  assertEquals(other.snapshot(), pair.engine.snapshot());
  assertNotEquals(other.snapshot(), snapshot, "the snapshot is not of the present");
});

Deno.test("Engine.restore() knows address spaces with what is mapped and what is queued", () => {
  const rig = new GpuRig({ "physical-adapters": "2" });
  const allocation = rig.allocate(4);
  rig.ok("D3DKMTCreateAllocation2", { hDevice: rig.device, Flags: 1, pAllocationInfo2: [{ Size: 0x1000 }] });
  const map = { hPagingQueue: rig.queue, hAllocation: allocation, SizeInPages: 4, Protection: 1 };
  const { outs } = rig.ok("D3DKMTMapGpuVirtualAddress", map);
  rig.reserve({ BaseAddress: 0x4000_0000, Size: 0x10000 });
  const wait = { hDevice: rig.device, ObjectHandleArray: [rig.fence], FenceValueArray: [outs.PagingFenceValue] };
  assert(rig.call("D3DKMTWaitForSynchronizationObjectFromCpu", wait).blocked);
  const { engine } = rig.model;
  const snapshot = engine.snapshot();
  assert(isSnapshot(snapshot) && snapshot.spaces.size === 1);
  const other = Engine.restore(snapshot);
  assertEquals(other.snapshot(), snapshot);
  const access = { hContext: rig.context, VirtualAddress: outs.VirtualAddress, ByteCount: 16, Access: 1 };
  const calls: readonly Call[] = [
    ["gpu", "GpuAccess", access],
    ["gpu", "CompletePaging", { hPagingQueue: rig.queue, FenceValue: outs.PagingFenceValue }],
    ["gpu", "GpuAccess", access],
    ["umd", "D3DKMTMapGpuVirtualAddress", map],
    ["umd", "D3DKMTDestroyAllocation2", { hDevice: rig.device, phAllocationList: [allocation] }],
    ["machine", "ExitProcess", { Side: "umd" }],
  ];
  assertEquals(play(other, calls), play(engine, calls));
  assertEquals(other.snapshot(), engine.snapshot());
});

Deno.test("Engine.restore() of a structured clone is the same: a snapshot is plain data, without cycles", () => {
  const { pair } = midway();
  const snapshot = pair.engine.snapshot();
  assertEquals(Engine.restore(structuredClone(snapshot)).snapshot(), snapshot);
  assertPlain(snapshot, new Set());
});

Deno.test("Engine.restore() takes what a decoder makes: objects without a prototype", () => {
  const { pair } = midway();
  const snapshot = pair.engine.snapshot();
  const decoded = withoutPrototypes(snapshot);
  assert(isSnapshot(decoded));
  assertEquals(Engine.restore(decoded).snapshot(), snapshot);
});

function withoutPrototypes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutPrototypes);
  if (value instanceof Map) return new Map([...value].map(([key, each]) => [key, withoutPrototypes(each)]));
  if (typeof value !== "object" || value === null || value instanceof Set || value instanceof Uint8Array) return value;
  const entries = Object.entries(value).map(([name, each]) => [name, withoutPrototypes(each)]);
  return Object.assign(Object.create(null), Object.fromEntries(entries));
}

/** Fails for instances of classes, functions and cycles. */
function assertPlain(value: unknown, above: ReadonlySet<unknown>): void {
  assert(typeof value !== "function" && typeof value !== "symbol" && value !== undefined, String(value));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
  assert(!above.has(value), "a cycle");
  const inside = new Set([...above, value]);
  if (value instanceof Map || value instanceof Set || Array.isArray(value)) {
    for (const each of value) assertPlain(each, inside);
    return;
  }
  assertEquals(Object.getPrototypeOf(value), Object.prototype);
  for (const each of Object.values(value)) assertPlain(each, inside);
}

Deno.test("isSnapshot() accepts a snapshot, and none that lacks a member or has one of another type", () => {
  const { pair } = midway();
  const snapshot = pair.engine.snapshot();
  assert(isSnapshot(snapshot) && isSnapshot(structuredClone(snapshot)));
  const damaged = [...damages(snapshot)];
  assert(damaged.length > 250, `${damaged.length} damages tried`);
  for (const { path, value } of damaged) assertEquals(isSnapshot(value), false, path);
  for (const value of [null, undefined, 1, [], {}, new Map(), new Uint8Array(4)]) {
    assertEquals(isSnapshot(value), false);
  }
});

/** The value with one member somewhere replaced by what it cannot be, for every member there is. */
function* damages(value: unknown): IterableIterator<{ readonly path: string; readonly value: unknown }> {
  yield { path: "", value: () => {} };
  if (Array.isArray(value)) {
    for (const [index, member] of value.entries()) {
      for (const inner of damages(member)) {
        yield { path: `[${index}]${inner.path}`, value: value.with(index, inner.value) };
      }
    }
  } else if (value instanceof Map) {
    for (const [key, member] of value) {
      for (const inner of damages(member)) {
        yield { path: `(${key})${inner.path}`, value: new Map([...value, [key, inner.value]]) };
      }
    }
  } else if (typeof value === "object" && value !== null && !(value instanceof Set || value instanceof Uint8Array)) {
    for (const [name, member] of Object.entries(value)) {
      for (const inner of damages(member)) {
        yield { path: `.${name}${inner.path}`, value: { ...value, [name]: inner.value } };
      }
    }
  }
}

Deno.test("Engine.restore() shares nothing with its snapshot, nor the snapshot with its engine", () => {
  const { pair, gpadl } = midway();
  const snapshot = pair.engine.snapshot();
  const copy = structuredClone(snapshot);
  const calls: readonly Call[] = [
    ["server", "VmbChannelUnmapGpadl", { Channel: pair.server, GpadlHandle: gpadl }],
    ["client", "VmbChannelSetPointer", { Channel: pair.client, Pointer: 7n }],
    ["guest", "AllocateBuffer", { ByteCount: 20_000 }],
  ];
  for (const engine of [pair.engine, Engine.restore(snapshot)]) play(engine, calls);
  assertEquals(snapshot, copy);
});

Deno.test("a dead owner is remembered, its children are its own no more", () => {
  const { pair } = midway();
  pair.engine.finish(900, { event: 901, outcome: { form: "void" } });
  pair.drain();
  pair.call("client", "VmbChannelCleanup", { Channel: pair.client });
  const world = Engine.restore(pair.engine.snapshot()).world;
  const [gpadl] = [...world.all("gpadl")];
  assert(gpadl !== undefined);
  const owner = world.ownerOf(gpadl);
  assertEquals([owner?.kind, owner?.number, owner?.alive], ["channel", 2, false]);
  assertEquals(owner === null ? null : world.childrenOf(owner), []);
  assertEquals(world.childrenOf(gpadl).map(({ kind, number }) => `${kind}#${number}`), ["mdl#1"]);
});

Deno.test("snapshots anywhere in a random run change nothing that comes after", () => {
  const step = fc.record({ act: fc.nat(7), snapshot: fc.boolean() });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30, size: "max" }), (steps) => {
      const pair = new Pair();
      let copy = Engine.restore(pair.engine.snapshot());
      for (const { act, snapshot } of steps) {
        const calls = [callOf(pair, act)];
        assertEquals(play(copy, calls), play(pair.engine, calls));
        if (snapshot) copy = Engine.restore(copy.snapshot());
      }
      assertEquals(copy.snapshot(), pair.engine.snapshot());
    }),
    { seed: 4711, numRuns: 40 },
  );
});

function callOf({ server, client }: Pair, act: number): Call {
  const calls: readonly Call[] = [
    ["server", "VmbChannelEnable", { Channel: server }],
    ["server", "VmbChannelStart", { Channel: server }],
    ["client", "VmbChannelEnable", { Channel: client }],
    ["client", "VmbChannelDisable", { Channel: client }],
    ["server", "VmbChannelDisable", { Channel: server }],
    ["guest", "AllocateBuffer", { ByteCount: 100 }],
    ["client", "VmbChannelCreateGpadlFromBuffer", { Channel: client, Buffer: 0x80001080, ByteCount: 50 }],
    ["server", "VmbChannelMapGpadl", { Channel: server, GpadlHandle: 0xe1e10 }],
  ];
  const [call] = calls.slice(act);
  assert(call !== undefined);
  return call;
}
