// Every audit rule: its name, which is stable for ever, its code, severity, and where its clause stands.
// A rule says what is wrong; detectors say when. `explain` prints this table.

import { GPU_RULES } from "./gpu_rule_names.ts";
import { PACKET_RULES } from "./packet_rule_names.ts";
import type { Rule } from "./rule.ts";
import { SHARED_PAGE_RULES } from "./shared_page_rule_names.ts";

export { type Rule, SEVERITIES, type Severity } from "./rule.ts";

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
  },
  "channel-init-missing": {
    code: "L-11",
    severity: "warning",
    doc: "A channel was enabled without its interface or target.",
    source: "kmcl.md 2.1 (inferred)",
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
  },
  "mmio-optional-only": {
    code: "L-14",
    severity: "warning",
    doc: "MMIO space was asked for with optional megabytes alone; the header wants the first number above 0.",
    source: "fn:server_channel_init_set_mmio_megabytes; kmcl.md 0.1 X10",
  },
  "pause-while-disabled": {
    code: "L-15",
    severity: "note",
    doc: "A disabled channel was paused: its next Enable leaves it paused, which not every document allows.",
    source: "fn:channel_pause; kmcl.md 0.1 X3",
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
    doc: "A mapping of a GPADL was still there when its channel had closed, or to the end.",
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
    unreachable: "it is the library that gives out handles: the model never does so",
  },
  ...PACKET_RULES,
  ...GPU_RULES,
  ...SHARED_PAGE_RULES,
} as const satisfies Readonly<Record<string, Rule>>;

/** The name of a rule. */
export type RuleName = keyof typeof RULES;
