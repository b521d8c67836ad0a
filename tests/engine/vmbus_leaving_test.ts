// The VMBus messages of a guest that gives ids back, and of one that leaves the bus (kmcl.md 5.6).

import { assertEquals } from "../support/assert.ts";
import { numberOf } from "./endpoints.ts";
import { CLOSE, Wire } from "./wire_pair.ts";

Deno.test("of an id that went back nothing is torn down any more: the host let go of what was left", () => {
  const pair = new Wire().open();
  const left = numberOf(pair.gpadl(4096).outs.GpadlHandle);
  pair.disable("server");
  pair.said();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.said(), ["REL_ID_RELEASED 1"]);
  pair.delete(left);
  assertEquals(pair.said(), []);
});

/** The server's Closed is still to come, the client has enabled itself anew. */
function leftByClient(): Wire {
  const pair = new Wire().open();
  pair.disable("server", false);
  const due = () => pair.engine.deliverable().find(({ side }) => side === "client");
  for (let next = due(); next !== undefined; next = due()) pair.deliver(next.id);
  pair.said();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  return pair;
}

Deno.test("a ring's teardown is not answered when the id went back before the server was down", () => {
  const pair = leftByClient();
  assertEquals(pair.said(), ["REL_ID_RELEASED 1"]);
  pair.drain();
  assertEquals([pair.said(), pair.engine.world.wire.links.size], [[], 0]);
});

Deno.test("an unload waits for a server that is not down yet, though its client has gone on: its ring is a GPADL too", () => {
  const pair = leftByClient();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  pair.said();
  const unload = pair.call("machine", "UnloadVmbus", {}, false);
  assertEquals([unload.blocked, pair.said()], [true, []]);
  pair.drain();
  assertEquals(pair.said(), ["UNLOAD", "UNLOAD_RESPONSE"]);
});

Deno.test("an unload closes what is open, and is answered when the last view of the last GPADL is gone", () => {
  const pair = new Wire().open();
  const handle = numberOf(pair.gpadl(4096).outs.GpadlHandle);
  const args = { Channel: pair.server, GpadlHandle: handle };
  pair.call("server", "VmbChannelMapGpadl", args);
  pair.said();
  const unload = pair.call("machine", "UnloadVmbus");
  assertEquals([unload.blocked, pair.states()], [true, "closed/active, disabled/paused"]);
  assertEquals(pair.said(), [...CLOSE, "UNLOAD"]);
  assertEquals(pair.call("machine", "UnloadVmbus").refused, "the guest is leaving the bus already");
  assertEquals(pair.call("server", "VmbChannelMapGpadl", args).status === 0, false);
  pair.left();
  pair.call("server", "VmbChannelUnmapGpadl", args);
  assertEquals([pair.left(), pair.said()], [[unload.event], ["UNLOAD_RESPONSE"]]);
  assertEquals(pair.engine.world.liveCountOf("gpadl"), 0);
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.said().map((text) => text.split(" ", 2).join(" ")), [
    "OFFER_CHANNEL 2",
    "GPADL_HEADER 2",
    "GPADL_CREATED 2",
    "OPEN_CHANNEL 2",
    "OPEN_CHANNEL_RESULT 2",
  ]);
});

Deno.test("what a guest that leaves the bus enables waits until it has left", () => {
  const pair = new Wire().open();
  const handle = numberOf(pair.gpadl(4096).outs.GpadlHandle);
  pair.call("server", "VmbChannelMapGpadl", { Channel: pair.server, GpadlHandle: handle });
  assertEquals(pair.call("machine", "UnloadVmbus").blocked, true);
  pair.said();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  pair.disable("server");
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  assertEquals([pair.states(), pair.said()], ["enabled/paused, enabled/active", []]);
  pair.call("server", "VmbChannelUnmapGpadl", { Channel: pair.server, GpadlHandle: handle });
  const [answer, offer] = pair.said();
  assertEquals([answer, offer?.split(" ")[0]], ["UNLOAD_RESPONSE", "OFFER_CHANNEL"]);
  assertEquals(pair.states(), "open/paused, open/active");
});

Deno.test("an unload of a guest that shows nothing returns at once, without the option too", () => {
  for (const wire of ["on", "off"]) {
    const pair = new Wire({ wire });
    pair.call("client", "VmbChannelEnable", { Channel: pair.client });
    assertEquals(pair.call("machine", "UnloadVmbus").outcome, { form: "void" });
    assertEquals(pair.said(), wire === "on" ? ["UNLOAD", "UNLOAD_RESPONSE"] : []);
    assertEquals(pair.channel(2).state, "disabled");
  }
});
