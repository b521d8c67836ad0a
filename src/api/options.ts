// The open questions of the documents, each a named option with a default: the first value.
// Where documents fix an answer there is no option.

import { ntSuccess, STATUS } from "./symbols.ts";

/** One option of the model. */
export interface OptionDeclaration {
  readonly doc: string;
  /** The first value is the default; "number": any whole number above 0; "status": a failing NTSTATUS by name. */
  readonly values: readonly string[];
  readonly from: string;
  /** Lowest and highest number. */
  readonly bounds?: readonly [low: number, high: number];
}

const FAILING_STATUS = ["STATUS_INVALID_PARAMETER", "status"] as const;

/** Every option, by its name in `!option` lines, `--option` and a trace's header. */
export const OPTIONS = {
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
  "mapping-limit": {
    doc: "mappings of one GPADL at a time: KMCL's one, or OpenVMM's many",
    values: ["one", "many"],
    from: "kmcl.md X17",
  },
  "gpadl-limit": {
    doc: "how many GPADLs the host grants a guest",
    values: ["none", "number"],
    from: "kmcl.md 5.7: a real host refuses at some number",
  },
  "gpadl-limit-status": {
    doc: "what a create answers above gpadl-limit",
    values: ["STATUS_QUOTA_EXCEEDED", "status"],
    from: "importers.md 1: 0xC0000044 seen",
  },
  "handle-reuse": {
    doc: "whether the handle value of a GPADL or a GPU object is given out again once it is gone",
    values: ["never", "after-delete"],
    from: "kmcl.md 9.3; gpuva.md 5.8",
  },
  "post-started": {
    doc:
      "PostStarted after or before the incoming queue is on: packets may arrive while it runs, or when it has returned",
    values: ["after-queue-on", "before-queue-on"],
    from: "kmcl.md X19",
  },
  "opened-failure": {
    doc: "where a server is after its Opened callback failed",
    values: ["enabled", "disabled"],
    from: "kmcl.md 9.2",
  },
  "delete-on-closed": {
    doc: "a delete of a GPADL on a closed channel",
    values: ["allow", "refuse"],
    from: "kmcl.md 9.5",
  },
  "map-after-close": {
    doc: "a map at the server after its channel closed",
    values: ["refuse", "allow"],
    from: "kmcl.md 9.6",
  },
  "gpadl-irql": {
    doc: "the interrupt request level of calls that create, map and unmap GPADLs: PASSIVE_LEVEL, or any",
    values: ["passive", "any"],
    from: "kmcl.md 9.4",
  },
  "map-after-unmap": {
    doc: "another map of a GPADL after its unmap",
    values: ["allow", "refuse"],
    from: "kmcl.md 9.9",
  },
  "pause-unopened": {
    doc: "a Pause of a channel that is enabled and not open: no callback, or Suspend",
    values: ["no-callback", "suspend"],
    from: "kmcl.md 9.11",
  },
  "highest-vtl": {
    doc: "the highest virtual trust level that VmbServerChannelInitSetTargetVtl takes, 1 to 15",
    values: ["15", "number"],
    from: "kmcl.md 9.12, 2.2: the valid range is not public",
    bounds: [1, 15],
  },
  "rescind-delete": {
    doc: "whether a delete waits for an unmap after the server rescinded the channel",
    values: ["blocks", "returns"],
    from: "kmcl.md 9.10",
  },
  "initial-callbacks": {
    doc: "which state-change and packet callbacks a new channel has: a scenario's has every one",
    values: ["every", "none"],
    from: "notation, Values",
  },
  "callbacks": {
    doc: "when callbacks run: all that a call made before the next line, or just where a line stands",
    values: ["drain", "written"],
    from: "maptrail: a dump of an interleaved run needs it",
  },
  "unknown-gpadl-status": {
    doc: "a call with a handle that names no GPADL",
    values: FAILING_STATUS,
    from: "kmcl.md 9.1",
  },
  "double-map-status": { doc: "a second map of a GPADL that is mapped", values: FAILING_STATUS, from: "kmcl.md 9.1" },
  "read-only-map-status": {
    doc: "a write map of a read-only GPADL",
    values: ["STATUS_ACCESS_DENIED", "status"],
    from: "kmcl.md 9.1",
  },
  "bad-flags-status": { doc: "flag bits that do not exist", values: FAILING_STATUS, from: "kmcl.md 9.1" },
  "wrong-endpoint-status": { doc: "a call at the wrong end of a channel", values: FAILING_STATUS, from: "kmcl.md 9.1" },
  "refusal-status": {
    doc: "a call in a wrong state, or with a handle that names nothing",
    values: FAILING_STATUS,
    from: "kmcl.md 9.1",
  },
  "gpadl-range-status": {
    doc: "a GPADL outside its MDL, empty or too large",
    values: FAILING_STATUS,
    from: "kmcl.md 5.2",
  },
  "ring-pages": {
    doc: "data pages of a ring for which a client asks none, 1 to 4000; more where the largest packet needs them",
    values: ["4", "number"],
    from: "kmcl.md 9.12: no default is public",
    bounds: [1, 4000],
  },
  "maximum-packet-size": {
    doc: "bytes of the largest packet where VmbChannelInitSetMaximumPacketSize says none",
    values: ["4096", "number"],
    from: "kmcl.md 9.12: no default is public",
  },
  "maximum-external-data": {
    doc: "most external bytes of an incoming packet where VmbChannelInitSetMaximumExternalData says none",
    values: ["1048576", "number"],
    from: "kmcl.md 9.12: no default is public",
  },
  "maximum-external-chain": {
    doc: "most MDLs of an incoming packet where VmbChannelInitSetMaximumExternalData says none",
    values: ["32", "number"],
    from: "kmcl.md 9.12: no default is public",
  },
  "transaction-quota": {
    doc: "how many incoming packets may be outstanding where VmbChannelSetTransactionQuota says none",
    values: ["none", "number"],
    from: "kmcl.md 9.12: no default is public",
  },
  "queued-on-close": {
    doc: "packets that are not in the ring when their channel closes: kept for the next open, or STATUS_CANCELLED",
    values: ["keep", "cancel"],
    from: "kmcl.md 6.1: packets queue after close",
  },
  "in-flight-on-close": {
    doc: "with what a packet that waits for its completion completes when its channel closes",
    values: ["STATUS_DEVICE_REMOVED", "STATUS_CANCELLED"],
    from: "kmcl.md 2.4: both are listed for a synchronous request",
  },
  "pause-waits-for": {
    doc: "packets that a Pause waits for: delivered ones, or sent ones that wait for their completion too",
    values: ["incoming", "both"],
    from: "kmcl.md 6.1: the pages differ",
  },
  "external-data-pending": {
    doc: "whether a packet's first VmbChannelPacketGetExternalData answers STATUS_PENDING",
    values: ["never", "first"],
    from: "kmcl.md 2.5: when it does is not documented",
  },
  "fail-then-complete": {
    doc: "whether a packet that VmbChannelPacketFail failed must still be completed, or ended with it",
    values: ["due", "ends"],
    from: "kmcl.md 9.7",
  },
  "wire": {
    doc: "whether the VMBus messages under KMCL are events of level wire",
    values: ["off", "on"],
    from: "maptrail: KMCL drivers do not see them",
  },
  "irql-violation": {
    doc: "a call above the interrupt request level that it is documented for",
    values: ["refuse", "allow"],
    from: "kmcl.md 1.4: what happens is not documented",
  },
  "sync-timeout-status": {
    doc: "what a synchronous request answers when its time is over",
    values: ["STATUS_CANCELLED", "STATUS_TIMEOUT"],
    from: "kmcl.md 2.4: of the listed statuses the one that fits",
  },
  "save-state": {
    doc: "what a channel must be for VmbChannelSaveBegin and VmbChannelSaveContinue",
    values: ["paused", "any"],
    from: "kmcl.md 6.2: the required state is not documented",
  },
  "restored-opened": {
    doc:
      "whether a server whose restored channel takes over the saved guest's connection is told with EvtVmbChannelOpened",
    values: ["called", "not-called"],
    from: "kmcl.md 6.2: not documented; nobody opens, but the driver learns it no other way",
  },
  "restored-in-flight": {
    doc:
      "packets of a restored channel whose completion was awaited: sent again at the next open, or failed when it is enabled",
    values: ["resend", "fail"],
    from: "kmcl.md 6.2: what becomes of them is not documented",
  },
  "restore-image-status": {
    doc: "saved bytes that are no whole chunks, damaged, or do not follow what was restored before",
    values: FAILING_STATUS,
    from: "kmcl.md 2.6: no status is listed",
  },
  "packet-size-status": {
    doc: "a packet longer than the maximum or than its buffer, a completion buffer whose size is no multiple of 8",
    values: FAILING_STATUS,
    from: "kmcl.md 2.4: no status is listed",
  },
  "external-data-status": {
    doc:
      "external data outside its MDL, above the maximum, without WAIT_FOR_COMPLETION, or asked of a packet without any",
    values: FAILING_STATUS,
    from: "kmcl.md 2.4: no status is listed",
  },
} as const satisfies Readonly<Record<string, OptionDeclaration>>;

