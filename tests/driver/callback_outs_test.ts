// What a driver gives back from a callback besides its status: from a program's handler into the event and the model.

import { STATUS } from "../../src/api/mod.ts";
import { on, type Program } from "../../src/driver/mod.ts";
import { assertEquals, assertMatch } from "../support/assert.ts";
import { line, runEvents } from "./run.ts";

const TYPE = "{11111111-0000-0000-0000-000000000001}";

/** A server that saves one queued packet, with what its driver says of it. */
function saver(SavePacketCallback: ReturnType<typeof on> | boolean): Program {
  return async ({ server }) => {
    const { Channel } = await server.VmbChannelAllocate({ IsServer: true });
    await server.VmbServerChannelInitSetTargetInterfaceId({ Channel, InterfaceType: TYPE, InterfaceInstance: TYPE });
    const callbacks = { SavePacketCallback, RestorePacketCallback: true };
    await server.VmbServerChannelInitSetSaveRestorePacketCallbacks({ Channel, ...callbacks });
    const { value: PacketObject } = await server.VmbPacketAllocate({ Channel });
    await server.VmbPacketSend({ PacketObject, Buffer: Uint8Array.of(1), BufferLength: 1 });
    await server.VmbChannelSaveBegin({ Channel });
    await server.VmbChannelSaveContinue({ Channel, SaveBufferSize: 4096 });
  };
}

async function returnsOf(callback: Parameters<typeof saver>[0]) {
  const run = await runEvents(saver(callback));
  const returns = run.events.filter((event) => line(event) === "return server EvtVmbChannelSavePacket");
  return { run, returns: returns.map(({ outcome, outs }) => [outcome, outs]) };
}

const SUCCESS = { form: "status", status: 0 } as const;

Deno.test("a handler's outputs are its return event's, in the declared order", async () => {
  const { returns } = await returnsOf(
    on<"EvtVmbChannelSavePacket">(({ SaveBufSize }) =>
      SaveBufSize < 2
        ? { status: STATUS.STATUS_BUFFER_TOO_SMALL, BytesNeeded: 2 }
        : { status: STATUS.STATUS_SUCCESS, BytesNeeded: 2, SaveBuf: Uint8Array.of(7, 8) }
    ),
  );
  const tooSmall = { form: "status", status: STATUS.STATUS_BUFFER_TOO_SMALL } as const;
  assertEquals(returns, [[tooSmall, [new Uint8Array(0), 2]], [SUCCESS, [Uint8Array.of(7, 8), 2]]]);
});

Deno.test("a handler that gives nothing back, or does not exist, gives 0 and no bytes", async () => {
  const nothing = [[SUCCESS, [new Uint8Array(0), 0]]];
  assertEquals((await returnsOf(on<"EvtVmbChannelSavePacket">(() => {}))).returns, nothing);
  assertEquals((await returnsOf(on<"EvtVmbChannelSavePacket">(() => STATUS.STATUS_SUCCESS))).returns, nothing);
  assertEquals((await returnsOf(true)).returns, nothing);
});

Deno.test("an output that the callback does not have is the program's mistake", async () => {
  const handler = on<"EvtVmbChannelSavePacket">(() => Object.assign({ status: 0 }, { Size: 3 }));
  const { run } = await returnsOf(handler);
  assertEquals(run.hasThrown, true);
  assertMatch(String(run.thrown), /EvtVmbChannelSavePacket: Cannot pass Size: there are SaveBuf, BytesNeeded/);
});
