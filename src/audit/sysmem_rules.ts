// Rules of GPADLs behind allocations of a paravirtualised GPU (V-32, V-33): gpuva.md 5.7, G1 and G2.
//
// Decisions where the documents leave room:
// - A GPADL that V-32 reports is not reported by G-07 (rules.md). One that is torn down twice is G-08's.
// - The host is told to drop an allocation by message 5, or by the end of its device or process. Once either end of the
//   GPADL's channel goes down there is no host to be told, and V-33 is silent.
// - Pages that are unpinned before the teardown (G3) are no finding: the documented driver does so when a device stops.

import { type CallbackName, printObject } from "../api/mod.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView, Detector, FindingDraft, Listener } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { about, sized } from "./gpadl_drafts.ts";
import { type GpadlRecord, type Gpadls, historyOf } from "./gpadl_states.ts";
import { type Store, Stores } from "./sysmem_states.ts";
import { hexText, placeText } from "./wording.ts";

/** The callback in which the guest's graphics kernel serves its program. */
const DXG_IOCTL: CallbackName = "EvtDxgIoctl";

/** What these rules look at: folds that one audit shares. */
export interface SysmemFolds {
  readonly channels: ChannelStates;
  readonly gpadls: Gpadls;
  readonly stores: Stores;
}

/** Watches GPADLs behind allocations; it keeps the stores that other rules ask for. Asked before the rules of GPADLs. */
export function sysmemDetector(folds: SysmemFolds): Detector {
  const { stores } = folds;
  return {
    listen(shape) {
      if (shape.gpadlVerb === "create") {
        return {
          returned: (call, context) => created(call, stores, context),
          isIdle: ({ insideCallback }) => insideCallback === 0,
        };
      }
      if (shape.gpadlVerb === "destroy") return ofDeletes(folds);
      if (!Stores.carries(shape)) return null;
      return { called: (call) => stores.called(call), returned: (call) => stores.returned(call) };
    },
    hearsCallback: ({ name }) => name === DXG_IOCTL,
    callback() {},
  };
}

function created(call: CallView, stores: Stores, context: AuditContext): void {
  if (call.succeeded && call.insideCallback !== 0) stores.created(call, askerOf(call, context));
}

function ofDeletes(folds: SysmemFolds): Listener {
  const { stores, gpadls } = folds;
  return {
    isIdle: () => stores.isEmpty,
    called(call, context) {
      const draft = stores.isEmpty ? null : tornDownEarly(call, folds);
      if (draft !== null) context.report(draft);
    },
    returned(call) {
      const gpadl = stores.isEmpty || !call.succeeded ? null : call.objectAt(call.shape.at.gpadl);
      const record = gpadl === null ? undefined : gpadls.find(gpadl);
      if (record !== undefined) stores.ended(record);
    },
  };
}

/** The program's call that the guest's graphics kernel serves; 0: none. */
function askerOf({ insideCallback }: CallView, context: AuditContext): number {
  const callback = context.runningCallback(insideCallback);
  return callback?.plan?.name === DXG_IOCTL ? callback.cause : 0;
}

/** A delete before the host was told to drop the allocation (V-33). */
function tornDownEarly(call: CallView, { channels, gpadls, stores }: SysmemFolds): FindingDraft | null {
  const ref = call.objectAt(call.shape.at.gpadl);
  const gpadl = ref === null ? undefined : gpadls.find(ref);
  const store = gpadl === undefined ? undefined : stores.of(gpadl);
  if (gpadl === undefined || store === undefined || store.dropped !== null) return null;
  if (gpadl.deletion !== null || call.outcome?.form === "refused") return null;
  const channel = channels.numbered(gpadl.channel);
  if (channel === undefined || !channel.isUp || channel.isClosing || channel.peer?.isClosing === true) return null;
  const text = `${printObject(gpadl.ref)} was torn down before the host was told to drop ${
    allocationText(store)
  }, ${`which has it since ${placeText(store.shared)}`}`;
  const draft = about(gpadl, "sysmem-teardown-before-destroy", { call, role: "deleted", text });
  return { ...draft, evidence: inOrder([...draft.evidence, store.shared]) };
}

/** The leak of a GPADL that an allocation left behind (V-32), as one story: who asked, both ends' calls, what the host was told. */
export function sysmemLeak(
  gpadl: GpadlRecord,
  { store, text }: { readonly store: Store; readonly text: string },
): FindingDraft {
  const { asked, shared, dropped } = store;
  const fate = dropped === null ? "" : `; the host was told to drop it ${placeText(dropped)}`;
  const asker = asked === 0 ? [] : [{ event: asked, role: "asked", site: null, call: "", side: "" }];
  return {
    rule: "sysmem-gpadl-leak",
    message: `${sized(gpadl)} for ${allocationText(store)} ${text}${fate}`,
    event: gpadl.created.event,
    object: gpadl.ref,
    evidence: inOrder([...asker, ...historyOf(gpadl), shared, ...(dropped === null ? [] : [dropped])]),
    sizeBytes: gpadl.byteCount,
  };
}

function allocationText({ allocation, device }: Store): string {
  return `allocation ${hexText(allocation)} of device ${hexText(device)}`;
}

function inOrder(evidence: readonly Evidence[]): readonly Evidence[] {
  return evidence.toSorted((left, right) => left.event - right.event);
}
