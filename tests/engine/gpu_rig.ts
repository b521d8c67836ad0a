// A process with an adapter, a device, a paging queue and a context, for tests of GPU behaviours.

import { type CallName, statusName, type Value } from "../../src/api/mod.ts";
import type { GivenArgs } from "../../src/engine/mod.ts";
import { type Answer, Model } from "../support/model.ts";
import { assert, assertEquals } from "../support/assert.ts";

/** The adapter that a rig opens. */
export const LUID = 1n;

/** A process on the GPU; what it makes has handles as numbers. */
export class GpuRig {
  readonly model: Model;
  readonly side: string;
  readonly adapter: number;
  readonly device: number;
  readonly queue: number;
  readonly fence: number;
  readonly context: number;

  constructor(options: Readonly<Record<string, string>> = {}, shared: { model?: Model; side?: string } = {}) {
    this.model = shared.model ?? new Model(options);
    this.side = shared.side ?? "umd";
    this.adapter = handle(this.ok("D3DKMTOpenAdapterFromLuid", { AdapterLuid: LUID }).outs.hAdapter);
    this.device = handle(this.ok("D3DKMTCreateDevice", { hAdapter: this.adapter }).outs.hDevice);
    const { hPagingQueue, hSyncObject } = this.ok("D3DKMTCreatePagingQueue", { hDevice: this.device }).outs;
    this.queue = handle(hPagingQueue);
    this.fence = handle(hSyncObject);
    this.context = handle(this.ok("D3DKMTCreateContextVirtual", { hDevice: this.device }).outs.hContext);
  }

  /** A call of this process. */
  call(name: CallName, args: GivenArgs = {}): Answer {
    const answer = this.model.call(this.side, name, args);
    for (const space of this.model.engine.world.spaces.values()) space.checkInvariants();
    return answer;
  }

  /** A call that must succeed. */
  ok(name: CallName, args: GivenArgs = {}): Answer {
    const answer = this.call(name, args);
    assert(answer.status >= 0 && answer.status < 0x80000000, `${name} answered ${statusName(answer.status)}`);
    return answer;
  }

  /** The name of the status that a call answers. */
  status(name: CallName, args: GivenArgs = {}): string {
    return statusName(this.call(name, args).status);
  }

  /** A new allocation's handle. */
  allocate(pageCount: number, device = this.device): number {
    const { outs } = this.ok("D3DKMTCreateAllocation2", {
      hDevice: device,
      pAllocationInfo2: [{ Size: pageCount * 0x1000 }],
    });
    return allocations(outs.pAllocationInfo2)[0] ?? 0;
  }

  destroy(...list: number[]): string {
    return this.status("D3DKMTDestroyAllocation2", { hDevice: this.device, phAllocationList: list });
  }

  /** Maps through the rig's queue. */
  map(args: GivenArgs): Answer {
    return this.call("D3DKMTMapGpuVirtualAddress", { hPagingQueue: this.queue, ...args });
  }

  mapStatus(args: GivenArgs): string {
    return statusName(this.map(args).status);
  }

  reserve(args: GivenArgs): Answer {
    return this.call("D3DKMTReserveGpuVirtualAddress", { hPagingQueue: this.queue, ...args });
  }

  reserveStatus(args: GivenArgs): string {
    return statusName(this.reserve(args).status);
  }

  free(base: number, size: number, adapter = this.adapter): string {
    return this.status("D3DKMTFreeGpuVirtualAddress", { hAdapter: adapter, BaseAddress: base, Size: size });
  }

  /** Runs a queue up to a fence value, everything where it is left out. */
  complete(fence = 2 ** 40, queue = this.queue): void {
    assertEquals(
      this.model.call("gpu", "CompletePaging", { hPagingQueue: queue, FenceValue: fence }).outcome?.form,
      "void",
    );
    for (const space of this.model.engine.world.spaces.values()) space.checkInvariants();
  }

  /** The status of an access of the GPU. */
  access(
    address: number,
    { bytes = 4096, access = 0, context = this.context }: { bytes?: number; access?: number; context?: number } = {},
  ): string {
    const args = { hContext: context, VirtualAddress: address, ByteCount: bytes, Access: access };
    return statusName(this.model.call("gpu", "GpuAccess", args).status);
  }

  /** The state of the nth obtained range. */
  vadState(number: number): string {
    const vad = vadHistory(this.model).get(number);
    return vad ?? "none";
  }

  /** The states of all live obtained ranges, by number. */
  vads(): string[] {
    return [...this.model.engine.world.all("vad")].map((vad) => `vad#${vad.number} ${vad.state}`);
  }
}

function vadHistory(model: Model): ReadonlyMap<number, string> {
  const { world } = model.engine;
  const numbers = Array.from({ length: world.countOf("vad") }, (_, index) => index + 1);
  return new Map(numbers.map((number) => [number, world.find("vad", number)?.state ?? "freed"]));
}

/** An output that is an object's handle. */
export function handle(value: Value | undefined): number {
  assert(typeof value === "number", `wanted a handle, got ${String(value)}`);
  return value;
}

/** The handles of created allocations. */
export function allocations(infos: Value | undefined): number[] {
  assert(Array.isArray(infos), "wanted an array of D3DDDI_ALLOCATIONINFO2");
  return infos.map((info) => handle(memberOf(info, "hAllocation")));
}

function memberOf(info: Value, name: string): Value | undefined {
  return new Map<string, Value>(Object.entries(info ?? {})).get(name);
}
