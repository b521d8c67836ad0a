// Rules of GPADLs (G): create, map, unmap, delete, and what is left. Conditions: kmcl.md 2.9, 5.2 to 5.5.
// One misuse is one finding, the most specific. A call at the wrong end or on a dead channel is L's (channel_rules.ts).
//
// Decisions where the documents leave room:
// - A GPADL whose delete waits is not "alive" for G-11 and not leaked for G-07: G-09 has it.
// - G-11 and G-07 are two rules: one that is alive when Closed returned and never deleted breaks both.
// - G-21 compares handle values of one channel: the automaton's key is channel and handle.
// - kmcl.md 5.5 gives each unmap of a GPADL that is being deleted or dead to G-05, its catalogue (2.9) one of what was never mapped
//   to G-04. The catalogue's conditions are the rules: what was never mapped is G-04 in every state, what was, and is not, G-05.
// - With the option `mapping-limit=many` a second mapping is legal (kmcl.md X17).
// - An unload ends every GPADL: what no driver deleted is not leaked then (kmcl.md 7.3), but G-11 where its Closed returned
//   before. A view that holds the unload up is G-09.
// - A mapping that outlives its GPADL (`rescind-delete=returns`) still wants its unmap.

import { type EffectPlan, isRef, printObject, type Ref } from "../api/mod.ts";
import { isStateCallback, refOf, UNLOAD } from "./call_shapes.ts";
import { handleMisuse, RightUse } from "./channel_rules.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallQuestion, CallView, Detector, FindingDraft, Listener } from "./detector.ts";
import { createMisuses, isInTime, isPlainCreate } from "./gpadl_create_rules.ts";
import { about, badFlags, drafted, endingText, sized } from "./gpadl_drafts.ts";
import { left, leftBehind, mappedAfterClosed } from "./gpadl_leaks.ts";
import { type GpadlRecord, type Gpadls, historyOf, READ_ONLY } from "./gpadl_states.ts";
import type { GuestPages } from "./guest_pages.ts";
import type { MemoryWatch } from "./memory_rules.ts";
import type { ObjectTable } from "./object_table.ts";
import type { PlanShape } from "./plan_shape.ts";
import type { RuleName } from "./rules.ts";
import type { Stores } from "./sysmem_states.ts";
import type { WaitGraph } from "./wait_graph.ts";
import { handleText, placeText } from "./wording.ts";

/** What GPADL rules look at: folds that one audit shares. */
export interface GpadlFolds {
  readonly channels: ChannelStates;
  readonly gpadls: Gpadls;
  readonly pages: GuestPages;
  readonly stores: Stores;
  readonly waits: WaitGraph;
  readonly memory: MemoryWatch;
  readonly objects: ObjectTable;
}

/** The callback in which a client must have deleted its GPADLs. */
const CLOSED = "EvtVmbChannelClosed";

/** Watches GPADLs; it also keeps the states that other rules ask for. */
export function gpadlDetector(folds: GpadlFolds): Detector {
  folds.channels.onTakeOver = (ends) => folds.gpadls.tookOver(ends);
  return {
    listen(shape) {
      if (shape.plan.name === UNLOAD) return ofUnload(folds);
      return shape.gpadlVerb === null ? null : ofCalls(shape, shape.gpadlVerb, folds);
    },
    hearsCallback: isStateCallback,
    callbackReturned(callback, context, { event }) {
      const isClosed = callback.plan !== null && isStateCallback(callback.plan) && callback.plan.name === CLOSED;
      if (isClosed) afterClosed(refOf(callback.ins, "channel"), folds, { context, event });
      unloading(folds);
    },
    hearsEnd: (kind) => kind === "channel",
    ended(objects, context) {
      for (const { ref, endedAt } of objects) {
        if (ref.kind === "channel") leftBehind(ref, folds, { context, cleanedUpAt: endedAt });
      }
    },
    end(context) {
      unloading(folds);
      left(folds, context);
    },
  };
}

/** What the host lets go of when the guest has left is being deleted, whether or not a driver asked for it (kmcl.md 5.6). */
function unloading({ channels, gpadls }: GpadlFolds): void {
  if (channels.unload?.isSent !== true) return;
  for (const gpadl of gpadls.live()) gpadls.deleteBegan(channels.unload.call, gpadl);
}

function ofUnload(folds: GpadlFolds): Listener {
  return {
    called: () => unloading(folds),
    returned(call, context) {
      if (!call.succeeded) return;
      for (const gpadl of folds.gpadls.live()) deleted(call, gpadl, { gpadls: folds.gpadls, context });
    },
  };
}

