// What a driver asks of one endpoint: states, what waits and what is refused.

import { STATUS } from "../../src/api/mod.ts";
import { stateMatches } from "../../src/engine/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { Model } from "../support/model.ts";
import { INSTANCE, numberOf, Pair } from "./endpoints.ts";

const OPENING = [
  "server Opened",
  "client Opened",
  "server Started",
  "client Started",
  "server PostStarted",
  "client PostStarted",
];

Deno.test("VmbChannelEnable of a client opens both ends in the notation's order", () => {
  const pair = new Pair();
  assertEquals(pair.states(), "disabled/paused, disabled/paused");
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  assertEquals(pair.states(), "enabled/paused, disabled/paused");
  assertEquals(pair.call("server", "VmbChannelStart", { Channel: pair.server }).outcome, { form: "void" });
  assertEquals(pair.seen(), []);
  assertEquals(pair.call("client", "VmbChannelEnable", { Channel: pair.client }).status, 0);
  assertEquals(pair.seen(), OPENING);
  assertEquals(pair.states(), "open/active, open/active");
});

Deno.test("VmbChannelEnable of a client waits for the offer", () => {
  const pair = new Pair();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.states(), "disabled/paused, enabled/active");
  assertEquals(pair.seen(), []);
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  assertEquals(pair.seen(), ["server Opened", "client Opened", "client Started", "client PostStarted"]);
  assertEquals(pair.states(), "open/paused, open/active");
});

Deno.test("VmbChannelEnable moves both ends through opening, and returns before any callback", () => {
  const pair = new Pair();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  const enabled = pair.call("server", "VmbChannelEnable", { Channel: pair.server }, false);
  assertEquals([enabled.status, enabled.blocked], [0, false]);
  assertEquals(pair.states(), "opening/paused, opening/active");
  assertEquals(pair.step(), "server Opened");
  assertEquals(pair.states(), "open/paused, opening/active");
  assertEquals(pair.step(), "client Opened");
  assertEquals(pair.states(), "open/paused, open/active");
});

Deno.test("VmbChannelEnable of a channel that is not disabled is refused", () => {
  const pair = new Pair().open();
  assertEquals(
    pair.call("client", "VmbChannelEnable", { Channel: pair.client }).status,
    STATUS.STATUS_INVALID_PARAMETER,
  );
  assertEquals(pair.states(), "open/active, open/active");
});

Deno.test("VmbChannelStart of a server runs Started and PostStarted once it is open", () => {
  const pair = new Pair();
  for (const side of ["server", "client"] as const) pair.call(side, "VmbChannelEnable", { Channel: pair[side] });
  pair.seen();
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  assertEquals(pair.seen(), ["server Started", "server PostStarted"]);
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  assertEquals(pair.seen(), [], "a second Start changes nothing");
});

Deno.test("VmbChannelStart and VmbChannelPause are refused outside their window", () => {
  const pair = new Pair();
  const refused = (name: "VmbChannelStart" | "VmbChannelPause") =>
    pair.call("client", name, { Channel: pair.client }, false).refused ?? "";
  assertEquals(
    refused("VmbChannelStart"),
    "channel#2 is disabled, not enabled or opening or open or closing or closed",
  );
  pair.open();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  assertEquals(pair.states(), "closing/active, closing/active");
});

Deno.test("VmbChannelStart and VmbChannelPause are refused inside a callback of the channel, not of another", () => {
  const pair = new Pair();
  const refusals: string[] = [];
  pair.handler = ({ name, side, channel }) => {
    if (name !== "EvtVmbChannelOpened" || side !== "server") return;
    for (const call of ["VmbChannelStart", "VmbChannelPause"] as const) {
      refusals.push(`${channel} ${pair.call("server", call, { Channel: pair.server }, false).refused}`);
      refusals.push(`${channel} ${pair.call("client", call, { Channel: pair.client }, false).refused}`);
    }
  };
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  const inside = "1 called inside EvtVmbChannelOpened of channel#1";
  assertEquals(refusals, [inside, "1 null", inside, "1 null"]);
  assertEquals(pair.states(), "open/paused, open/paused");
});

