// What is left of GPADLs: mappings and GPADLs that nobody gave back (G-06, G-07), deletes that wait for ever (G-09).
// Conditions: kmcl.md 2.9, 5.4, 5.6. A GPADL whose delete waits is G-09's, not leaked.

import { printObject, type Ref } from "../api/mod.ts";
import type { AuditContext, FindingDraft } from "./detector.ts";
import type { Verdict } from "./finding.ts";
import { endingText, sized } from "./gpadl_drafts.ts";
import { type GpadlRecord, type Gpadls, historyOf, type Mapping } from "./gpadl_states.ts";
import { sysmemLeak } from "./sysmem_rules.ts";
import type { Store, Stores } from "./sysmem_states.ts";
import type { WaitGraph } from "./wait_graph.ts";
import { placeText } from "./wording.ts";
import { sizeText } from "../wire/mod.ts";

/** What is asked about GPADLs that are left. */
export interface LeakFolds {
  readonly gpadls: Gpadls;
  readonly stores: Stores;
  readonly waits: WaitGraph;
}

/** A channel was cleaned up: what it still had will never be given back. */
export function leftBehind(
  channel: Ref,
  { gpadls, stores }: LeakFolds,
  { context, cleanedUpAt }: { readonly context: AuditContext; readonly cleanedUpAt: number },
): void {
  const when = `when ${printObject(channel)} was cleaned up @${cleanedUpAt}`;
  for (const gpadl of gpadls.liveAt(channel.number)) {
    for (const mapping of gpadl.mappings) reportMapping(mapping, { context, text: `was still mapped ${when}` });
    if (gpadl.channel !== channel.number) continue;
    reportGpadl(gpadl, { context, text: `was not deleted ${when}`, store: stores.of(gpadl) });
  }
}

/** A server's Closed callback returned: in it at the latest, what is mapped had to be unmapped (kmcl.md 1.3, 5.5). */
export function mappedAfterClosed(
  server: Ref,
  gpadls: Gpadls,
  { context, closedAt }: { readonly context: AuditContext; readonly closedAt: number },
): void {
  const text = `was still mapped when the Closed callback of ${printObject(server)} returned @${closedAt}`;
  for (const mapping of gpadls.openMappingsAt(server.number)) reportMapping(mapping, { context, text });
}

/** The trace is over. */
export function left({ gpadls, stores, waits }: LeakFolds, context: AuditContext): void {
  const verdict = context.leakVerdict();
  for (const gpadl of gpadls.live()) {
    const isLeaked = reportGpadl(gpadl, { context, text: "was never deleted", verdict, store: stores.of(gpadl) });
    context.pairing.left("gpadl", isLeaked && verdict === "certain");
    const { mapping } = gpadl;
    if (gpadl.deletion !== null && mapping !== null) context.report(deadlock(gpadl, { mapping, waits, context }));
  }
  for (const mapping of gpadls.openMappings()) {
    reportMapping(mapping, { context, text: "was never unmapped", verdict });
    context.pairing.left("gpadl-mapping", verdict === "certain");
  }
}

interface Leak {
  readonly context: AuditContext;
  readonly text: string;
  readonly verdict?: Verdict;
}

function reportMapping(mapping: Mapping, { context, text, verdict }: Leak): void {
  if (mapping.isReported) return;
  mapping.isReported = true;
  const { gpadl, mapped, mdl } = mapping;
  context.report({
    rule: "gpadl-mapping-leak",
    message: `${printObject(gpadl.ref)} (${sizeText(gpadl.byteCount)}), mapped by the ${mapped.side} ${
      placeText(mapped)
    }, ${text}`,
    event: mapped.event,
    object: gpadl.ref,
    evidence: [...historyOf(gpadl).filter(({ role }) => role !== "mapped" && role !== "unmapped"), mapped].sort(
      byEvent,
    ),
    sizeBytes: gpadl.byteCount,
    ...(verdict === undefined ? {} : { verdict }),
    ...(mdl === null ? {} : { born: mdl }),
  });
}

function byEvent(left: { readonly event: number }, right: { readonly event: number }): number {
  return left.event - right.event;
}

/** Whether it is leaked: a delete that waits is none. What an allocation left behind is V-32's. */
function reportGpadl(
  gpadl: GpadlRecord,
  { context, text, verdict, store }: Leak & { readonly store: Store | undefined },
): boolean {
  if (gpadl.isDying) return false;
  if (gpadl.isReported) return true;
  gpadl.isReported = true;
  const draft = store === undefined ? gpadlLeak(gpadl, text) : sysmemLeak(gpadl, { store, text });
  context.report({ ...draft, ...(verdict === undefined ? {} : { verdict }) });
  return true;
}

function gpadlLeak(gpadl: GpadlRecord, text: string): FindingDraft {
  return {
    rule: "gpadl-leak",
    message: `${sized(gpadl)} ${text}`,
    event: gpadl.created.event,
    object: gpadl.ref,
    evidence: historyOf(gpadl),
    sizeBytes: gpadl.byteCount,
  };
}

/** The delete waits and nobody unmaps any more (G-09). */
function deadlock(
  gpadl: GpadlRecord,
  { mapping, waits, context }: {
    readonly mapping: Mapping;
    readonly waits: WaitGraph;
    readonly context: AuditContext;
  },
): FindingDraft {
  const event = gpadl.deletion?.began.event ?? gpadl.created.event;
  const cycle = waits.cycleOf(event);
  const by = `the mapping made by the ${mapping.mapped.side} ${placeText(mapping.mapped)}`;
  return {
    rule: "gpadl-delete-deadlock",
    message: `${endingText(gpadl)} @${event} waits for ${by}, which was never unmapped${
      cycle === null ? "" : `: ${cycle.text}`
    }`,
    event,
    object: gpadl.ref,
    evidence: [
      ...historyOf(gpadl).map((each) => each.role === "mapped" ? { ...each, role: "holder" } : each),
      ...cycle?.evidence ?? [],
    ],
    sizeBytes: gpadl.byteCount,
    verdict: context.leakVerdict(),
  };
}