/** Most calls are made by the right end, in time, and of a GPADL in the state that they want: no more is looked at. */
function ofCalls(shape: PlanShape, verb: Verb, folds: GpadlFolds): Listener {
  const right = new RightUse(folds.channels);
  const { gpadls } = folds;
  const take = isPlain(shape) ? takerOf(shape, verb, folds) : null;
  return {
    ...(take !== null && {
      take: (call, context) =>
        folds.channels.unload === null && right.isAgain(call) && isExpected(verb, call, folds) && take(call, context),
    }),
    called(call, context) {
      unloading(folds);
      if (right.isAgain(call) && isExpected(verb, call, folds)) {
        const record = verb === "destroy" ? recordOf(call, gpadls) : undefined;
        if (record !== undefined && call.outcome?.form !== "refused") gpadls.deleteBegan(call, record);
      } else lookedAt(verb, call, { folds, right, context });
    },
    returned(call, context) {
      if (call.succeeded) returned(verb, call, { folds, context });
    },
  };
}

type Verb = EffectPlan["verb"];

/** Whether a call does nothing but what is done to a GPADL, and to the MDL that a map makes. */
function isPlain({ plan, range, returnsPages }: PlanShape): boolean {
  return range === null && !returnsPages &&
    plan.effects.every(({ param: { kind, isArray }, subject: { member } }) =>
      (kind === "gpadl" || kind === "mdl") && !isArray && member === null
    );
}

/** Takes a call that finds everything as it should be while no guest leaves, for those who keep objects and pages too. */
function takerOf(shape: PlanShape, verb: Verb, folds: GpadlFolds): CallQuestion | null {
  const { gpadls, pages, memory, objects } = folds;
  const make = objects.maker(shape);
  switch (verb) {
    case "create":
      return (call, context) => {
        if (!memory.describesAlone(call)) return false;
        make(call);
        returned(verb, call, { folds, context });
        pages.described(call);
        return true;
      };
    case "map":
      return (call, context) => {
        make(call);
        returned(verb, call, { folds, context });
        pages.mapped(call);
        return true;
      };
    case "unmap":
      return (call, context) => {
        returned(verb, call, { folds, context });
        return true;
      };
    case "destroy":
      return (call, context) => {
        const gpadl = recordOf(call, gpadls);
        if (gpadl === undefined || gpadl.isMapped) return false;
        if (!objects.isAlone("gpadl", call.gpadl) || !memory.endsAlone(call.gpadl)) return false;
        deleted(call, gpadl, { gpadls, context });
        objects.endAlone("gpadl", call.gpadl, call.returnedAt);
        pages.endedGpadl(call.gpadl);
        return true;
      };
    default:
      return null;
  }
}

/** Whether what a call is about is as the call wants it, where the channel and its state are right. */
function isExpected(verb: Verb, call: CallView, folds: GpadlFolds): boolean {
  const { at } = call.shape;
  const { gpadls } = folds;
  if (verb === "create") return isPlainCreate(call, folds);
  const gpadl = call.gpadl;
  const channel = call.channel;
  if (verb === "unmap") return gpadls.isUnmappable(gpadl, channel);
  if (verb === "destroy") return gpadls.isDeletable(gpadl, channel);
  const flags = call.numberAt(at.gpadlFlags);
  return verb === "map" && (flags & ~READ_ONLY) === 0 && gpadls.isMappable(gpadl, { channel, flags });
}

function lookedAt(
  verb: Verb,
  call: CallView,
  { folds, right, context }: { readonly folds: GpadlFolds; readonly right: RightUse; readonly context: AuditContext },
): void {
  const isElsewhere = handleMisuse(call, context) !== null;
  if (!isElsewhere && (verb !== "create" || isInTime(call, folds))) right.note(call);
  const gpadl = recordOf(call, folds.gpadls);
  if (!isElsewhere) {
    for (const draft of misusesOf(verb, call, { folds, gpadl, context })) context.report(draft);
    countUnmatched(verb, call, { gpadl, context });
  }
  const isLetIn = verb === "destroy" && !isElsewhere && call.outcome?.form !== "refused";
  if (isLetIn && gpadl !== undefined && gpadl.deletedAt === 0) folds.gpadls.deleteBegan(call, gpadl);
}

interface Scene {
  readonly folds: GpadlFolds;
  readonly gpadl: GpadlRecord | undefined;
  readonly context: AuditContext;
}

function misusesOf(verb: string, call: CallView, scene: Scene): readonly FindingDraft[] {
  if (verb === "create") return createMisuses(call, scene);
  const other = wrongChannel(call, scene);
  if (other !== null) return [other];
  if (verb === "map") return mapMisuses(call, scene);
  return drafted(verb === "unmap" ? unmapMisuse(call, scene) : deleteMisuse(call, scene));
}

