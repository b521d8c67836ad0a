// Synchronous requests: what they wait for, and what ends the wait. Refusals in order are scenarios.

import { STATUS } from "../../src/api/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { Packets, WAIT } from "./packets.ts";

function request(
  pair: Packets,
  args: { readonly flags?: number; readonly timeout?: readonly bigint[]; readonly room?: number } = {},
) {
  return pair.call("client", "VmbChannelSendSynchronousRequest", {
    Channel: pair.client,
    Buffer: Uint8Array.of(7),
    BufferSize: 1,
    Flags: args.flags ?? WAIT,
    CompletionBufferSize: args.room ?? 0,
    Timeout: args.timeout ?? [],
  });
}

/** The status of the call that left last. */
function leftStatus(pair: Packets): number {
  const outcome = pair.leaves.at(-1)?.outcome;
  return outcome?.form === "status" ? outcome.status : -1;
}

Deno.test("a request returns when its completion arrives, with as many bytes as there is room for", () => {
  const pair = new Packets().open();
  const call = request(pair, { room: 16 });
  assertEquals([call.blocked, pair.ended], [true, []]);
  pair.complete(pair.last().completion, "server", [1, 2, 3]);
  assertEquals(pair.leaves.at(-1)?.outs, [Uint8Array.of(1, 2, 3, 0, 0, 0, 0, 0), 8]);
  assertEquals(pair.channel(2).data.transport.requests.size, 0);
});

Deno.test("a request before the open waits for it; two of them keep their order", () => {
  const pair = new Packets();
  const [first, second] = [request(pair, { flags: 0 }), request(pair)];
  assertEquals([first.blocked, second.blocked], [true, true]);
  pair.open();
  assertEquals([pair.left(), pair.firsts()], [[first.event], [7, 7]]);
  pair.complete(pair.last().completion);
  assertEquals(pair.left(), [second.event]);
});

Deno.test("a timeout counts in units of 100 ns, and the first moment of it is the end", () => {
  const pair = new Packets().open();
  const advance = (Nanoseconds: number) => pair.call("machine", "AdvanceTime", { Nanoseconds });
  const call = request(pair, { timeout: [-2n] });
  advance(199);
  assertEquals(pair.left(), []);
  advance(1);
  assertEquals([leftStatus(pair), pair.left()], [STATUS.STATUS_CANCELLED, [call.event]]);
  pair.complete(pair.last().completion);
  assertEquals(pair.channel(2).data.transport.awaiting.size, 0);
});

Deno.test("a timed out request that was not sent is not sent later", () => {
  const pair = new Packets();
  request(pair, { timeout: [-1n] });
  pair.call("machine", "AdvanceTime", { Nanoseconds: 100 });
  pair.open();
  assertEquals(pair.arrived, []);
});

Deno.test("a timeout of 0 does not queue: nothing is sent before the open, nor behind what waits", () => {
  const pair = new Packets({ "ring-pages": "1", "maximum-packet-size": "4000", "maximum-external-data": "8" });
  assertEquals(request(pair, { timeout: [0n] }).status, STATUS.STATUS_BUFFER_OVERFLOW);
  pair.open();
  pair.on("server", "VmbChannelPause");
  for (let index = 0; index < 3; index += 1) pair.send(pair.packet("client"), 4000);
  assertEquals(request(pair, { timeout: [0n] }).status, STATUS.STATUS_BUFFER_OVERFLOW);
  pair.on("server", "VmbChannelStart");
  assertEquals(pair.firsts().length, 3);
});

Deno.test("a channel that goes down, by whichever end, ends its requests", () => {
  for (const end of ["client", "server"] as const) {
    const pair = new Packets().open();
    const call = request(pair);
    pair.onArrival = () => {};
    pair.on(end, "VmbChannelDisable");
    assertEquals([leftStatus(pair), pair.left()[0]], [STATUS.STATUS_DEVICE_REMOVED, call.event]);
  }
});

Deno.test("a Disable of a channel that was never opened ends its requests", () => {
  const pair = new Packets();
  pair.call("client", "VmbChannelEnable", { Channel: pair.client });
  const call = request(pair);
  pair.on("client", "VmbChannelDisable");
  assertEquals([leftStatus(pair), pair.left()], [STATUS.STATUS_DEVICE_REMOVED, [call.event]]);
});
