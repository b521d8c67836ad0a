// Two endpoints together: which ones connect, what runs at each end when they open and close, and when Disable returns.

import fc from "fast-check";
import { STATUS } from "../../src/api/mod.ts";
import { channelState } from "../../src/engine/channel.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { INSTANCE, Pair, TYPE } from "./endpoints.ts";

const OPENING = [
  "server Opened",
  "client Opened",
  "server Started",
  "client Started",
  "server PostStarted",
  "client PostStarted",
];
const CLOSING = ["client Suspend", "server Suspend", "client Closed", "server Closed"];

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
  pair.open();
  assertEquals(pair.channel(2).data.isRescinded, false, "that was the last connection");
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

Deno.test("a Disable that waits is not held up by the channel's next connection", () => {
  const pair = new Pair().open();
  pair.call("server", "VmbChannelEnable", { Channel: pair.addServer() });
  const first = pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  for (let index = 0; index < 3; index += 1) pair.step();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  assertEquals([pair.channel(2).data.peer, pair.states()], [3, "closing/active, opening/active"]);
  const second = pair.call("client", "VmbChannelDisable", { Channel: pair.client }, false);
  assertEquals([pair.step(), pair.left(), second.blocked], ["server Closed", [first.event], true]);
  pair.drain();
  assertEquals(pair.left(), [second.event]);
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

type Act = readonly [
  side: "client" | "server",
  name: "VmbChannelEnable" | "VmbChannelDisable" | "VmbChannelStart" | "VmbChannelPause",
];

/** Names more often than others, so that channels are open most of the time. */
const WEIGHTED = [
  "VmbChannelEnable",
  "VmbChannelEnable",
  "VmbChannelEnable",
  "VmbChannelStart",
  "VmbChannelStart",
  "VmbChannelPause",
  "VmbChannelDisable",
] as const;
const ACTS: readonly Act[] = WEIGHTED.flatMap((name): Act[] => [["client", name], ["server", name]]);
/** What an end's driver sees over a whole life: Opened fails, or opens until Closed with starts that each have their Suspend. */
const WHOLE_LIFE = /^(F|O(SPU)*C)*$/;
const LETTERS = new Map([["Opened", "O"], ["Started", "S"], ["PostStarted", "P"], ["Suspend", "U"], ["Closed", "C"]]);

Deno.test("whatever is called and delivered when, each end's callbacks are in order and every wait ends", () => {
  const step = fc.oneof(fc.constantFrom(...ACTS), fc.nat(1), fc.nat(1));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: "max" }), fc.infiniteStream(fc.nat(5)), (steps, dice) => {
      const pair = new Pair();
      const lives = { client: "", server: "" };
      pair.handler = ({ name, side }) => {
        const letter = LETTERS.get(name.replace("EvtVmbChannel", "")) ?? "?";
        const fails = letter === "O" && dice.next().value === 0;
        lives[side === "client" ? "client" : "server"] += fails ? "F" : letter;
        return fails ? STATUS.STATUS_NO_MEMORY : 0;
      };
      for (const each of steps) {
        if (typeof each === "number") deliverAny(pair, each);
        else pair.call(each[0], each[1], { Channel: pair[each[0]] }, false);
      }
      for (const side of ["client", "server"] as const) {
        pair.drain();
        pair.call(side, "VmbChannelDisable", { Channel: pair[side] });
      }
      assert(WHOLE_LIFE.test(lives.client) && WHOLE_LIFE.test(lives.server), `${lives.client} ${lives.server}`);
      assertEquals(pair.engine.world.parked, []);
      assertEquals(pair.states(), "disabled/paused, disabled/paused");
    }),
    { seed: 4711, numRuns: 400 },
  );
});

function deliverAny(pair: Pair, which: number): void {
  const callback = pair.engine.deliverable()[which];
  if (callback !== undefined) pair.deliver(callback.id);
}
