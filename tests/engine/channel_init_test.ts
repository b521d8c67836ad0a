// The Init setters: what each accepts, the status of each bad value, and that the state is checked before the value.

import { type CallName, STATUS, statusName } from "../../src/api/mod.ts";
import type { GivenArgs } from "../../src/engine/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { Model } from "../support/model.ts";
import { INSTANCE, Pair, TYPE } from "./endpoints.ts";

const OK = "STATUS_SUCCESS";
const FIRST = "STATUS_INVALID_PARAMETER_1";
const SECOND = "STATUS_INVALID_PARAMETER_2";
const THIRD = "STATUS_INVALID_PARAMETER_3";

/** Setter, arguments, what it answers on a disabled channel. */
type Row = readonly [name: CallName, args: GivenArgs, status: string];

const BOTH: readonly Row[] = [
  ["VmbChannelInitSetMaximumPacketSize", { PacketSize: 1 }, OK],
  ["VmbChannelInitSetMaximumPacketSize", { PacketSize: 0 }, SECOND],
  ["VmbChannelInitSetMaximumExternalData", { DataSize: 1, ChainLength: 1 }, OK],
  ["VmbChannelInitSetMaximumExternalData", { DataSize: 0, ChainLength: 0 }, SECOND],
  ["VmbChannelInitSetMaximumExternalData", { DataSize: 1, ChainLength: 0 }, THIRD],
  ["VmbChannelInitSetClientContextSize", { ContextSize: 0 }, OK],
  ["VmbChannelInitSetProcessPacketCallbacks", { ProcessPacketCallback: true }, OK],
  ["VmbChannelInitSetProcessPacketCallbacks", { ProcessingCompleteCallback: true }, SECOND],
  ["VmbChannelInitSetStateChangeCallbacks", { StateChangeCallbacks: { Version: 1, Size: 48 } }, OK],
  ["VmbChannelInitSetStateChangeCallbacks", { StateChangeCallbacks: { Version: 2, Size: 48 } }, SECOND],
  ["VmbChannelInitSetStateChangeCallbacks", { StateChangeCallbacks: { Version: 1, Size: 40 } }, SECOND],
  ["VmbChannelInitSetStateChangeCallbacks", {}, SECOND],
  ["VmbChannelInitSetFriendlyName", { Name: "net0" }, OK],
  ["VmbChannelInitSetFlags", { Flags: 0x1 }, OK],
  ["VmbChannelInitSetFlags", { Flags: 0x2 }, SECOND],
  ["VmbChannelInitSetFlags", { Flags: 0x8000_0001 }, SECOND],
];

const CLIENT: readonly Row[] = [
  ["VmbClientChannelInitSetRingBufferPageCount", { IncomingPageCount: 16, OutgoingPageCount: 16 }, OK],
  ["VmbClientChannelInitSetTargetPnp", { InterfaceType: TYPE }, OK],
  ["VmbClientChannelInitSetTargetPnp", { InterfaceInstance: INSTANCE }, SECOND],
];

const SERVER: readonly Row[] = [
  ["VmbServerChannelInitSetFlags", { Flags: 0x1f }, OK],
  ["VmbServerChannelInitSetFlags", { Flags: 0x20 }, SECOND],
  ["VmbServerChannelInitSetMmioMegabytes", { MmioMegabytes: 1 }, OK],
  ["VmbServerChannelInitSetMmioMegabytes", { MmioMegabytesOptional: 1 }, OK],
  ["VmbServerChannelInitSetMmioMegabytes", {}, "STATUS_INVALID_PARAMETER"],
  ["VmbServerChannelInitSetSaveRestorePacketCallbacks", { SavePacketCallback: true, RestorePacketCallback: true }, OK],
  ["VmbServerChannelInitSetSaveRestorePacketCallbacks", { RestorePacketCallback: true }, SECOND],
  ["VmbServerChannelInitSetSaveRestorePacketCallbacks", { SavePacketCallback: true }, THIRD],
  ["VmbServerChannelInitSetTargetInterfaceId", { InterfaceType: TYPE, InterfaceInstance: INSTANCE }, OK],
  ["VmbServerChannelInitSetTargetInterfaceId", { InterfaceInstance: INSTANCE }, SECOND],
  ["VmbServerChannelInitSetTargetVtl", { TargetVtl: 2 }, OK],
  ["VmbServerChannelInitSetTargetVtl", { TargetVtl: 16 }, SECOND],
  ["VmbServerChannelInitSetVmbusHandle", { VmbusHandle: null }, OK],
];

