// GPADLs that exist: who may map one and when, which deletes wait, and what a channel's end leaves of it.

import fc from "fast-check";
import { STATUS, statusName } from "../../src/api/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { Sharing } from "./sharing.ts";

const READ_ONLY = 0x1;
const BAD = STATUS.STATUS_INVALID_PARAMETER;

Deno.test("VmbChannelMapGpadl gives an MDL of the guest's pages that ends with the mapping", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  const mdl = numberOf(sharing.map(gpadl).outs.Mdl);
  assertEquals(sharing.stateOf(gpadl), "mapped");
  sharing.call("host", "WriteMdl", { Mdl: mdl, Offset: 4000, Data: new Uint8Array([1, 2, 3]) });
  const read = sharing.call("guest", "ReadBuffer", { Buffer: sharing.buffer, Offset: 4000, ByteCount: 3 });
  assertEquals(read.value, new Uint8Array([1, 2, 3]));
  assertEquals(sharing.call("host", "FreeMdl", { Mdl: mdl }).refused, "mdl#1 belongs to the mapping of gpadl#1");
  assertEquals([sharing.unmap(gpadl).refused, sharing.stateOf(gpadl)], [null, "live"]);
  assertEquals(
    sharing.call("host", "ReadMdl", { Mdl: mdl, ByteCount: 1 }).refused,
    "Mdl names mdl#1, which is gone",
  );
});

Deno.test("VmbChannelMapGpadl: only a write map of a read-only GPADL is a question of access", () => {
  const sharing = new Sharing();
  const statuses = [0, READ_ONLY].map((created) =>
    [0, READ_ONLY].map((mapped) => statusName(sharing.map(sharing.gpadl(created), mapped).status))
  );
  assertEquals(statuses, [["STATUS_SUCCESS", "STATUS_SUCCESS"], ["STATUS_ACCESS_DENIED", "STATUS_SUCCESS"]]);
});

Deno.test("VmbChannelMapGpadl refuses, in order: unknown, state, flags, channel, access, second map", () => {
  const sharing = new Sharing({
    "unknown-gpadl-status": "STATUS_INVALID_HANDLE",
    "refusal-status": "STATUS_INVALID_DEVICE_STATE",
    "bad-flags-status": "STATUS_INVALID_PARAMETER_2",
    "double-map-status": "STATUS_CONFLICTING_ADDRESSES",
  });
  const other = sharing.addServer("{33333333-0000-0000-0000-000000000001}");
  const gpadl = sharing.gpadl(READ_ONLY);
  const mapAt = (channel: number, flags: number, handle: number | null) =>
    statusName(
      sharing.call("server", "VmbChannelMapGpadl", { Channel: channel, Flags: flags, GpadlHandle: handle }).status,
    );
  assertEquals([mapAt(other, 2, null), mapAt(other, 2, 77)], ["STATUS_INVALID_HANDLE", "STATUS_INVALID_HANDLE"]);
  assertEquals(mapAt(other, 2, gpadl), "STATUS_INVALID_DEVICE_STATE");
  for (const side of ["server", "client"] as const) {
    const channel = side === "server" ? other : sharing.addClient("{33333333-0000-0000-0000-000000000001}");
    sharing.call(side, "VmbChannelEnable", { Channel: channel });
  }
  assertEquals([mapAt(other, 2, gpadl), mapAt(other, 0, gpadl)], ["STATUS_INVALID_HANDLE", "STATUS_INVALID_HANDLE"]);
  assertEquals(mapAt(sharing.server, 2, gpadl), "STATUS_INVALID_PARAMETER_2");
  assertEquals(mapAt(sharing.server, READ_ONLY, gpadl), "STATUS_SUCCESS");
  assertEquals(mapAt(sharing.server, 0, gpadl), "STATUS_ACCESS_DENIED");
  assertEquals(mapAt(sharing.server, READ_ONLY, gpadl), "STATUS_CONFLICTING_ADDRESSES");
});

Deno.test("VmbChannelMapGpadl after the delete began fails, also between unmap and leave", () => {
  const sharing = new Sharing({ "unknown-gpadl-status": "STATUS_INVALID_HANDLE" });
  const gpadl = sharing.gpadl();
  sharing.map(gpadl);
  assert(sharing.delete(gpadl).blocked);
  assertEquals(sharing.map(gpadl).status, STATUS.STATUS_INVALID_HANDLE);
  sharing.unmap(gpadl);
  assertEquals(sharing.map(gpadl).status, STATUS.STATUS_INVALID_HANDLE);
});

