// Filters over events: by range, call, side and object.

import { eventFilter, type EventQuery } from "../../src/trace/filter.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";
import { EventList, ref, returned } from "../support/events.ts";

/** 1 create, 2 its memory, 3 enter of a delete, 4 a callback, 5 its return, 6 leave, 7 memory of the leave, 8–10 others. */
function story(): EventList {
  const list = new EventList();
  const create = list.call("client", "VmbChannelCreateGpadlFromBuffer", { Channel: ref("channel", 1) }, {
    outs: { GpadlHandle: ref("gpadl", 1) },
  });
  list.memory({}, create);
  const remove = list.enter("client", "VmbChannelDeleteGpadl", {
    Channel: ref("channel", 1),
    GpadlHandle: ref("gpadl", 1),
  });
  const opened = list.callback("server", "EvtVmbChannelOpened", { Channel: ref("channel", 2) }, { cause: remove });
  list.return(opened);
  const left = list.leave(remove);
  list.memory({}, left);
  list.call("guest", "AllocateBuffer", {}, { outcome: returned(ref("buffer", 1)) });
  list.call("umd", "D3DKMTEvict", { AllocationList: [ref("allocation", 1)] });
  list.call("umd#2", "D3DKMTUpdateGpuVirtualAddress", { Operations: [{ hAllocation: ref("allocation", 2) }] });
  return list;
}

function picked(query: EventQuery): number[] {
  return story().events.filter(eventFilter(query)).map(({ event }) => event);
}

Deno.test("eventFilter() admits everything when nothing is asked", () => {
  assertEquals(picked({}).length, 10);
});

Deno.test("eventFilter() by range includes both ends", () => {
  assertEquals(picked({ range: { from: 3, to: 5 } }), [3, 4, 5]);
  assertEquals(picked({ range: { from: 9 } }), [9, 10]);
  assertEquals(picked({ range: { to: 1 } }), [1]);
  assertThrows(() => eventFilter({ range: { from: 5, to: 4 } }), RangeError, "@5-@4");
});

Deno.test("eventFilter() by call matches names of calls, leaves and callbacks", () => {
  assertEquals(picked({ call: "*Gpadl*" }), [1, 3, 6]);
  assertEquals(picked({ call: "Evt*" }), [4, 5]);
  assertEquals(picked({ call: "vmb*" }), []);
});

Deno.test("eventFilter() by side takes every process of a side, or one", () => {
  assertEquals(picked({ side: "umd" }), [9, 10]);
  assertEquals(picked({ side: "umd#1" }), [9]);
  assertEquals(picked({ side: "umd#2" }), [10]);
  assertEquals(picked({ side: "server" }), [4, 5]);
});

Deno.test("eventFilter() by object admits what mentions it and what that caused", () => {
  assertEquals(picked({ object: { kind: "gpadl", number: 1 } }), [1, 2, 3, 6, 7]);
  assertEquals(picked({ object: { kind: "channel", number: 2 } }), [4, 5]);
  assertEquals(picked({ object: { kind: "buffer", number: 1 } }), [8]);
  assertEquals(picked({ object: { kind: "allocation", number: 1 } }), [9]);
  assertEquals(picked({ object: { kind: "allocation", number: 2 } }), [10]);
});

Deno.test("eventFilter() joins its parts: what a refused event caused still follows its object", () => {
  assertEquals(picked({ object: { kind: "gpadl", number: 1 }, range: { from: 4 } }), [6, 7]);
  assertEquals(picked({ object: { kind: "gpadl", number: 1 }, call: "*Delete*" }), [3, 6]);
});
