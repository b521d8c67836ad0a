// The kinds of objects that handles name: who owns one, what the owner's end does to it, and the states it can be in.
// Engine and audits read the same table, so that they agree on what is a leak.

/** What happens to an object that is still alive when its owner ends. */
export type OwnerEnd =
  /** The documented teardown of the owner takes it along. */
  | "released"
  /** Nobody releases it any more: a leak. */
  | "leaked"
  /** It lives on without its owner. */
  | "kept";

/** What is true of every object of a kind. */
export interface ObjectDeclaration {
  readonly doc: string;
  /** Kinds that can own it, the nearest first; the first one named or made by the creating call is the owner. */
  readonly owners: readonly string[];
  readonly ownerEnd: OwnerEnd;
  /** Which space its handle values are drawn from. */
  readonly handles: HandleSpace;
  /** States for `expect state`; the first is the state at creation. */
  readonly states: readonly string[];
}

/** A space of handle values: kinds of one space never share a live value. */
export type HandleSpace = "pointer" | "gpadl" | "d3dkmt" | "kernel";

/** First value and step of each space. Linux guests count GPADLs up from 0xE1E10 (kmcl.md 5.2). */
export const HANDLE_SPACES = {
  pointer: { first: 0x80001000, step: 0x40 },
  gpadl: { first: 0xe1e10, step: 1 },
  d3dkmt: { first: 0x40000000, step: 0x40 },
  kernel: { first: 0x80000004, step: 4 },
} as const satisfies Readonly<Record<HandleSpace, { readonly first: number; readonly step: number }>>;

/** Every kind of object. Sources: kmcl.md 1.1 and 2.2, gpuva.md 1.1 and 4.5. */
export const OBJECTS = {
  vmbus: { doc: "a VM's VMBus", owners: [], ownerEnd: "kept", handles: "kernel", states: ["live", "dead"] },
  kernelHandle: {
    doc: "a kernel handle made from a user handle",
    owners: [],
    ownerEnd: "leaked",
    handles: "kernel",
    states: ["live", "dead"],
  },
  interface: {
    doc: "a queried interface, referenced until dereferenced",
    owners: [],
    ownerEnd: "leaked",
    handles: "pointer",
    states: ["live", "dead"],
  },
  channel: {
    doc: "one endpoint of a VMBus channel",
    owners: [],
    ownerEnd: "leaked",
    handles: "pointer",
    states: ["disabled", "enabled", "opening", "open", "closing", "closed", "dead"],
  },
  gpadl: {
    doc: "guest memory shown to the server",
    owners: ["channel"],
    ownerEnd: "leaked",
    handles: "gpadl",
    states: ["live", "mapped", "deleting", "dead"],
  },
  mdl: {
    doc: "a memory descriptor list",
    owners: ["gpadl", "completion"],
    ownerEnd: "released",
    handles: "pointer",
    states: ["live", "dead"],
  },
  buffer: {
    doc: "pages of one partition",
    owners: [],
    ownerEnd: "released",
    handles: "pointer",
    states: ["live", "dead"],
  },
  packet: {
    doc: "a packet object of a transaction",
    owners: ["channel"],
    ownerEnd: "leaked",
    handles: "pointer",
    states: ["allocated", "queued", "sent", "completed", "freed"],
  },
  completion: {
    doc: "an incoming packet's context",
    owners: ["channel"],
    ownerEnd: "leaked",
    handles: "pointer",
    states: ["live", "dead"],
  },
  adapter: {
    doc: "an open GPU adapter",
    owners: [],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  process: {
    doc: "the owner of a GPU address space, as a kernel-mode driver knows it",
    owners: [],
    ownerEnd: "released",
    handles: "kernel",
    states: ["creating", "live", "dead"],
  },
  device: {
    doc: "a process's context on an adapter",
    owners: ["adapter"],
    ownerEnd: "kept",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  context: {
    doc: "a stream of GPU work",
    owners: ["device"],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  pagingQueue: {
    doc: "a queue of address space and residency work",
    owners: ["device"],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  resource: {
    doc: "a group of allocations",
    owners: ["device"],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  allocation: {
    doc: "video memory",
    owners: ["resource", "device"],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  syncObject: {
    doc: "a monitored fence",
    owners: ["pagingQueue", "device"],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["live", "dead"],
  },
  vad: {
    doc: "an obtained range of GPU virtual addresses",
    owners: ["allocation"],
    ownerEnd: "released",
    handles: "d3dkmt",
    states: ["reserved", "mapped", "freed"],
  },
} as const satisfies Readonly<Record<string, ObjectDeclaration>>;
