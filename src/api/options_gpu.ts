// The open questions of the documents on GPU virtual addresses, each a named option with a default: the first value.

import type { OptionDeclaration } from "./grammar.ts";

/** Options of the GPU's world, by name. */
export const GPU_OPTIONS = {
  "physical-adapters": {
    doc: "linked GPUs behind the adapter, 1 to 64",
    values: ["1", "number"],
    from: "gpuva.md 1.2",
    bounds: [1, 64],
  },
  "paging": {
    doc: "paging work completes when CompletePaging says, or at once with fence value 0",
    values: ["explicit", "immediate"],
    from: "gpuva.md 1.5",
  },
  "va-rules": {
    doc: "documented errors that real drivers get away with: refused, or accepted with the finding",
    values: ["strict", "lenient"],
    from: "gpuva.md 3.1",
  },
  "partial-free": { doc: "a free of a part of an obtained range", values: ["allow", "refuse"], from: "gpuva.md 4.4" },
  "map-size-zero": {
    doc: "a map of 0 pages: refused, or the whole allocation",
    values: ["refuse", "allow"],
    from: "gpuva.md 4.7",
  },
  "map-two-ranges": {
    doc: "a map that is neither wholly free nor wholly inside one obtained range",
    values: ["refuse", "allow"],
    from: "gpuva.md 4.2",
  },
  "va-bits": {
    doc: "width of a process's GPU address space in bits, 32 to 48",
    values: ["48", "number"],
    from: "gpuva.md 4.7: no width is documented",
    bounds: [32, 48],
  },
  "placement": {
    doc:
      "where a range without a base is put: the lowest place, the highest, or where the trace that is replayed, or the scenario, has it",
    values: ["first-fit", "top-down", "recorded"],
    from: "gpuva.md 4.1: no document says which address is picked",
  },
  "reserve-no-commit": {
    doc: "a reservation of type NO_COMMIT, which is the system's: refused, or made as NO_ACCESS",
    values: ["refuse", "allow"],
    from: "gpuva.md 3.2: the header and the page differ",
  },
  "driver-reservation-unit": {
    doc:
      "what size, base and alignment of a kernel driver's reservation are multiples of: 2 MB of a leaf table, or a page",
    values: ["leaf-table", "page-entry"],
    from: "gpuva.md 2.1: function and structure page differ",
  },
  "driver-range-free": {
    doc: "whether a process may free a range, or a part of one, that the kernel driver reserved",
    values: ["refuse", "allow"],
    from: "gpuva.md 2.1: not documented",
  },
  "update-empty": {
    doc: "an update of 0 operations",
    values: ["refuse", "allow"],
    from: "gpuva.md 4.7: documented for a guest alone, which refuses",
  },
  "update-operations": {
    doc: "most operations of one update, 1 to 65536",
    values: ["2048", "number"],
    from: "gpuva.md 5.6: the guest's limit, the only one that is known",
    bounds: [1, 65536],
  },
  "update-driver-protection": {
    doc: "the driver protection of pages that an update's MAP maps: that of the address, or 0",
    values: ["inherit", "zero"],
    from: "gpuva.md 3.3: the pages differ",
  },
  "paging-priority": {
    doc:
      "whether a queue's work runs alone when CompletePaging says, or behind that of the device's queues of higher priority",
    values: ["as-told", "highest-first"],
    from: "gpuva.md 1.5: higher served first, no more is documented",
  },
  "residency-budget": {
    doc: "bytes that a process can have resident on an adapter before MakeResident asks it to trim",
    values: ["none", "number"],
    from: "gpuva.md 2.3: the budget is the memory manager's",
  },
  "video-memory": {
    doc: "bytes that all processes can have resident on an adapter; even what cannot be trimmed fails above it",
    values: ["none", "number"],
    from: "gpuva.md 2.3: when CantTrimFurther fails is not documented",
  },
  "never-resident": {
    doc: "an allocation for which nobody ever asked residency: the GPU reaches it, or faults",
    values: ["reachable", "faults"],
    from: "gpuva.md 4.8: what is not resident faults; a trace may not show who made it so",
  },
  "evict-below-zero": {
    doc: "an Evict of what is not made resident as often",
    values: ["refuse", "ignore"],
    from: "gpuva.md 2.3: not documented",
  },
  "offered-content": {
    doc: "content of offered allocations: kept, or dropped at once, so that accesses fault until it is reclaimed",
    values: ["kept", "dropped"],
    from: "gpuva.md 2.3: it may be dropped",
  },
  "standard-allocation": {
    doc: "a standard allocation that is not shared across adapters: made, or refused",
    values: ["any", "cross-adapter"],
    from: "gpuva.md 2.4, 8 no. 8: the Windows page asks for CreateShared and CrossAdapter, the Linux driver does not",
  },
  "lock-limit": {
    doc: "how often an allocation can be locked at a time",
    values: ["none", "number"],
    from: "gpuva.md 2.4: STATUS_GRAPHICS_TOO_MANY_REFERENCES is listed, its number is not",
  },
  "gpu-work": {
    doc: "submitted work runs when CompleteGpuWork says, or as soon as the waits before it are met",
    values: ["explicit", "immediate"],
    from: "gpuva.md 2.5",
  },
  "fence-destroy": {
    doc: "a wait of the GPU for a fence that is destroyed: it never ends, or is over",
    values: ["never-met", "ends-waits"],
    from: "gpuva.md 2.5: not documented",
  },
  "context-destroy": {
    doc: "work that a context has queued when it is destroyed: dropped, or the call waits until it has run",
    values: ["drops", "waits"],
    from: "gpuva.md 2.2: not documented",
  },
  "gpu-access-fault": {
    doc: "a fault of GpuAccess: only its status says so, or the device is in error as after one of submitted work",
    values: ["status-only", "device-error"],
    from: "notation, The machine",
  },
  "read-only-memory": {
    doc: "a write to a page that was mapped without Write: faults, or is done, as the MMU knows no read-only pages",
    values: ["enforced", "ignored"],
    from: "gpuva.md 3.1, 4.8: ReadOnlyMemorySupported is the hardware's",
  },
  "no-execute-memory": {
    doc: "execution of a page that was mapped without Execute: faults, or is done, as the MMU cannot forbid it",
    values: ["enforced", "ignored"],
    from: "gpuva.md 3.1: NoExecuteMemorySupported is the hardware's",
  },
  "engine-reset": {
    doc: "the reset of an engine after a fault; where it fails the whole adapter is reset",
    values: ["succeeds", "fails"],
    from: "gpuva.md 4.8",
  },
  "device-error-status": {
    doc: "what calls on a device in error answer",
    values: ["STATUS_DEVICE_REMOVED", "status"],
    from: "gpuva.md 2.2 to 2.5: the failing status that most of them list",
  },
  "adapters": {
    doc: "adapters that an enumeration finds, 1 to 16; their LUIDs count up from 1",
    values: ["1", "number"],
    from: "gpuva.md 2.2",
    bounds: [1, 16],
  },
} as const satisfies Readonly<Record<string, OptionDeclaration>>;
