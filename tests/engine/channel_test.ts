// A channel's life at both ends: states, callback order, what waits and what is refused.

import { STATUS } from "../../src/api/mod.ts";
import { channelState } from "../../src/engine/channel.ts";
import { assert, assertEquals, assertStringIncludes } from "../support/assert.ts";
import { Model } from "../support/model.ts";
import { INSTANCE, numberOf, Pair, TYPE } from "./endpoints.ts";

const OPENING = [
  "server Opened",
  "client Opened",
  "server Started",
  "client Started",
  "server PostStarted",
  "client PostStarted",
];
const CLOSING = ["client Suspend", "server Suspend", "client Closed", "server Closed"];

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

Deno.test("VmbChannelEnable connects the lowest numbers that fit, one client to an offer", () => {
  const pair = new Pair();
  const [other, elsewhere] = [pair.addServer(TYPE, "{22222222-0000-0000-0000-000000000002}"), pair.addServer(INSTANCE)];
  const [picky, late, lost] = [pair.addClient(TYPE, INSTANCE), pair.addClient(), pair.addClient()];
  for (const client of [lost, late, picky]) pair.call("client", "VmbChannelEnable", { Channel: client });
  for (const server of [elsewhere, other, pair.server]) pair.call("server", "VmbChannelEnable", { Channel: server });
  const peers = [picky, late, lost, elsewhere].map((handle) => {
    const channel = pair.engine.world.resolve("channel", handle);
    assert(channel !== undefined);
    return `#${channel.number} ${channel.state} ${pair.channel(channel.number).data.peer}`;
  });
  assertEquals(peers, ["#5 open 1", "#6 open 3", "#7 enabled 0", "#4 enabled 0"]);
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
  assertEquals(refused("VmbChannelStart"), "channel#2 is disabled, not enabled or opening or open or closed");
  pair.open();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  assertEquals(pair.states(), "closing/active, closing/active");
  assertStringIncludes(refused("VmbChannelStart"), "channel#2 is closing");
  assertStringIncludes(refused("VmbChannelPause"), "channel#2 is closing");
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

Deno.test("VmbChannelDisable of a client suspends and closes both ends, and leaves when both are down", () => {
  const pair = new Pair().open();
  const disable = pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  assertEquals([pair.step(), pair.step(), pair.step()], CLOSING.slice(0, 3));
  assertEquals(pair.states(), "closing/active, disabled/paused");
  assertEquals(pair.left(), []);
  assertEquals([pair.step(), ...pair.left()], ["server Closed", disable.event]);
  assertEquals(pair.states(), "closed/active, disabled/paused");
});

Deno.test("VmbChannelDisable of a server ends both ends disabled", () => {
  const pair = new Pair().open();
  const disable = pair.call("server", "VmbChannelDisable", { Channel: pair.server });
  assertEquals([disable.blocked, disable.outcome], [false, { form: "void" }]);
  assertEquals(pair.seen(), ["server Suspend", "client Suspend", "server Closed", "client Closed"]);
  assertEquals(pair.states(), "disabled/paused, disabled/paused");
  assert(pair.channel(2).data.isRescinded);
});

Deno.test("VmbChannelDisable of a paused end has no Suspend there", () => {
  const pair = new Pair().open();
  pair.call("server", "VmbChannelPause", { Channel: pair.server });
  pair.seen();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals(pair.seen(), ["client Suspend", "server Closed", "client Closed"]);
});

Deno.test("VmbChannelDisable of a channel that never opened, or is disabled, returns without callbacks", () => {
  const pair = new Pair();
  for (const side of ["server", "client", "client"] as const) {
    if (side === "server") pair.call(side, "VmbChannelEnable", { Channel: pair[side] });
    const disable = pair.call(side, "VmbChannelDisable", { Channel: pair[side] }, false);
    assertEquals([disable.blocked, disable.outcome], [false, { form: "void" }]);
  }
  assertEquals([pair.seen(), pair.states()], [[], "disabled/paused, disabled/paused"]);
});

Deno.test("VmbChannelDisable during the server's Opened closes the server, the client has no callback", () => {
  const pair = new Pair();
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  const disable = pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  assertEquals([disable.blocked, pair.states()], [true, "opening/paused, disabled/paused"]);
  assertEquals([pair.step(), pair.states()], ["server Opened", "closing/paused, disabled/paused"]);
  assertEquals([pair.step(), ...pair.left()], ["server Closed", disable.event]);
});

Deno.test("VmbChannelDisable lets a start that began run to PostStarted before Suspend", () => {
  const pair = new Pair().open();
  pair.call("client", "VmbChannelPause", { Channel: pair.client });
  pair.call("client", "VmbChannelStart", { Channel: pair.client }, false);
  pair.seen();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals(pair.seen().filter((line) => line.startsWith("client")), [
    "client Started",
    "client PostStarted",
    "client Suspend",
    "client Closed",
  ]);
});

Deno.test("VmbChannelDisable inside the channel's own callback waits for that callback", () => {
  const pair = new Pair();
  const disables: { event: number; blocked: boolean }[] = [];
  pair.handler = ({ name, side }) => {
    if (name !== "EvtVmbChannelOpened" || side !== "client") return;
    disables.push(pair.call("client", "VmbChannelDisable", { Channel: pair.client }));
    assertEquals(pair.left(), [], "draining all that can run does not end it");
    assertEquals(pair.states(), "closed/active, opening/active");
  };
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(disables.map(({ blocked }) => blocked), [true]);
});

Deno.test("VmbChannelDisable called twice at once: both return when the channel is down", () => {
  const pair = new Pair().open();
  const events = [1, 2].map(() => pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false).event);
  pair.drain();
  assertEquals(pair.left(), events);
  assertEquals(pair.seen(), CLOSING);
});

Deno.test("VmbChannelDisable of a server while its client closes ends it disabled, after both are down", () => {
  const pair = new Pair().open();
  const client = pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  const server = pair.call("server", "VmbChannelDisable", { Channel: pair.server }, false);
  pair.drain();
  assertEquals([pair.left(), pair.states()], [[client.event, server.event], "disabled/paused, disabled/paused"]);
});

Deno.test("a client end that is down can be cleaned up while the server's Closed still runs", () => {
  const pair = new Pair().open();
  pair.call("server", "VmbChannelDisable", { Channel: pair.server }, false);
  pair.step();
  pair.step();
  const [closed] = pair.engine.deliverable();
  assertEquals(closed?.side, "server");
  pair.engine.deliver(closed?.id ?? 0, 900);
  assertEquals(pair.step(), "client Closed");
  assertEquals(pair.call("client", "VmbChannelCleanup", { Channel: pair.client }, false).refused, null);
  assertEquals(pair.left(), []);
  pair.engine.finish(900, { event: 901, outcome: { form: "void" } });
  assertEquals(pair.engine.takeOutputs().map(({ form }) => form), ["leave"]);
});

Deno.test("a server whose client closed is opened again by the client's next Enable, still active", () => {
  const pair = new Pair().open();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals([pair.seen(), pair.states()], [CLOSING, "closed/active, disabled/paused"]);
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals([pair.seen(), pair.states()], [OPENING, "open/active, open/active"]);
});

Deno.test("a client enabled before the server is down connects when it is", () => {
  const pair = new Pair().open();
  const disable = pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  for (let index = 0; index < 3; index += 1) pair.step();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  assertEquals(pair.states(), "closing/active, enabled/active");
  assertEquals([pair.step(), pair.states()], ["server Closed", "opening/active, opening/active"]);
  assertEquals(pair.left(), [disable.event], "the Disable is about the connection that is down");
});

Deno.test("a waiting client takes over the offer when the first one closed", () => {
  const pair = new Pair().open();
  const second = pair.addClient();
  pair.call("client", "VmbChannelEnable", { Channel: second });
  assertEquals(channelState(pair.channel(3)), "enabled/active");
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals([channelState(pair.channel(3)), pair.states()], ["open/active", "open/active, disabled/paused"]);
});

Deno.test("Opened failing at the server rolls back: option opened-failure says where the server is", () => {
  for (
    const [option, states] of [
      ["enabled", "enabled/active, disabled/paused"],
      ["disabled", "disabled/paused, disabled/paused"],
    ] as const
  ) {
    const pair = new Pair({ "opened-failure": option });
    pair.handler = () => STATUS.STATUS_NO_MEMORY;
    pair.open();
    assertEquals(pair.states(), states);
  }
});

Deno.test("Opened failing at the client closes the server, which had opened", () => {
  const pair = new Pair();
  pair.handler = ({ name, side }) => side === "client" && name === "EvtVmbChannelOpened" ? STATUS.STATUS_NO_MEMORY : 0;
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  assertEquals(pair.seen(), [
    "server Opened",
    "client Opened",
    "server Started",
    "server PostStarted",
    "server Suspend",
    "server Closed",
  ]);
  assertEquals(pair.states(), "closed/active, disabled/paused");
});

Deno.test("a callback that is not registered counts as returned", () => {
  const pair = new Pair({ "initial-callbacks": "none" });
  const callbacks = { Version: 1, Size: 48, EvtChannelSuspend: true };
  pair.call("client", "VmbChannelInitSetStateChangeCallbacks", {
    Channel: pair.client,
    StateChangeCallbacks: callbacks,
  });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  pair.call("server", "VmbChannelEnable", { Channel: pair.server }, false);
  assertEquals(pair.states(), "open/paused, open/active");
  assertEquals(pair.call("server", "VmbChannelDisable", { Channel: pair.server }, false).blocked, true);
  assertEquals([pair.step(), pair.left().length], ["client Suspend", 1]);
  assertEquals(pair.call("server", "VmbChannelDisable", { Channel: pair.server }, false).blocked, false);
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
  const dead = pair.engine.world.resolve("channel", pair.client);
  assertEquals([dead?.state, dead?.alive], ["dead", false]);
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

Deno.test("VmbChannelGetMmioSpace gives both ends the server's reservation, only while open", () => {
  const pair = new Pair();
  const space = (side: "client" | "server") => pair.call(side, "VmbChannelGetMmioSpace", { Channel: pair[side] });
  pair.call("server", "VmbServerChannelInitSetMmioMegabytes", { Channel: pair.server, MmioMegabytes: 8 });
  assertEquals(space("client").refused, "channel#2 is disabled, not open or closing");
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