/** The options in force: every name with its value. */
export type ModelOptions = { readonly [K in keyof typeof OPTIONS]: string };

/** The options that nobody changed. */
export function defaultOptions(): ModelOptions {
  const options = Object.fromEntries(
    Object.entries<OptionDeclaration>(OPTIONS).map(([name, { values }]) => [name, values[0] ?? ""]),
  );
  if (!areOptions(options)) throw new TypeError("Cannot make the default options: a name is missing");
  return options;
}

function areOptions(options: Readonly<Record<string, string>>): options is ModelOptions {
  return Object.keys(OPTIONS).every((name) => Object.hasOwn(options, name));
}

/** Sets one option; `RangeError` with the choices where the name or the value is none. */
export function parseOption(options: ModelOptions, name: string, value: string): ModelOptions {
  const option = new Map(Object.entries<OptionDeclaration>(OPTIONS)).get(name);
  if (option === undefined) {
    throw new RangeError(`Cannot set option ${name}: no such option; there are ${Object.keys(OPTIONS).join(", ")}`);
  }
  if (!accepts(option.values, value) || !inBounds(option.bounds, value)) {
    throw new RangeError(`Cannot set option ${name} to "${value}": it takes ${choicesText(option)}`);
  }
  return { ...options, [name]: value };
}

const WHOLE = [1, 999_999_999] as const;

/** The values that an option takes, in words. */
function choicesText({ values, bounds: [least, most] = WHOLE }: OptionDeclaration): string {
  const words = new Map([["number", `a number from ${least} to ${most}`], ["status", "the name of a failing status"]]);
  return values.map((value) => words.get(value) ?? value).join(" or ");
}

function inBounds(bounds: OptionDeclaration["bounds"], value: string): boolean {
  return bounds === undefined || (Number(value) >= bounds[0] && Number(value) <= bounds[1]);
}

function accepts(values: readonly string[], value: string): boolean {
  if (values.includes(value) && value !== "number" && value !== "status") return true;
  if (values.includes("number") && /^[1-9][0-9]{0,8}$/.test(value)) return true;
  return values.includes("status") &&
    Object.entries(STATUS).some(([name, number]) => name === value && !ntSuccess(number));
}