/** A GPADL belongs to its creator's channel, and to the server's end of it (G-13). */
function wrongChannel(call: CallView, { gpadl, context }: Scene): FindingDraft | null {
  const channel = call.objectAt(call.shape.at.channel);
  if (gpadl === undefined || channel === null) return null;
  const own = call.shape.gpadlVerb === "destroy" ? gpadl.channel : gpadl.server;
  if (own === 0 || own === channel.number) return null;
  const text = `${call.plan.name} on ${printObject(channel)}, but ${printObject(gpadl.ref)} belongs to channel#${own}`;
  const draft = about(gpadl, "gpadl-wrong-channel", { call, role: "used", text });
  // A server from before the trace may be the peer of the creator, and not the one that the trace shows.
  const isGuess = own === gpadl.server && context.objects.find(channel) === undefined;
  return isGuess ? { ...draft, verdict: context.historyVerdict() } : draft;
}

function mapMisuses(call: CallView, scene: Scene): readonly FindingDraft[] {
  const { gpadl } = scene;
  const flags = call.numberAt(call.shape.at.gpadlFlags);
  return drafted(badFlags(call, gpadl), mapMisuse(call, flags, scene));
}

function mapMisuse(call: CallView, flags: number, { gpadl, context }: Scene): FindingDraft | null {
  if (gpadl === undefined) return unknown("gpadl-map-unknown", call, context);
  if (!gpadl.isDying && !gpadl.isMapped && !(gpadl.isReadOnly && (flags & READ_ONLY) === 0)) return null;
  const name = printObject(gpadl.ref);
  const at = { call, role: "mapped" };
  if (gpadl.deletedAt > 0) {
    return about(gpadl, "gpadl-map-unknown", {
      ...at,
      text: `${name} was mapped after its delete${deletedText(gpadl)}`,
    });
  }
  const { deletion } = gpadl;
  if (deletion !== null) {
    const text = `${name} was mapped although its delete began ${placeText(deletion.began)}`;
    return about(gpadl, "gpadl-map-after-delete", { ...at, text });
  }
  if (gpadl.isReadOnly && (flags & READ_ONLY) === 0) {
    const text = `${name}, created READ_ONLY ${placeText(gpadl.created)}, was mapped for writing`;
    return about(gpadl, "gpadl-write-map-of-read-only", { ...at, text });
  }
  const mapping = gpadl.isMapped ? gpadl.mapping : null;
  if (mapping === null || context.header.options["mapping-limit"] === "many") return null;
  const text = `${name} was mapped while mapped since ${placeText(mapping.mapped)}`;
  return about(gpadl, "gpadl-double-map", { ...at, text });
}

function unmapMisuse(call: CallView, { gpadl, context }: Scene): FindingDraft | null {
  if (gpadl === undefined) return unknown("gpadl-unmatched-unmap", call, context);
  if (gpadl.isMapped) return null;
  const name = printObject(gpadl.ref);
  const last = gpadl.lastMapping?.unmapped;
  if (last == null) {
    const text = `${name} was unmapped, but it was never mapped${
      gpadl.deletedAt > 0 ? `, and it was deleted${deletedText(gpadl)}` : ""
    }`;
    return about(gpadl, "gpadl-unmatched-unmap", { call, role: "unmapped", text });
  }
  const text = `${name} was unmapped again; it was unmapped ${placeText(last)}`;
  return about(gpadl, "gpadl-double-unmap", { call, role: "unmapped", text });
}

function deleteMisuse(call: CallView, { gpadl, context }: Scene): FindingDraft | null {
  if (gpadl === undefined) return unknown("gpadl-unmatched-delete", call, context);
  if (!gpadl.isDying) return null;
  // Channels from before the trace may still be up, and the host has not begun to let go of GPADLs.
  const isByUnload = gpadl.deletedAt === 0 && gpadl.deletion?.began.call === UNLOAD;
  if (isByUnload && !context.isFromStart) return null;
  const state = gpadl.deletedAt > 0
    ? `it was deleted${deletedText(gpadl)}`
    : `its delete is waiting${deletedText(gpadl)}`;
  return about(gpadl, "gpadl-unmatched-delete", {
    call,
    role: "deleted",
    text: `${printObject(gpadl.ref)} was deleted again; ${state}`,
  });
}

function deletedText({ deletion }: GpadlRecord): string {
  return deletion === null ? "" : ` ${placeText(deletion.began)}`;
}

