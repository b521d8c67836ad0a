// The open questions of the documents on KMCL, each a named option with a default: the first value.

import type { OptionDeclaration } from "./grammar.ts";

const FAILING_STATUS = ["STATUS_INVALID_PARAMETER", "status"] as const;

/** Options of KMCL's world, by name. */
export const KMCL_OPTIONS = {
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