const ROWS = [
  ...BOTH.flatMap((row) => [["client", row], ["server", row]] as const),
  ...CLIENT.map((row) => ["client", row] as const),
  ...SERVER.map((row) => ["server", row] as const),
];

Deno.test("an Init setter answers each value with its status", () => {
  const pair = new Pair();
  const answered = ROWS.map(([side, [name, args]]) =>
    `${side} ${name} ${statusName(pair.call(side, name, { ...args, Channel: pair[side] }).status)}`
  );
  assertEquals(answered, ROWS.map(([side, [name, , status]]) => `${side} ${name} ${status}`));
});

Deno.test("an Init setter on an enabled channel, a dead one or none fails with _1, whatever the value", () => {
  const pair = new Pair();
  const gone = { client: pair.addClient(), server: pair.addServer() };
  for (const side of ["client", "server"] as const) {
    pair.call(side, "VmbChannelCleanup", { Channel: gone[side] });
    pair.call(side, "VmbChannelEnable", { Channel: pair[side] });
  }
  for (const [side, [name, args]] of ROWS) {
    const statuses = [pair[side], gone[side], 0, 12345].map((channel) =>
      statusName(pair.call(side, name, { ...args, Channel: channel }).status)
    );
    assertEquals(statuses, [FIRST, FIRST, FIRST, FIRST], name);
  }
});

Deno.test("an Init setter of one endpoint fails at the other", () => {
  const pair = new Pair({ "wrong-endpoint-status": "STATUS_ACCESS_DENIED" });
  for (const [side, rows] of [["server", CLIENT], ["client", SERVER]] as const) {
    for (const [name, args] of rows) {
      assertEquals(
        pair.call(side, name, { ...args, Channel: pair[side] }).status,
        STATUS.STATUS_ACCESS_DENIED,
        name,
      );
    }
  }
});

Deno.test("an Init setter that fails changes nothing", () => {
  const pair = new Pair();
  const before = pair.engine.snapshot();
  for (const [side, [name, args, status]] of ROWS) {
    if (status !== OK) pair.call(side, name, { ...args, Channel: pair[side] });
  }
  assertEquals(pair.engine.snapshot(), before);
});

Deno.test("VMB_CHANNEL_STATE_CHANGE_CALLBACKS_INIT prepares what the setter accepts", () => {
  const model = new Model();
  const { outs } = model.call("client", "VMB_CHANNEL_STATE_CHANGE_CALLBACKS_INIT");
  assertEquals(outs.Callbacks, {
    Version: 1,
    Size: 48,
    EvtChannelOpened: false,
    EvtChannelClosed: false,
    EvtChannelSuspend: false,
    EvtChannelStarted: false,
    EvtChannelPostStarted: false,
  });
});

Deno.test("VmbChannelInitSetStateChangeCallbacks replaces the callbacks, and only those", () => {
  const pair = new Pair();
  pair.call("client", "VmbChannelInitSetProcessPacketCallbacks", { Channel: pair.client, ProcessPacketCallback: true });
  pair.call("client", "VmbChannelInitSetStateChangeCallbacks", {
    Channel: pair.client,
    StateChangeCallbacks: { Version: 1, Size: 48, EvtChannelClosed: true, EvtChannelPostStarted: true },
  });
  assertEquals([...pair.channel(2).data.callbacks].sort(), [
    "EvtVmbChannelClosed",
    "EvtVmbChannelPostStarted",
    "EvtVmbChannelProcessPacket",
  ]);
  pair.open();
  pair.call("client", "VmbChannelDisable", { Channel: pair.client });
  assertEquals(pair.seen(), ["client Closed", "server Suspend", "server Closed"]);
});

Deno.test("initial-callbacks=none leaves a new channel without callbacks", () => {
  const pair = new Pair({ "initial-callbacks": "none" });
  pair.call("server", "VmbChannelEnable", { Channel: pair.server });
  pair.call("server", "VmbChannelStart", { Channel: pair.server });
  pair.call("client", "VmbChannelEnable", { Channel: pair.client }, false);
  assertEquals([pair.seen(), pair.states()], [[], "open/active, open/active"]);
});

Deno.test("a server takes a kernel handle of its VM", () => {
  const pair = new Pair();
  const handle = pair.call("server", "VmbConvertVmbusHandleToKernelHandle", { VmbusHandle: 8 }).outs.KernelHandle;
  assertEquals(
    statusName(
      pair.call("server", "VmbServerChannelInitSetVmbusHandle", { Channel: pair.server, VmbusHandle: handle }).status,
    ),
    OK,
  );
});