/** A handle that names nothing, or a GPADL from before the trace: the first is certain, the second history's. */
function unknown(rule: RuleName, call: CallView, context: AuditContext): FindingDraft | null {
  const handle = call.in("gpadl");
  const isNamed = isRef(handle);
  if (isNamed && rule === "gpadl-map-unknown" && context.historyVerdict() !== "certain") return null;
  return {
    rule,
    message: `${call.plan.name} of ${handleText(handle)}, which names no GPADL`,
    event: call.event,
    object: isNamed ? handle : null,
    evidence: [context.evidence(call, "used")],
    ...(isNamed || context.header.maker !== "engine" ? { verdict: context.historyVerdict() } : {}),
  };
}

function recordOf(call: CallView, gpadls: Gpadls): GpadlRecord | undefined {
  const gpadl = call.gpadl;
  return gpadl < 0 ? undefined : gpadls.numbered(gpadl);
}

/** Ends without a start: what a misused unmap or delete counts as. */
function countUnmatched(
  verb: string,
  call: CallView,
  { gpadl, context }: { readonly gpadl: GpadlRecord | undefined; readonly context: AuditContext },
): void {
  const isPreExisting = gpadl === undefined && call.objectAt(call.shape.at.gpadl) !== null;
  if (verb === "unmap" && (gpadl === undefined || !gpadl.isMapped)) {
    context.pairing.unmatchedEnd("gpadl-mapping", isPreExisting);
  }
  if (verb === "destroy" && (gpadl === undefined || gpadl.isDying)) {
    context.pairing.unmatchedEnd("gpadl", isPreExisting);
  }
}

function returned(
  verb: Verb,
  call: CallView,
  { folds: { channels, gpadls, pages }, context }: { readonly folds: GpadlFolds; readonly context: AuditContext },
): void {
  if (verb === "create") {
    const byteCount = pages.request(call)?.length ?? call.numberAt(call.shape.at.byteCount);
    if (gpadls.created(call, { channels, byteCount })) context.pairing.start("gpadl");
    return;
  }
  const gpadl = recordOf(call, gpadls);
  if (gpadl === undefined) return;
  if (verb === "map") {
    gpadls.mapped(call, gpadl);
    context.pairing.start("gpadl-mapping");
  } else if (verb === "unmap" && gpadl.isMapped) unmapped(gpadls.unmapped(call, gpadl), { call, pages, context });
  else if (verb === "destroy" && gpadl.deletedAt === 0) deleted(call, gpadl, { gpadls, context });
}

/** The MDL of a mapping ends with its unmap, which no `destroy` effect says. */
function unmapped(
  mdl: Ref | null,
  { call, pages, context }: {
    readonly call: CallView;
    readonly pages: GuestPages;
    readonly context: AuditContext;
  },
): void {
  context.pairing.pair("gpadl-mapping");
  if (mdl === null) return;
  pages.ended(mdl);
  context.objects.endAlone("mdl", mdl.number, call.returnedAt);
}

function deleted(
  call: CallView,
  gpadl: GpadlRecord,
  { gpadls, context }: { readonly gpadls: Gpadls; readonly context: AuditContext },
): void {
  gpadls.deleteBegan(call, gpadl);
  const waited = gpadl.waitsFor?.unmapped;
  gpadls.deleted(gpadl, call.returnedAt);
  context.pairing.pair("gpadl");
  if (waited == null) return;
  const text = `${endingText(gpadl)} had to wait until @${call.returnedAt} for the unmap ${placeText(waited)}`;
  context.report({ ...about(gpadl, "gpadl-delete-deadlock", { call, role: "blocked", text }), severity: "note" });
}

/** When its Closed callback returns, a client's GPADLs must be gone (G-11), and a server's mappings (G-06). */
function afterClosed(
  channel: Ref | null,
  { channels, gpadls }: GpadlFolds,
  { context, event }: { readonly context: AuditContext; readonly event: number },
): void {
  const record = channels.find(channel);
  if (record === undefined) return;
  if (record.isServer) return mappedAfterClosed(record.ref, gpadls, { context, closedAt: event });
  for (const gpadl of gpadls.liveAt(record.ref.number)) {
    if (gpadl.channel !== record.ref.number || gpadl.isDying) continue;
    context.report({
      rule: "gpadl-alive-after-closed",
      message: `${sized(gpadl)} was alive when the Closed callback of ${printObject(record.ref)} returned @${event}`,
      event,
      object: gpadl.ref,
      evidence: [...historyOf(gpadl), { event, role: "closed", site: null, call: CLOSED, side: "client" }],
      sizeBytes: gpadl.byteCount,
    });
  }
}
