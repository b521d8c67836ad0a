// Interrupt request levels: whose they are, and which callbacks wait for PASSIVE_LEVEL. Refused calls are scenarios.

import { SYMBOLS } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { Packets } from "./packets.ts";

const { PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL } = SYMBOLS.irql;

function level(pair: Packets, Side: string, Irql: number): string | null {
  return pair.call("machine", "SetIrql", { Side, Irql }).refused;
}

Deno.test("each side of a kernel has its own level", () => {
  const pair = new Packets();
  level(pair, "client", DISPATCH_LEVEL);
  level(pair, "server", APC_LEVEL);
  assertEquals([...pair.engine.world.irqls], [["client", 2], ["server", 1]]);
  level(pair, "client", PASSIVE_LEVEL);
  assertEquals([...pair.engine.world.irqls], [["server", 1]]);
  assertEquals(level(pair, "guest-umd", APC_LEVEL), '"guest-umd" has no interrupt request level of its own');
  assertEquals(level(pair, "server", 3), "there is no interrupt request level 3");
});

Deno.test("state changes wait until their side is back at PASSIVE_LEVEL, and are then made by that", () => {
  const pair = new Packets();
  level(pair, "client", DISPATCH_LEVEL);
  pair.open();
  assertEquals([pair.seen(), pair.states()], [[], "open/active, opening/active"]);
  const { event } = pair.call("machine", "SetIrql", { Side: "client", Irql: PASSIVE_LEVEL }, false);
  assertEquals(pair.engine.deliverable().map(({ side, cause }) => [side, cause]), [["client", event]]);
  pair.drain();
  assertEquals([pair.seen(), pair.states()], [
    ["client Opened", "client Started", "client PostStarted"],
    "open/active, open/active",
  ]);
});

Deno.test("packets come at any level unless PASSIVE_LEVEL is required; routines come at any level", () => {
  const pair = new Packets().open();
  level(pair, "client", DISPATCH_LEVEL);
  level(pair, "server", DISPATCH_LEVEL);
  pair.send(pair.packet("client"), [1]);
  assertEquals([pair.firsts(), pair.ended.length, pair.batches], [[1], 1, ["server 1"]]);
  const require = (RequirePassive: boolean) =>
    pair.call("server", "VmbChannelSetIncomingProcessingAtPassive", { Channel: pair.server, RequirePassive });
  require(true);
  pair.send(pair.packet("client"), [2]);
  assertEquals([pair.firsts(), pair.ended.length], [[1], 2]);
  require(false);
  pair.drain();
  assertEquals(pair.firsts(), [1, 2]);
});

Deno.test("a deferred packet waits for PASSIVE_LEVEL, and what came later waits behind it", () => {
  const pair = new Packets().open();
  level(pair, "server", DISPATCH_LEVEL);
  let isFirst = true;
  pair.onArrival = ({ completion }) => {
    if (isFirst) pair.call("server", "VmbChannelPacketDeferToPassive", { PacketCompletionContext: completion }, false);
    isFirst = false;
  };
  pair.send(pair.packet("client"), [1]);
  pair.send(pair.packet("client"), [2]);
  assertEquals(pair.firsts(), [1]);
  level(pair, "server", PASSIVE_LEVEL);
  assertEquals([pair.firsts(), pair.batches], [[1, 1, 2], ["server 2"]]);
});