Deno.test("VmbChannelStart after Disable began is refused though the channel still opens", () => {
  const pair = new Pair();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  pair.call("server", "VmbChannelDisable", { Channel: pair.server }, false);
  assertEquals(
    pair.call("server", "VmbChannelStart", { Channel: pair.server }, false).refused,
    "channel#1 is being disabled",
  );
});

Deno.test("VmbChannelPause returns when Suspend has, and Start runs the channel again", () => {
  const pair = new Pair().open();
  const pause = pair.call("client", "VmbChannelPause", { Channel: pair.client }, false);
  assert(pause.blocked);
  assertEquals(pair.left(), []);
  assertEquals(pair.step(), "client Suspend");
  assertEquals(pair.left(), [pause.event]);
  assertEquals(pair.states(), "open/active, open/paused");
  assertEquals(pair.call("client", "VmbChannelPause", { Channel: pair.client }).blocked, false);
  assertEquals(pair.seen(), [], "a second Pause has nothing to suspend");
  pair.call("client", "VmbChannelStart", { Channel: pair.client });
  assertEquals(pair.seen(), ["client Started", "client PostStarted"]);
});

Deno.test("VmbChannelPause while the channel starts lets the start finish, and a Start behind it comes after", () => {
  const pair = new Pair().open();
  pair.call("client", "VmbChannelPause", { Channel: pair.client });
  pair.seen();
  pair.left();
  pair.call("client", "VmbChannelStart", { Channel: pair.client }, false);
  const pause = pair.call("client", "VmbChannelPause", { Channel: pair.client }, false);
  pair.call("client", "VmbChannelStart", { Channel: pair.client }, false);
  assert(pause.blocked);
  assertEquals([pair.step(), pair.step(), pair.left().length], ["client Started", "client PostStarted", 0]);
  assertEquals([pair.step(), ...pair.left()], ["client Suspend", pause.event]);
  pair.drain();
  assertEquals(pair.seen(), ["client Started", "client PostStarted"]);
});

Deno.test("VmbChannelPause of a disabled client arms the next Enable, and only that one", () => {
  const pair = new Pair();
  assertEquals(pair.call("client", "VmbChannelPause", { Channel: pair.client }).outcome, { form: "void" });
  pair.open();
  assertEquals(pair.states(), "open/active, open/paused");
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.states(), "open/active, open/active");
});

Deno.test("VmbChannelPause of a channel that is not open runs no callback", () => {
  const pair = new Pair();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.call("client", "VmbChannelPause", { Channel: pair.client }).blocked, false);
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  assertEquals(pair.seen(), ["server Opened", "client Opened"]);
});

Deno.test("VmbChannelAllocate at the wrong end fails", () => {
  const model = new Model();
  for (const [side, isServer] of [["server", false], ["client", true]] as const) {
    assertEquals(
      model.call(side, "VmbChannelAllocate", { IsServer: isServer }).status,
      STATUS.STATUS_INVALID_PARAMETER,
    );
  }
  assertEquals(model.engine.world.countOf("channel"), 0);
});

Deno.test("VmbChannelCleanup is refused unless disabled, and ends the channel", () => {
  const pair = new Pair().open();
  const cleanup = () => pair.call("client", "VmbChannelCleanup", { Channel: pair.client }).refused;
  assertEquals(cleanup(), "channel#2 is open, not disabled");
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals(cleanup(), null);
  assertEquals(cleanup(), "Channel names channel#2, which is gone");
  const { world } = pair.engine;
  assertEquals(stateMatches(world, { kind: "channel", number: 2, state: "dead" }), null);
  assertEquals(world.tableOf("channel").refOf(pair.client), { kind: "channel", number: 2, handle: pair.client });
  assertEquals(
    pair.call("client", "VmbChannelEnable", { Channel: pair.client }).status,
    STATUS.STATUS_INVALID_PARAMETER,
  );
});