Deno.test("mapping-limit=many maps again, and unmap removes the oldest", () => {
  const sharing = new Sharing({ "mapping-limit": "many" });
  const gpadl = sharing.gpadl();
  const [first, second] = [1, 2].map(() => numberOf(sharing.map(gpadl).outs.Mdl));
  const alive = () => [first, second].map((mdl) => sharing.engine.world.resolve("mdl", mdl ?? 0)?.alive ?? false);
  sharing.unmap(gpadl);
  assertEquals([sharing.stateOf(gpadl), ...alive()], ["mapped", false, true]);
  assert(sharing.delete(gpadl).blocked);
  sharing.unmap(gpadl);
  assertEquals([sharing.stateOf(gpadl), ...alive()], ["dead", false, false]);
});

Deno.test("VmbChannelUnmapGpadl of what is not mapped, or not this channel's, is refused", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  const other = sharing.addServer();
  assertEquals(sharing.unmap(gpadl).refused, "gpadl#1 is not mapped");
  sharing.map(gpadl);
  assertEquals(
    sharing.call("server", "VmbChannelUnmapGpadl", { Channel: other, GpadlHandle: gpadl }).refused,
    "gpadl#1 is of channel#2 and its server channel#1, not channel#3",
  );
  assertEquals([sharing.unmap(gpadl).refused, sharing.unmap(gpadl).refused], [null, "gpadl#1 is not mapped"]);
  assertEquals(sharing.unmap(99).refused, "GpadlHandle names no gpadl");
});

Deno.test("VmbChannelDeleteGpadl waits for the unmap, and leaves right behind it", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  assertEquals(sharing.map(gpadl).status, 0);
  const deletion = sharing.delete(gpadl);
  assertEquals([deletion.blocked, sharing.stateOf(gpadl)], [true, "deleting"]);
  assertEquals(sharing.left(), []);
  sharing.unmap(gpadl);
  assertEquals([sharing.left(), sharing.stateOf(gpadl)], [[deletion.event], "dead"]);
});

Deno.test("VmbChannelDeleteGpadl of what is deleting, dead, unknown or another channel's is refused", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  const other = sharing.addClient();
  assertEquals(
    sharing.call("client", "VmbChannelDeleteGpadl", { Channel: other, GpadlHandle: gpadl }).refused,
    "gpadl#1 is of channel#2 and its server channel#1, not channel#3",
  );
  sharing.map(gpadl);
  sharing.delete(gpadl);
  assertEquals(sharing.delete(gpadl).refused, "gpadl#1 is being deleted");
  sharing.unmap(gpadl);
  assertEquals(sharing.delete(gpadl).refused, "GpadlHandle names gpadl#1, which is gone");
  assertEquals(sharing.delete(99).refused, "GpadlHandle names no gpadl");
});

Deno.test("a handle value is given out once, unless handle-reuse says so", () => {
  for (const [option, second] of [["never", 0xe1e11], ["after-delete", 0xe1e10]] as const) {
    const sharing = new Sharing({ "handle-reuse": option });
    const first = sharing.gpadl();
    sharing.map(first);
    sharing.delete(first);
    assertEquals(sharing.gpadl(), 0xe1e11, "not while the delete waits");
    sharing.delete(0xe1e11);
    sharing.unmap(first);
    assertEquals(sharing.gpadl(), option === "never" ? 0xe1e12 : second);
  }
});

Deno.test("a delete inside the client's Closed waits until the server unmaps in its own callback", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  sharing.map(gpadl);
  const done: string[] = [];
  sharing.handler = ({ name, side }) => {
    if (`${side} ${name}` === "client EvtVmbChannelClosed") {
      const { event, blocked } = sharing.delete(gpadl);
      assert(blocked);
      sharing.drain();
      done.push(`left ${sharing.left().includes(event)}`);
    }
    if (`${side} ${name}` === "server EvtVmbChannelClosed") done.push(`unmap ${sharing.unmap(gpadl).refused}`);
  };
  const disable = sharing.call("client", "VmbChannelDisable", { Channel: sharing.client });
  assertEquals([done, disable.blocked, sharing.stateOf(gpadl)], [["unmap null", "left true"], false, "dead"]);
});

Deno.test("unmap and delete are possible after the channel closed; delete-on-closed can refuse the delete", () => {
  for (const [option, refused] of [["allow", null], ["refuse", "channel#2 has closed since gpadl#1 was created"]]) {
    const sharing = new Sharing({ "delete-on-closed": option ?? "" });
    const gpadl = sharing.gpadl();
    sharing.map(gpadl);
    sharing.call("client", "VmbChannelDisable", { Channel: sharing.client });
    assertEquals([sharing.unmap(gpadl).refused, sharing.stateOf(gpadl)], [null, "live"]);
    assertEquals(sharing.delete(gpadl).refused, refused);
  }
});

Deno.test("a map at the server after its channel closed is refused", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  sharing.call("client", "VmbChannelDisable", { Channel: sharing.client });
  assertEquals([sharing.states(), sharing.map(gpadl).status], ["closed/active, disabled/paused", BAD]);
});

