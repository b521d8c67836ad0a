// Acts below the library: ioctls whose number, size, structure or pointers are wrong, and calls that are planned to fail.

import { DXG_IOCTLS, ioctlCommand, STATUS } from "../../src/api/mod.ts";
import type { Doing, Hand } from "./gpu_pv_hand.ts";

/** Where a program's memory begins for an ioctl: what an argument's pointers are relative to. */
const ARGUMENT_BASE = 0x7f00_0000_0000n;
const WORD = 4;
/** Calls under the path that can fail, each of which a side has to live with. */
const MAY_FAIL = [
  "CreateMdl",
  "VmbChannelCreateGpadlFromBuffer",
  "VmbChannelMapGpadl",
  "VmbPacketSend",
  "D3DKMTCreateAllocation2",
  "D3DKMTCreateDevice",
  "D3DKMTDestroyDevice",
  "D3DKMTCreatePagingQueue",
  "D3DKMTDestroyPagingQueue",
  "D3DKMTDestroyContext",
  "D3DKMTMapGpuVirtualAddress",
  "D3DKMTReserveGpuVirtualAddress",
  "D3DKMTLock2",
  "D3DKMTUnlock2",
  "D3DKMTCloseAdapter",
];
/** A message 5 that fails leaves the host's mapping, and the guest waits for its unmap for ever, as documented (gpuva.md 5.7). */
const MAY_FAIL_WITHOUT_GPADLS = [...MAY_FAIL, "VmbChannelSendSynchronousRequest", "D3DKMTDestroyAllocation2"];
const STATUSES = [
  STATUS.STATUS_NO_MEMORY,
  STATUS.STATUS_INVALID_HANDLE,
  STATUS.STATUS_DEVICE_REMOVED,
  STATUS.STATUS_ACCESS_DENIED,
];

async function failNext(hand: Hand): Promise<void> {
  const { random, thread, table } = hand;
  const calls = table.guest.process.mapsGuestPages ? MAY_FAIL_WITHOUT_GPADLS : MAY_FAIL;
  await thread.machine.FailNext({ Call: random.pick(calls), Status: random.pick(STATUSES), Skip: random.below(3) });
}

/** Mostly zeros; handles and small numbers at places of words, and pointers into the argument or past it. */
async function rawIoctl(hand: Hand): Promise<void> {
  const { random, thread, desk, act } = hand;
  const ioctl = random.pick(DXG_IOCTLS);
  const bytes = random.below(4) === 0 ? ioctl.bytes + random.pick([-4, 4, 64]) : ioctl.bytes;
  const length = random.below(4) === 0 ? random.below(ioctl.bytes) : ioctl.bytes + random.pick([0, 0, 64, 512]);
  const Argument = new Uint8Array(length);
  const view = new DataView(Argument.buffer);
  for (let at = 0; at + 2 * WORD <= length; at += WORD) {
    const way = random.below(8);
    if (way === 0) view.setUint32(at, desk.any(act)?.handle ?? 0, true);
    if (way === 1) view.setUint32(at, random.pick([1, 2, 3, 5, 0x1000]), true);
    if (way === 2 && at % 8 === 0) view.setBigUint64(at, ARGUMENT_BASE + BigInt(random.below(2 * length + 1)), true);
  }
  await thread.guestUmd.DxgIoctl({ Command: ioctlCommand({ nr: ioctl.nr, bytes }), Argument });
}

/** Acts by form. */
export const RAW_ACTS: Readonly<Record<string, Doing>> = { failNext, rawIoctl };
