// Every audit rule: its name, which is stable for ever, its code, severity, and where its clause stands.
// A rule says what is wrong; detectors say when. `explain` prints this table.

/** How bad a finding is, worst first. */
export const SEVERITIES = ["error", "hang", "warning", "note"] as const;
/** How bad a finding is. */
export type Severity = (typeof SEVERITIES)[number];

/** One rule. */
export interface Rule {
  readonly code: string;
  readonly severity: Severity;
  /** What is wrong, in one line. */
  readonly doc: string;
  /** The documented clause. */
  readonly source: string;
  /** Not looked for yet. */
  readonly audited?: false;
}

/** Rules by name. Conditions: kmcl.md 2.9, gpuva.md 7, rules.md (X). */
export const RULES = {
  "channel-leak": {
    code: "L-01",
    severity: "error",
    doc: "A channel was allocated and never cleaned up.",
    source: "fn:channel_cleanup",
  },
  "channel-cleanup-not-disabled": {
    code: "L-02",
    severity: "error",
    doc: "A channel was cleaned up before it was disabled.",
    source: "fn:channel_cleanup",
  },
  "channel-use-after-cleanup": {
    code: "L-03",
    severity: "error",
    doc: "A channel was used after its cleanup.",
    source: "fn:channel_cleanup",
  },
  "channel-double-cleanup": {
    code: "L-04",
    severity: "error",
    doc: "A channel was cleaned up twice.",
    source: "fn:channel_cleanup",
  },
  "channel-double-enable": {
    code: "L-05",
    severity: "error",
    doc: "A channel was enabled that was not disabled.",
    source: "fn:channel_enable",
  },
  "channel-init-after-enable": {
    code: "L-06",
    severity: "error",
    doc: "An init setter was called after the channel was enabled.",
    source: "fn:channel_init_set_flags",
  },
  "channel-start-outside-enable": {
    code: "L-06b",
    severity: "error",
    doc: "A channel was started outside Enable and Disable.",
    source: "header, state_model",
  },
  "channel-start-pause-in-callback": {
    code: "L-07",
    severity: "error",
    doc: "Start or Pause inside a state-change callback.",
    source: "header, state_model",
  },
  "channel-disable-in-callback": {
    code: "L-08",
    severity: "hang",
    doc: "Disable inside a callback of the same channel: it waits for that callback.",
    source: "fn:channel_disable (inferred)",
    audited: false,
  },
  "wrong-endpoint": {
    code: "L-09",
    severity: "error",
    doc: "A function of one endpoint was called at the other.",
    source: "ns:server",
  },
  "status-ignored": {
    code: "L-10",
    severity: "warning",
    doc: "A status that must be inspected was ignored.",
    source: "header annotations",
    audited: false,
  },
  "channel-init-missing": {
    code: "L-11",
    severity: "warning",
    doc: "A channel was enabled without its interface or target.",
    source: "kmcl.md 2.1 (inferred)",
    audited: false,
  },
  "channel-not-open": {
    code: "L-12",
    severity: "error",
    doc: "A function of an open channel was called outside Opened and Closed.",
    source: "fn:channel_get_mmio_space",
  },
  "kernel-handle-leak": {
    code: "L-13",
    severity: "error",
    doc: "A kernel handle was never closed.",
    source: "fn:convert_vmbus_handle_to_kernel_handle",
    audited: false,
  },
  "gpadl-map-unknown": {
    code: "G-01",
    severity: "error",
    doc: "A GPADL was mapped that does not exist, or not any more.",
    source: "fn:channel_map_gpadl",
  },
  "gpadl-double-map": {
    code: "G-02",
    severity: "error",
    doc: "A GPADL was mapped while it was mapped.",
    source: "fn:channel_map_gpadl",
  },
  "gpadl-write-map-of-read-only": {
    code: "G-03",
    severity: "error",
    doc: "A read-only GPADL was mapped for writing.",
    source: "fn:channel_map_gpadl",
  },
  "gpadl-unmatched-unmap": {
    code: "G-04",
    severity: "error",
    doc: "A GPADL was unmapped that was never mapped.",
    source: "fn:channel_unmap_gpadl",
  },
  "gpadl-double-unmap": {
    code: "G-05",
    severity: "error",
    doc: "A GPADL was unmapped twice.",
    source: "fn:channel_unmap_gpadl",
  },
  "gpadl-mapping-leak": {
    code: "G-06",
    severity: "error",
    doc: "A mapping of a GPADL was never removed.",
    source: "fn:channel_map_gpadl",
  },
  "gpadl-leak": {
    code: "G-07",
    severity: "error",
    doc: "A GPADL was created and never deleted.",
    source: "fn:channel_create_gpadl_from_buffer",
  },
  "gpadl-unmatched-delete": {
    code: "G-08",
    severity: "error",
    doc: "A GPADL was deleted that does not exist, or is being deleted.",
    source: "fn:channel_delete_gpadl",
  },
  "gpadl-delete-deadlock": {
    code: "G-09",
    severity: "hang",
    doc: "A delete waits for an unmap that never comes.",
    source: "fn:channel_delete_gpadl",
  },
  "gpadl-create-outside-open": {
    code: "G-10",
    severity: "error",
    doc: "A GPADL was created before Opened or after Closed.",
    source: "header, gpadl_theory",
  },
  "gpadl-alive-after-closed": {
    code: "G-11",
    severity: "error",
    doc: "A client's GPADL was alive when its Closed callback returned.",
    source: "evt:channel_closed",
  },
  "gpadl-use-after-unmap": {
    code: "G-12",
    severity: "error",
    doc: "The MDL of a mapping was used after the unmap.",
    source: "fn:channel_unmap_gpadl",
  },
  "gpadl-wrong-channel": {
    code: "G-13",
    severity: "error",
    doc: "A GPADL was used on a channel that it does not belong to.",
    source: "fn:channel_map_gpadl",
  },
  "gpadl-range-outside-mdl": {
    code: "G-14",
    severity: "error",
    doc: "A GPADL was asked for bytes outside its MDL or buffer.",
    source: "fn:channel_create_gpadl_from_mdl",
  },
  "gpadl-empty": { code: "G-15", severity: "warning", doc: "A GPADL of no bytes.", source: "kmcl.md 5.7" },
  "gpadl-write-through-read-only": {
    code: "G-16",
    severity: "warning",
    doc: "The server wrote through a read-only mapping.",
    source: "fn:channel_map_gpadl",
  },
  "gpadl-map-after-delete": {
    code: "G-17",
    severity: "error",
    doc: "A GPADL was mapped after its delete began.",
    source: "fn:channel_delete_gpadl",
  },
  "gpadl-bad-flags": { code: "G-18", severity: "error", doc: "Flag bits that do not exist.", source: "header" },
  "gpadl-buffer-freed-early": {
    code: "G-19",
    severity: "error",
    doc: "A buffer or MDL was freed while a GPADL described it.",
    source: "fn:channel_create_gpadl_from_buffer",
  },
  "gpadl-too-large": {
    code: "G-20",
    severity: "error",
    doc: "A description above 65,535 bytes or 8190 pages.",
    source: "kmcl.md 5.7",
  },
  "gpadl-handle-reused-while-live": {
    code: "G-21",
    severity: "error",
    doc: "A GPADL handle value was given out while it was live.",
    source: "kmcl.md 5.5",
  },
  "packet-leak": later("P-01", "error", "A packet object was never freed."),
  "packet-double-free": later("P-02", "error", "A packet object was freed twice."),
  "packet-free-in-flight": later("P-03", "error", "A packet object was freed while its transaction was in flight."),
  "packet-free-not-allocated": later("P-04", "error", "VmbPacketFree on a packet in the caller's memory."),
  "packet-alive-at-cleanup": later("P-05", "warning", "A channel was cleaned up with live packet objects."),
  "packet-never-completed-hang": later("P-06", "hang", "Pause or Disable waits for a packet that nobody completes."),
  "packet-too-long": later("P-07", "error", "A packet above the maximum packet size."),
  "packet-external-data-too-large": later("P-08", "error", "External data above the maximum."),
  "packet-null-used": later("P-09", "warning", "A null packet was used."),
  "packet-no-completion-routine": later(
    "P-10",
    "error",
    "An initialized packet was sent without a completion routine.",
  ),
  "packet-init-of-allocated": later("P-11", "error", "VmbPacketInitialize on an allocated packet."),
  "packet-use-after-free": later("P-12", "error", "A packet object was used after its free."),
  "packet-routine-changed-in-flight": later("P-13", "warning", "A completion routine was changed in flight."),
  "packet-reused-in-flight": later("P-14", "error", "A packet object was sent again before it completed."),
  "packet-external-data-from-server": later("P-15", "error", "A server sent external data."),
  "packet-bad-flags": later("P-16", "error", "Format flag bits that do not exist."),
  "packet-send-after-suspend": later("P-17", "error", "A send between Suspend and the next Started."),
  "packet-external-without-wait": later("P-18", "error", "External data without WAIT_FOR_COMPLETION."),
  "packet-forced-length-past-page": later("P-19", "error", "FORCE_MDL_LENGTH past the page's end."),
  "sync-request-from-server": later("P-20", "error", "A synchronous request that waits, from the server."),
  "sync-request-size": later("P-21", "error", "A completion buffer size that is no multiple of 8."),
  "sync-request-in-started": later("P-22", "hang", "A synchronous request inside Started."),
  "packet-never-completed": later("P-23", "error", "A delivered packet was never completed."),
  "packet-double-complete": later("P-24", "error", "A delivered packet was completed twice."),
  "packet-mdl-use-after-complete": later("P-25", "error", "External data was used after the completion."),
  "packet-defer-outside-callback": later("P-26", "error", "A defer outside its callback."),
  "packet-defer-and-complete": later("P-27", "warning", "A deferred delivery was completed too."),
  "packet-traffic-after-fail": later("P-28", "warning", "Traffic after PacketFail."),
  "packet-mdl-freed": later("P-29", "error", "The driver freed the external data's MDL."),
  "packet-use-after-pending": later("P-30", "error", "A packet was used after STATUS_PENDING."),
  "packet-no-external-data": later("P-31", "warning", "External data was asked of a packet without any."),
  "quota-zero": later("Q-01", "error", "A transaction quota of 0."),
  "quota-raise-does-not-restart": later("Q-02", "warning", "A raised quota does not restart a blocked queue."),
  "save-nested": later("S-01", "error", "A save was begun inside a save."),
  "save-not-ended": later("S-02", "error", "A save was never ended."),
  "save-continue-without-begin": later("S-03", "error", "A save was continued without a begin."),
  "save-incomplete": later("S-04", "error", "A save was ended before it was complete."),
  "restore-packet-misplaced": later("S-05", "error", "VmbPacketRestore outside its callback."),
  "restore-split-chunk": later("S-06", "error", "A restore was given part of a chunk."),
  "restore-more-misread": later("S-07", "error", "STATUS_MORE_PROCESSING_REQUIRED was taken for an end."),
  "irql-allocate": later("I-01", "error", "VmbChannelAllocate above PASSIVE_LEVEL."),
  "irql-sync-request": later("I-02", "error", "A waiting synchronous request above PASSIVE_LEVEL."),
  "irql-delivery": later("I-03", "error", "A packet was delivered above PASSIVE_LEVEL though that was forbidden."),
  "interface-leak": later("A-01", "error", "A queried interface was never dereferenced."),
  "gpuva-leak": {
    code: "V-01",
    severity: "error",
    doc: "A mapped GPU address range was never released.",
    source: "D3DKMTMapGpuVirtualAddress, remarks",
  },
  "gpuva-reservation-leak": {
    code: "V-02",
    severity: "warning",
    doc: "A reserved GPU address range was never freed.",
    source: "D3DKMTReserveGpuVirtualAddress",
  },
  "gpuva-double-map": {
    code: "V-03",
    severity: "note",
    doc: "A GPU address range was mapped over a mapping (legal).",
    source: "D3DKMTMapGpuVirtualAddress, remarks",
  },
  "gpuva-alias": {
    code: "V-04",
    severity: "note",
    doc: "One allocation page is mapped at two GPU addresses (legal).",
    source: "gpummu-model",
  },
  "gpuva-unmatched-free": {
    code: "V-05",
    severity: "error",
    doc: "GPU addresses were freed that nobody had obtained.",
    source: "D3DKMTFreeGpuVirtualAddress",
  },
  "gpuva-double-free": {
    code: "V-06",
    severity: "error",
    doc: "GPU addresses were freed twice.",
    source: "D3DKMTFreeGpuVirtualAddress",
  },
  "gpuva-free-after-auto-release": {
    code: "V-07",
    severity: "error",
    doc: "GPU addresses were freed after their allocation's end had released them.",
    source: "D3DKMTMapGpuVirtualAddress, remarks",
  },
  "gpuva-stranger-free": {
    code: "V-08",
    severity: "error",
    doc: "A free took a range that had been released and obtained by another owner.",
    source: "D3DKMTMapGpuVirtualAddress, remarks",
  },
  "gpuva-partial-free": {
    code: "V-09",
    severity: "warning",
    doc: "A part of an obtained range was freed.",
    source: "gpuva.md 4.4 (undocumented)",
  },
  "gpuva-spanning-free": {
    code: "V-10",
    severity: "warning",
    doc: "One free spanned several ranges or holes.",
    source: "gpuva.md 4.4 (undocumented)",
  },
  "gpuva-free-in-use": later("V-11", "error", "GPU addresses were freed while work used them."),
  "gpuva-use-before-fence": {
    code: "V-12",
    severity: "error",
    doc: "The GPU used a range before its paging fence, with no wait queued.",
    source: "D3DDDI_MAPGPUVIRTUALADDRESS",
  },
  "gpuva-zero-with-allocation": {
    code: "V-13",
    severity: "error",
    doc: "Zero or NoAccess together with an allocation.",
    source: "D3DDDIGPUVIRTUALADDRESS_PROTECTION_TYPE",
  },
  "gpuva-zero-over-map": {
    code: "V-14",
    severity: "error",
    doc: "Zero or NoAccess over a range that Map obtained.",
    source: "D3DKMTMapGpuVirtualAddress, remarks",
  },
  "gpuva-misaligned": {
    code: "V-15",
    severity: "error",
    doc: "An address or size that is not aligned.",
    source: "gpuva.md 2",
  },
  "gpuva-outside-space": {
    code: "V-16",
    severity: "error",
    doc: "A range outside the process's address space.",
    source: "gpuva.md 4.7",
  },
  "gpuva-dead-constraint": {
    code: "V-17",
    severity: "warning",
    doc: "A minimum or maximum together with a base is ignored.",
    source: "D3DDDI_MAPGPUVIRTUALADDRESS",
  },
  "gpuva-result-outside-constraint": {
    code: "V-18",
    severity: "error",
    doc: "The address given lies outside minimum and maximum.",
    source: "D3DDDI_MAPGPUVIRTUALADDRESS",
  },
  "gpuva-outside-allocation": {
    code: "V-19",
    severity: "error",
    doc: "A map beyond the allocation's end.",
    source: "gpuva.md 4.7",
  },
  "gpuva-driver-protection-conflict": {
    code: "V-20",
    severity: "error",
    doc: "A unique driver protection differs from another mapping's.",
    source: "driver-protection",
  },
  "gpuva-reserved-bits": {
    code: "V-21",
    severity: "error",
    doc: "Reserved bits or fields that are not 0.",
    source: "D3DDDIGPUVIRTUALADDRESS_PROTECTION_TYPE",
  },
  "gpuva-update-invalid": later("V-22", "error", "An update broke a rule."),
  "gpuva-update-fence-never-reached": later("V-23", "warning", "An update waits for a fence value that never comes."),
  "gpuva-update-queue-full": later("V-24", "warning", "More than 128 updates were queued."),
  "paging-queue-use-after-destroy": later(
    "V-25",
    "error",
    "A paging queue's fence was used after the queue was destroyed.",
  ),
  "paging-fence-destroyed": later("V-26", "warning", "A paging queue's fence was destroyed by hand."),
  "residency-imbalance": later("V-27", "warning", "MakeResident and Evict do not match."),
  "residency-access-evicted": later("V-28", "error", "Evicted memory was accessed."),
  "allocation-destroyed-in-use": later("V-29", "error", "An allocation was destroyed while work used it."),
  "lock-imbalance": later("V-30", "warning", "Lock2 and Unlock2 do not match."),
  "device-children-alive": {
    code: "V-31",
    severity: "warning",
    doc: "A device or adapter ended with children alive.",
    source: "D3DKMTDestroyDevice",
  },
  "sysmem-gpadl-leak": later("V-32", "error", "An allocation over guest memory left its GPADL behind."),
  "sysmem-teardown-before-destroy": later(
    "V-33",
    "error",
    "A GPADL was torn down before the host dropped the allocation.",
  ),
  "gpuva-free-then-reserve": later(
    "V-34",
    "warning",
    "A range was freed and reserved again: another thread may take it in between.",
  ),
  "pending-treated-as-failure": later("V-35", "warning", "STATUS_PENDING was taken for a failure."),
  "wsl-reserve-zero": later("V-36", "warning", "A reserve answered success and address 0."),
  "adapter-handle-leak": later("V-37", "note", "An enumerated adapter was never closed."),
  "handle-reused": later("V-38", "note", "A handle value named another object before."),
  "allocation-leak": {
    code: "V-39",
    severity: "error",
    doc: "An allocation was never destroyed, nor its device.",
    source: "D3DKMTDestroyAllocation2",
  },
  "gpu-object-leak": {
    code: "V-40",
    severity: "warning",
    doc: "An adapter, device, context, paging queue, resource or sync object was never closed.",
    source: "gpuva.md 1.1",
  },
  "guest-page-in-two-gpadls": {
    code: "X-01",
    severity: "warning",
    doc: "One guest page is described by two live GPADLs, one of them writable.",
    source: "rules.md X-01",
  },
  "guest-page-behind-gpadl-and-gpuva": {
    code: "X-02",
    severity: "note",
    doc: "One guest page is reachable through a GPADL and through a GPU address.",
    source: "rules.md X-02",
  },
  "guest-page-reused-while-shared": {
    code: "X-03",
    severity: "error",
    doc: "A page was freed and given out again while something still reached it.",
    source: "rules.md X-03",
  },
  "write-outside-range": later("X-04", "error", "The server wrote in a mapped page outside the described bytes."),
  "leak-rate": later("X-05", "note", "An object kind grows by a steady number per cycle."),
} as const satisfies Readonly<Record<string, Rule>>;

function later<C extends string, S extends Severity>(code: C, severity: S, doc: string) {
  return { code, severity, doc, source: "kmcl.md 2.9, gpuva.md 7", audited: false } as const;
}

/** The name of a rule. */
export type RuleName = keyof typeof RULES;
