// GPU calls by hand, as events with outcomes: short names for what tests of the V rules say over and over.
// It must not know rules: what a call answers is what the test says, legal or not.

import type { Ref, Value } from "../../src/api/mod.ts";
import { EventList, ref, status } from "../support/events.ts";

/** Bytes of a page. */
export const PAGE = 4096n;

/** Where and what to map; addresses in bytes. */
export interface MapArgs {
  /** Asked for and answered. */
  readonly base?: bigint;
  /** Answered, where it is not the base. */
  readonly at?: bigint;
  readonly pages?: bigint;
  readonly offset?: bigint;
  readonly allocation?: Ref | null;
  readonly fence?: bigint;
  readonly protection?: bigint;
  readonly driverProtection?: bigint;
  readonly queue?: Ref;
  readonly more?: Readonly<Record<string, Value>>;
  readonly fails?: boolean;
}

/** A process with an adapter, a device, a queue and a context, and events of its calls. */
export class GpuStory {
  readonly list: EventList;
  readonly side: string;
  readonly adapter: Ref;
  readonly device: Ref;
  readonly queue: Ref;
  readonly fence: Ref;
  readonly context: Ref;
  #allocations: number;
  readonly #resources = new Set<number>();

  /** Opens them; `number` is that of each of these objects, and the first allocation's less one. */
  constructor({ list = new EventList(), side = "umd", number = 1, luid = 1n } = {}) {
    this.list = list;
    this.side = side;
    this.#allocations = number * 100;
    [this.adapter, this.device] = [ref("adapter", number), ref("device", number)];
    [this.queue, this.fence] = [ref("pagingQueue", number), ref("syncObject", number)];
    this.context = ref("context", number);
    list.call(side, "D3DKMTOpenAdapterFromLuid", { AdapterLuid: luid }, { outs: { hAdapter: this.adapter } });
    list.call(side, "D3DKMTCreateDevice", { hAdapter: this.adapter }, { outs: { hDevice: this.device } });
    this.newQueue(this.queue, this.fence, 0);
    const created = { outs: { hContext: this.context } };
    list.call(side, "D3DKMTCreateContextVirtual", { hDevice: this.device }, created);
  }

  newQueue(hPagingQueue: Ref, hSyncObject: Ref, gpu: number): number {
    const args = { hDevice: this.device, PhysicalAdapterIndex: gpu };
    return this.list.call(this.side, "D3DKMTCreatePagingQueue", args, { outs: { hPagingQueue, hSyncObject } });
  }

  /** In a resource: the first time makes it, later ones add to it. */
  allocate(pages = 16n, resource: Ref | null = null): Ref {
    const allocation = ref("allocation", ++this.#allocations);
    const pAllocationInfo2 = [{ pSystemMem: null, Size: pages * PAGE, Flags: 0 }];
    const outs = { hResource: resource, pAllocationInfo2: [{ hAllocation: allocation, GpuVirtualAddress: 0n }] };
    const hResource = resource !== null && this.#resources.has(resource.number) ? resource : null;
    if (resource !== null) this.#resources.add(resource.number);
    this.list.call(this.side, "D3DKMTCreateAllocation2", { hDevice: this.device, hResource, pAllocationInfo2 }, {
      outs,
    });
    return allocation;
  }

  map(args: MapArgs): number {
    const { base = 0n, at = base, pages = 1n, offset = 0n, allocation = null, fence = 0n, queue = this.queue } = args;
    const ins = {
      hPagingQueue: queue,
      BaseAddress: base,
      hAllocation: allocation,
      OffsetInPages: offset,
      SizeInPages: pages,
      Protection: args.protection ?? 0n,
      DriverProtection: args.driverProtection ?? 0n,
      ...args.more,
    };
    const answer = args.fails === true
      ? { outcome: status("STATUS_INVALID_PARAMETER") }
      : { outs: { VirtualAddress: at, PagingFenceValue: fence } };
    return this.list.call(this.side, "D3DKMTMapGpuVirtualAddress", ins, answer);
  }

  reserve({ base = 0n, at = base, size = 0x10000n, fence = 0n, more = {} }: {
    readonly base?: bigint;
    readonly at?: bigint;
    readonly size?: bigint;
    readonly fence?: bigint;
    readonly more?: Readonly<Record<string, Value>>;
  }): number {
    const ins = { hPagingQueue: this.queue, BaseAddress: base, Size: size, ...more };
    const outs = { VirtualAddress: at, PagingFenceValue: fence };
    return this.list.call(this.side, "D3DKMTReserveGpuVirtualAddress", ins, { outs });
  }

  free(base: bigint, pages: bigint, fails = false): number {
    const ins = { hAdapter: this.adapter, BaseAddress: base, Size: pages * PAGE };
    const answer = fails ? { outcome: status("STATUS_INVALID_PARAMETER") } : {};
    return this.list.call(this.side, "D3DKMTFreeGpuVirtualAddress", ins, answer);
  }

  destroy(...phAllocationList: readonly Ref[]): number {
    const ins = { hDevice: this.device, phAllocationList };
    return this.list.call(this.side, "D3DKMTDestroyAllocation2", ins);
  }

  access(VirtualAddress: bigint, ByteCount = 4096): number {
    const ins = { hContext: this.context, VirtualAddress, ByteCount, Access: 0 };
    return this.list.call("gpu", "GpuAccess", ins);
  }

  complete(FenceValue: bigint, hPagingQueue: Ref = this.queue): number {
    return this.list.call("gpu", "CompletePaging", { hPagingQueue, FenceValue });
  }

  /** Closes context, queue, device and adapter. */
  close(): void {
    this.list.call(this.side, "D3DKMTDestroyContext", { hContext: this.context });
    this.list.call(this.side, "D3DKMTDestroyPagingQueue", { hPagingQueue: this.queue });
    this.list.call(this.side, "D3DKMTDestroyDevice", { hDevice: this.device });
    this.list.call(this.side, "D3DKMTCloseAdapter", { hAdapter: this.adapter });
  }
}
