// What must hold between the two sides of the paravirtualised path: the guest's table of handles, what the host keeps for the
// guest, and the engine's objects and pages (gpuva.md 5.6 to 5.8). Each reads all three anew and compares; null: it holds.
// What holds only while nothing is under way is asked only then.

import type { ObjectKind } from "../../src/api/mod.ts";
import type { EngineObject, World } from "../../src/engine/mod.ts";
import type { GuestAllocation, GuestObject, HostProcess, OpenGuestAdapter } from "../../src/gpupv/mod.ts";

/** Both sides at a moment. */
export interface Sight {
  readonly world: World;
  readonly guest: OpenGuestAdapter;
  /** What the host was told to end and did not, by handle: it is forgotten in the guest. */
  readonly lost: ReadonlySet<number>;
  /** Allocations of which the host refused an unlock, by handle: the two counts differ from then on. */
  readonly unlockFailed: ReadonlySet<number>;
  /** GPADLs that a rogue driver has touched, by handle. */
  readonly touched: ReadonlySet<number>;
  readonly isOneThread: boolean;
}

type Invariant = (sight: Sight) => string | null;

const KINDS = ["device", "context", "pagingQueue", "syncObject", "resource", "allocation"] as const;

function hostProcess({ guest: { host, process } }: Sight): HostProcess | undefined {
  return host.processes.get(process.transport.process);
}

/** What the process that stands for the guest's has at the host, by handle. */
function hostObjects<K extends ObjectKind>(sight: Sight, kind: K): Map<number, EngineObject<K>> {
  const side = `umd#${hostProcess(sight)?.number}`;
  return new Map([...sight.world.all(kind)].flatMap((object) => object.side === side ? [[object.handle, object]] : []));
}

/** Every handle that the guest knows names such an object at the host, of the same device. */
function guestsHandlesAreHosts(sight: Sight): string | null {
  const { handles } = sight.guest.process;
  const devices = hostObjects(sight, "device");
  for (const kind of KINDS) {
    const own = hostObjects(sight, kind);
    for (const object of handles.objects) {
      if (object.kind !== kind) continue;
      const found = own.get(object.handle);
      if (found === undefined) return `${named(object)} of the guest is nothing at the host`;
      const device = object.kind === "device" ? null : devices.get(object.device.handle);
      if (device === undefined) return `${named(object)} is of a device that the host does not have`;
      if (device !== null && "device" in found.data && found.data.device !== device.number) {
        return `${
          named(object)
        } is of device#${found.data.device} at the host, of device#${device.number} in the guest`;
      }
    }
  }
  const adapters = hostObjects(sight, "adapter");
  const lost = handles.adapters.find(({ hostHandle }) => !adapters.has(hostHandle));
  return lost === undefined ? null : `adapter ${hex(lost.handle)} of the guest is nothing at the host`;
}

/** And the host has nothing that the guest does not know, but what it was told to end and did not. */
function hostsObjectsAreGuests(sight: Sight): string | null {
  const { handles } = sight.guest.process;
  const known = new Set([
    ...handles.objects.map(({ handle }) => handle),
    ...handles.adapters.map(({ hostHandle }) => hostHandle),
  ]);
  const lostDevices = new Set(
    [...hostObjects(sight, "device").values()].filter(({ handle }) => sight.lost.has(handle)).map(({ number }) =>
      number
    ),
  );
  for (const kind of [...KINDS, "adapter"] as const) {
    for (const [handle, object] of hostObjects(sight, kind)) {
      const { data } = object;
      const isLost = sight.lost.has(handle) || ("device" in data && lostDevices.has(data.device)) ||
        ("pagingQueue" in data && data.pagingQueue !== 0 && isQueueLost(sight, data.pagingQueue));
      if (!known.has(handle) && !isLost) return `${kind}#${object.number} of the host is nothing in the guest`;
    }
  }
  return null;
}

function isQueueLost({ world, lost }: Sight, queue: number): boolean {
  return lost.has(world.find("pagingQueue", queue)?.handle ?? 0);
}

function named({ kind, handle }: GuestObject): string {
  return `${kind} ${hex(handle)}`;
}

function hex(handle: number): string {
  return `0x${handle.toString(16)}`;
}

/** Allocations over the program's memory. */
function overMemory({ guest }: Sight): GuestAllocation[] {
  return guest.process.handles.objects.flatMap((object) =>
    object.kind === "allocation" && object.pin !== 0 ? [object] : []
  );
}

/** GPADLs on the global channel, by handle. */
function gpadlsOf({ world, guest }: Sight): Map<number, EngineObject<"gpadl">> {
  const channel = [...world.all("channel")].find(({ handle }) => handle === guest.channels.global.client);
  return new Map(
    [...world.all("gpadl")].flatMap((gpadl) => gpadl.data.channel === channel?.number ? [[gpadl.handle, gpadl]] : []),
  );
}

/** What the host keeps of guest memory stands for an allocation that it has, and its GPADL is mapped (5.7). */
function hostsMemoryIsMapped(sight: Sight): string | null {
  const gpadls = gpadlsOf(sight);
  const allocations = hostObjects(sight, "allocation");
  const memory = hostProcess(sight)?.memory ?? new Map();
  for (const [handle, { gpadl }] of memory) {
    if (!allocations.has(handle)) return `the host keeps memory for allocation ${hex(handle)}, which is gone`;
    if (gpadl !== 0 && !sight.touched.has(gpadl) && gpadls.get(gpadl)?.state !== "mapped") {
      return `the GPADL of allocation ${hex(handle)} is ${gpadls.get(gpadl)?.state ?? "gone"} and not mapped`;
    }
  }
  const mapped = new Set([...memory.values()].map(({ gpadl }) => gpadl));
  for (const [handle, { number, state }] of gpadls) {
    if (state === "mapped" && !mapped.has(handle) && !sight.touched.has(handle)) {
      return `gpadl#${number} is mapped for no allocation`;
    }
  }
  return null;
}

