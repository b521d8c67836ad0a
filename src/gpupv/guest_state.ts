// What the guest's graphics kernel knows: adapters under handles of its own, everything else under the host's handle values
// (gpuva.md 5.8). It must not know messages nor calls.

import { ERRNO } from "../api/mod.ts";

/** An adapter that a program opened. */
export interface GuestAdapterState {
  /** The guest's handle. */
  readonly handle: number;
  /** What the host calls it. */
  readonly hostHandle: number;
  readonly luid: bigint;
  isActive: boolean;
}

/** A device. */
export interface GuestDevice {
  readonly kind: "device";
  readonly handle: number;
  readonly adapter: GuestAdapterState;
  isStopped: boolean;
}

/** A context, a paging queue, its fence or a resource. */
export interface GuestChild {
  readonly kind: "context" | "pagingQueue" | "syncObject" | "resource";
  readonly handle: number;
  readonly device: GuestDevice;
  /** The fence that belongs to a paging queue; 0 otherwise. */
  readonly syncObject: number;
}

/** An allocation. */
export interface GuestAllocation {
  readonly kind: "allocation";
  readonly handle: number;
  readonly device: GuestDevice;
  /** The resource that it belongs to, 0: none. */
  readonly resource: number;
  readonly pageCount: number;
  /** The pinned pages as an MDL, 0: none. */
  pin: number;
  gpadl: number;
  /** Where the program sees it; null: nowhere yet. */
  cpuAddress: bigint | null;
  /** Whether that is a window into the IO space: only then locks are counted. */
  isWindow: boolean;
  lockCount: number;
}

/** What a handle other than an adapter's names. */
export type GuestObject = GuestDevice | GuestChild | GuestAllocation;

/** A refusal of the guest's own, or what became of a message: a negative errno. */
export type Errno = number;
/** The guest refuses an argument. */
export const EINVAL: Errno = -ERRNO.EINVAL;
/** The adapter is gone. */
export const ENODEV: Errno = -ERRNO.ENODEV;
/** No memory, no pages, no GPADL. */
export const ENOMEM: Errno = -ERRNO.ENOMEM;
/** A reply is shorter than it should be. */
export const EOVERFLOW: Errno = -ERRNO.EOVERFLOW;
/** Declared, never written. */
export const ENOTTY: Errno = -ERRNO.ENOTTY;

/** Handles are instance (bits 0 to 5), index (6 to 29) and unique (30 and 31); unique is 1 before the first reuse. */
const FIRST_ADAPTER = 0x4000_0040;
const HANDLE_STEP = 0x40;

/** The handles of one guest process. */
export class GuestHandles {
  readonly #adapters = new Map<number, GuestAdapterState>();
  readonly #objects = new Map<number, GuestObject>();
  #nextAdapter = FIRST_ADAPTER;

  /** Adds an adapter under a handle of the guest's. */
  addAdapter({ hostHandle, luid }: Pick<GuestAdapterState, "hostHandle" | "luid">): GuestAdapterState {
    const adapter = { handle: this.#nextAdapter, hostHandle, luid, isActive: true };
    this.#nextAdapter += HANDLE_STEP;
    this.#adapters.set(adapter.handle, adapter);
    return adapter;
  }

  adapter(handle: number): GuestAdapterState | undefined {
    return this.#adapters.get(handle);
  }

  /** The first adapter that is open. */
  get anyAdapter(): GuestAdapterState | undefined {
    return this.#adapters.values().next().value;
  }

  /** Those that are open, oldest first. */
  get adapters(): readonly GuestAdapterState[] {
    return [...this.#adapters.values()];
  }

  dropAdapter(handle: number): void {
    this.#adapters.delete(handle);
  }

  add(object: GuestObject): void {
    this.#objects.set(object.handle, object);
  }

  /** Forgets a handle, unless the host gave its value to something else meanwhile. */
  drop(object: GuestObject): void {
    if (this.#objects.get(object.handle) === object) this.#objects.delete(object.handle);
  }

  device(handle: number): GuestDevice | undefined {
    const object = this.#objects.get(handle);
    return object?.kind === "device" ? object : undefined;
  }

  allocation(handle: number): GuestAllocation | undefined {
    const object = this.#objects.get(handle);
    return object?.kind === "allocation" ? object : undefined;
  }

  child(handle: number, kind: GuestChild["kind"]): GuestChild | undefined {
    const object = this.#objects.get(handle);
    return object?.kind === kind && "syncObject" in object ? object : undefined;
  }

  /** What is not an adapter, oldest first. */
  get objects(): readonly GuestObject[] {
    return [...this.#objects.values()];
  }

  /** What a device has, oldest first. */
  childrenOf(device: GuestDevice): readonly (GuestChild | GuestAllocation)[] {
    return [...this.#objects.values()].flatMap((object) =>
      object.kind !== "device" && object.device === device ? [object] : []
    );
  }

  /** The devices of an adapter. */
  devicesOf(adapter: GuestAdapterState): readonly GuestDevice[] {
    return [...this.#objects.values()].flatMap((object) =>
      object.kind === "device" && object.adapter === adapter ? [object] : []
    );
  }
}