Deno.test("a delete that waits when the server rescinds: rescind-delete says whether it goes on waiting", () => {
  for (const [option, left] of [["blocks", 0], ["returns", 1]] as const) {
    const sharing = new Sharing({ "rescind-delete": option });
    const gpadl = sharing.gpadl();
    sharing.map(gpadl);
    sharing.delete(gpadl);
    sharing.call("server", "VmbChannelDisable", { Channel: sharing.server }, false);
    assertEquals(sharing.left().length, left, option);
    assertEquals(sharing.stateOf(gpadl) !== "dead", left === 0);
  }
});

Deno.test("a cleaned up channel leaks its GPADL, which stays as it is", () => {
  const sharing = new Sharing();
  const gpadl = sharing.gpadl();
  sharing.map(gpadl);
  sharing.call("client", "VmbChannelDisable", { Channel: sharing.client });
  sharing.call("client", "VmbChannelCleanup", { Channel: sharing.client });
  assertEquals([sharing.object(gpadl).alive, sharing.stateOf(gpadl)], [true, "mapped"]);
  assertEquals(sharing.delete(gpadl).refused, "Channel names channel#2, which is gone");
  assertEquals(sharing.unmap(gpadl).refused, null);
});

Deno.test("memory freed under a live GPADL stays reachable through its mapping", () => {
  const sharing = new Sharing();
  sharing.call("guest", "WriteBuffer", { Buffer: sharing.buffer, Data: new Uint8Array([7]) });
  const mdl = numberOf(sharing.map(sharing.gpadl()).outs.Mdl);
  assertEquals(sharing.call("guest", "FreeBuffer", { Buffer: sharing.buffer }).refused, null);
  assertEquals(sharing.call("host", "ReadMdl", { Mdl: mdl, ByteCount: 1 }).value, new Uint8Array([7]));
});

type State = "live" | "mapped" | "deleting" | "dead";
type Step = { readonly act: "create" | "map" | "unmap" | "delete"; readonly index: number };

/** The automaton of kmcl.md 5.5, said again in the plainest way: next state, or null where the call is refused. */
function next(state: State | undefined, act: Step["act"]): State | null {
  if (act === "map") return state === "live" ? "mapped" : null;
  if (act === "unmap") return state === "mapped" ? "live" : state === "deleting" ? "dead" : null;
  return state === "live" ? "dead" : state === "mapped" ? "deleting" : null;
}

Deno.test("any sequence of create, map, unmap and delete follows the automaton", () => {
  const step = fc.record({
    act: fc.constantFrom("create", "map", "map", "unmap", "unmap", "delete"),
    index: fc.nat(4),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 40, size: "max" }),
      fc.constantFrom("never", "after-delete"),
      (steps, reuse) => {
        const sharing = new Sharing({ "handle-reuse": reuse });
        const states = new Map<number, State>();
        for (const { act, index } of steps) follow(sharing, states, { act, index });
      },
    ),
    { seed: 4711, numRuns: 150 },
  );
});

/** One step at the engine and at the automaton, compared: admitted or not, waits or not, all states after it. */
function follow(sharing: Sharing, states: Map<number, State>, { act, index }: Step): void {
  if (act === "create") {
    const handle = sharing.gpadl();
    assert(states.get(handle) === undefined || states.get(handle) === "dead", "a live handle was given out again");
    states.set(handle, "live");
    return;
  }
  const handle = [...states.keys()].sort()[index] ?? 12345;
  const state = states.get(handle);
  const expected = next(state, act);
  const answer = sharing[act](handle);
  assertEquals(answer.status > 0 || answer.refused !== null, expected === null, `${act} of a ${state} one`);
  assertEquals(answer.blocked, act === "delete" && expected === "deleting");
  assertEquals(sharing.left().length, act === "unmap" && expected === "dead" ? 1 : 0);
  if (expected !== null) states.set(handle, expected);
  for (const [each, wanted] of states) assertEquals(sharing.stateOf(each), wanted);
}

Deno.test("of many deletes that wait each leaves with its own unmap, also in an engine that was restored in between", () => {
  const sharing = new Sharing();
  const gpadls = Array.from({ length: 40 }, () => sharing.gpadl());
  for (const gpadl of gpadls) sharing.map(gpadl);
  const events = new Map(gpadls.map((gpadl) => [gpadl, sharing.delete(gpadl).event]));
  for (const gpadl of gpadls.toReversed()) {
    const restored = Engine.restore(sharing.engine.snapshot());
    sharing.unmap(gpadl);
    assertEquals([sharing.left(), sharing.stateOf(gpadl)], [[events.get(gpadl)], "dead"]);
    assertEquals(restored.world.parked.length, sharing.engine.world.parked.length + 1);
  }
});