/** Each allocation over memory has its GPADL or its page numbers at the host, whole; and there are no other GPADLs. */
function memoryIsShared(sight: Sight): string | null {
  const { process } = sight.guest;
  const gpadls = gpadlsOf(sight);
  const wanted = new Set<number>();
  for (const allocation of overMemory(sight)) {
    const memory = hostProcess(sight)?.memory.get(allocation.handle);
    const { handle, gpadl, pageCount } = allocation;
    if (memory === undefined) return `the host does not know of the memory of allocation ${hex(handle)}`;
    const [pages, shared] = process.mapsGuestPages ? [pageCount, 0] : [0, gpadl];
    if (memory.gpadl !== shared || memory.pages !== pages || memory.pageCount !== pageCount) {
      return `allocation ${
        hex(handle)
      }: the host has gpadl ${memory.gpadl} and ${memory.pages} pages of ${memory.pageCount}`;
    }
    if (gpadl !== 0) wanted.add(gpadl);
  }
  for (const [handle, { number, data }] of gpadls) {
    const isLeft = !process.tearsDown || data.isDeleting || sight.touched.has(handle);
    if (!wanted.has(handle) && !isLeft) return `gpadl#${number} is of no allocation`;
  }
  return null;
}

/** Host and guest mean the same pages. */
function pagesAgree(sight: Sight): string | null {
  const allocations = hostObjects(sight, "allocation");
  const gpadls = gpadlsOf(sight);
  for (const { handle, gpadl, pin, pageCount } of overMemory(sight)) {
    const at = allocations.get(handle);
    const mdl = [...sight.world.all("mdl")].find((each) => each.handle === pin);
    const host = at?.data.pages.join();
    const guest = mdl?.data.whole.flatMap(({ pages }) => [...pages]).slice(0, pageCount).join();
    if (host !== guest) return `allocation ${hex(handle)} is over pages ${host}, pinned are ${guest}`;
    const shown = gpadls.get(gpadl)?.data.whole.flatMap(({ pages }) => [...pages]).slice(0, pageCount).join();
    if (gpadl !== 0 && shown !== host && !sight.touched.has(gpadl)) {
      return `allocation ${hex(handle)} is over pages ${host}, shown are ${shown}`;
    }
  }
  return null;
}

/** What is pinned is pinned for an allocation. */
function pinsAreAllocations(sight: Sight): string | null {
  const pins = new Set(overMemory(sight).map(({ pin }) => pin));
  for (const { number, handle, data } of sight.world.all("mdl")) {
    if (data.buffer !== 0 && !pins.delete(handle)) return `mdl#${number} pins pages for no allocation`;
  }
  const [lost] = pins;
  return lost === undefined ? null : `an allocation has pages pinned by mdl ${hex(lost)}, which is gone`;
}

/** A window is locked once at the host, however often in the guest; memory of the program never is (5.8). */
function locksAgree(sight: Sight): string | null {
  if (!sight.isOneThread) return null;
  const allocations = hostObjects(sight, "allocation");
  for (const object of sight.guest.process.handles.objects) {
    if (object.kind !== "allocation" || sight.unlockFailed.has(object.handle)) continue;
    const { isWindow, lockCount, handle } = object;
    const wanted = isWindow ? 1 : 0;
    const found = allocations.get(handle)?.data.lockCount;
    if (isWindow !== lockCount > 0) return `allocation ${hex(handle)} has a window and ${lockCount} locks`;
    if (found !== wanted) return `allocation ${hex(handle)} is locked ${found} times at the host, not ${wanted}`;
  }
  return null;
}

/** What holds at any moment. */
export const PV_INVARIANTS: Readonly<Record<string, Invariant>> = { guestsHandlesAreHosts };

/** What holds while nothing is under way. */
export const PV_QUIET_INVARIANTS: Readonly<Record<string, Invariant>> = {
  hostsObjectsAreGuests,
  hostsMemoryIsMapped,
  memoryIsShared,
  pagesAgree,
  pinsAreAllocations,
  locksAgree,
};

/** Nothing of a process that has exited is left at the host, nor shared or pinned. */
export function whatIsLeft(
  { world, guest, touched }: Pick<Sight, "world" | "guest" | "touched">,
  side: string,
): string | null {
  for (const kind of [...KINDS, "adapter", "vad"] as const) {
    for (const object of world.all(kind)) {
      if (object.side === side) return `${kind}#${object.number} outlives its process ${side}`;
    }
  }
  if (guest.host.processes.has(guest.process.transport.process)) return `the host still knows process ${side}`;
  if (guest.process.handles.objects.length > 0) return "the guest still knows handles of a process that has exited";
  for (const { number, data } of world.all("mdl")) if (data.buffer !== 0) return `mdl#${number} is still pinned`;
  const shared = [...world.all("gpadl")].find(({ handle }) => guest.process.tearsDown && !touched.has(handle));
  if (shared !== undefined) return `gpadl#${shared.number} is still shared`;
  return null;
}