Deno.test("calls with the other end's channel are refused", () => {
  const pair = new Pair().open();
  assertEquals(
    pair.call("client", "VmbChannelDisable", { Channel: pair.server }).refused,
    "Channel belongs to the server, not to the client",
  );
  assertEquals(pair.states(), "open/active, open/active");
});

Deno.test("VmbChannelGetPointer gives what SetPointer stored, null before", () => {
  const pair = new Pair();
  assertEquals(pair.call("client", "VmbChannelGetPointer", { Channel: pair.client }).value, 0n);
  pair.call("client", "VmbChannelSetPointer", { Channel: pair.client, Pointer: 0xffff_8000_0000_1000n });
  assertEquals(pair.call("client", "VmbChannelGetPointer", { Channel: pair.client }).value, 0xffff_8000_0000_1000n);
  assertEquals(pair.call("server", "VmbChannelGetPointer", { Channel: pair.server }).value, 0n);
});

Deno.test("VmbChannelGetInterfaceInstance gives the server's instance once connected", () => {
  const pair = new Pair();
  const instance = () =>
    pair.call("client", "VmbChannelGetInterfaceInstance", { Channel: pair.client }).outs.InterfaceInstance;
  assertEquals(instance(), "{00000000-0000-0000-0000-000000000000}");
  pair.open();
  assertEquals(instance(), INSTANCE);
});

Deno.test("VmbChannelGetMmioSpace gives both ends the server's reservation, from Opened to Closed", () => {
  const pair = new Pair();
  const space = (side: "client" | "server") => pair.call(side, "VmbChannelGetMmioSpace", { Channel: pair[side] });
  pair.call("server", "VmbServerChannelInitSetMmioMegabytes", { Channel: pair.server, MmioMegabytes: 8 });
  assertEquals(space("client").refused, "channel#2 is disabled, not opening or open or closing");
  pair.open();
  assertEquals(space("client").outs, { MmioAddress: 0x20_0000_0000n, MmioSize: 0x80_0000n });
  assertEquals(space("server").outs, space("client").outs);
});

Deno.test("VmbChannelGetMmioSpace of a server that asked for none is empty", () => {
  const pair = new Pair().open();
  assertEquals(pair.call("client", "VmbChannelGetMmioSpace", { Channel: pair.client }).outs, {
    MmioAddress: 0n,
    MmioSize: 0n,
  });
});

Deno.test("VmbChannelSetInterruptLatency returns the old latency, from Opened to Closed", () => {
  const pair = new Pair();
  const set = (latency: number) =>
    pair.call("client", "VmbChannelSetInterruptLatency", { Channel: pair.client, Latency: latency });
  assertEquals(set(10).status, STATUS.STATUS_INVALID_PARAMETER);
  pair.open();
  assertEquals([set(10).outs.OriginalLatency, set(20).outs.OriginalLatency], [0, 10]);
});

Deno.test("a callback of an endpoint is not delivered while another of it runs", () => {
  const pair = new Pair();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  const [opened] = pair.engine.deliverable();
  pair.engine.deliver(opened?.id ?? 0, 900);
  pair.call("server", "VmbChannelStart", { Channel: pair.server }, false);
  assertEquals(pair.engine.deliverable(), []);
  pair.engine.finish(900, { event: 901, outcome: { form: "status", status: 0 } });
  assertEquals(pair.engine.deliverable().map(({ name, cause }) => `${name} @${cause}`), [
    "EvtVmbChannelOpened @901",
    "EvtVmbChannelStarted @901",
  ]);
});

Deno.test("FailNext makes an Enable fail without effect", () => {
  const pair = new Pair();
  pair.call("machine", "FailNext", { Call: "VmbChannelEnable", Status: STATUS.STATUS_NO_MEMORY });
  assertEquals(pair.call("server", "VmbChannelEnable", { Channel: pair.server }).status, STATUS.STATUS_NO_MEMORY);
  assertEquals(pair.states(), "disabled/paused, disabled/paused");
  assertEquals(numberOf(pair.call("server", "VmbChannelEnable", { Channel: pair.server }).status), 0);
});
