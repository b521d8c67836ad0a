// Rules of a GPADL's creation: when, flags, which bytes, which handle (G-10, G-14, G-15, G-18, G-20, G-21).
// Conditions: kmcl.md 2.9, 5.2, 5.7.

import { printObject } from "../api/mod.ts";
import { isLetIn } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { AuditContext, CallView, FindingDraft } from "./detector.ts";
import { badFlags, drafted } from "./gpadl_drafts.ts";
import { type Gpadls, READ_ONLY } from "./gpadl_states.ts";
import { descriptionBound, descriptionBytes, type Request } from "./extents.ts";
import { type GuestPages } from "./guest_pages.ts";
import { creationOf } from "./object_table.ts";
import type { RuleName } from "./rules.ts";
import { hexText, placeText } from "./wording.ts";
import { sizeText } from "../wire/mod.ts";

/** What a create is judged by. */
export interface CreateScene {
  readonly folds: { readonly channels: ChannelStates; readonly gpadls: Gpadls; readonly pages: GuestPages };
  readonly context: AuditContext;
}

/** The longest description: a u16 counts its bytes, 8190 pages in one piece (kmcl.md 5.7). */
const MAX_DESCRIPTION_BYTES = 65535;

/** All that is wrong with a create: its flags, its time, its bytes, and the handle that it returned. */
export function createMisuses(call: CallView, scene: CreateScene): readonly FindingDraft[] {
  return drafted(badFlags(call), outsideOpen(call, scene), rangeMisuse(call, scene), handleReused(call, scene));
}

/** Whether a create breaks nothing where its channel is right and it is made in time: nearly all. It allocates nothing. */
export function isPlainCreate(call: CallView, { gpadls, pages }: CreateScene["folds"]): boolean {
  if ((call.numberAt(call.shape.at.gpadlFlags) & ~READ_ONLY) !== 0) return false;
  const request = pages.request(call);
  if (request === null || request.length === 0 || request.offset + request.length > request.total) return false;
  return descriptionBound(request) <= MAX_DESCRIPTION_BYTES && holderOf(call, gpadls) === undefined;
}

/** Whether a create is made while GPADLs can be. */
export function isInTime(call: CallView, { channels }: CreateScene["folds"]): boolean {
  const record = channels.numbered(call.channel);
  const needs = call.shape.channelNeeds;
  return record === undefined || needs === null || needs.includes(record.state);
}

function outsideOpen(call: CallView, { folds, context }: CreateScene): FindingDraft | null {
  const record = folds.channels.numbered(call.channel);
  if (record === undefined || isInTime(call, folds) || isLetIn(call, context)) return null;
  const state = `${printObject(record.ref)}, which is ${record.state} since @${record.since}`;
  const text = `${call.plan.name} on ${state}; wanted: from its Opened callback until its Closed returned`;
  return { ...draft("gpadl-create-outside-open", call, text), object: record.ref };
}

function rangeMisuse(call: CallView, scene: CreateScene): FindingDraft | null {
  const request = scene.folds.pages.request(call);
  if (request === null) return deadSource(call, scene.context);
  const { offset, length, total } = request;
  const end = offset + length;
  if (end > total || offset > total) {
    const text = `${call.plan.name} of bytes ${offset} to ${end} of ${sourceText(call)}, which has ${total}`;
    return sourced("gpadl-range-outside-mdl", { call, text, request, scene });
  }
  if (length === 0) {
    return sourced("gpadl-empty", {
      call,
      text: `${call.plan.name} of no bytes of ${sourceText(call)}`,
      request,
      scene,
    });
  }
  if (descriptionBound(request) <= MAX_DESCRIPTION_BYTES) return null;
  const description = descriptionBytes(request);
  if (description <= MAX_DESCRIPTION_BYTES) return null;
  const text = `${call.plan.name} of ${sizeText(length)}, a description of ${description} bytes; ` +
    `at most ${MAX_DESCRIPTION_BYTES} (8190 pages in one piece) fit`;
  return sourced("gpadl-too-large", { call, text, request, scene });
}

/** A buffer or MDL that was freed has no bytes; one that was never seen is nobody's fault. */
function deadSource(call: CallView, context: AuditContext): FindingDraft | null {
  const ref = call.object("buffer") ?? call.object("mdl");
  const source = ref === null ? undefined : context.objects.find(ref);
  if (ref === null || source === undefined || source.endedAt === 0 || ref.kind === "mdl") return null;
  const text = `${call.plan.name} of ${printObject(ref)}, which was freed @${source.endedAt}`;
  return { ...draft("gpadl-range-outside-mdl", call, text), object: ref };
}

function sourced(
  rule: RuleName,
  { call, text, request, scene }: {
    readonly call: CallView;
    readonly text: string;
    readonly request: Request;
    readonly scene: CreateScene;
  },
): FindingDraft {
  const sources = request.whole.sources.flatMap((ref) => scene.context.objects.live(ref) ?? []);
  const evidence = sources.map((source) => creationOf(source, "source"));
  const found = draft(rule, call, text);
  return {
    ...found,
    object: call.object("buffer") ?? call.object("mdl"),
    evidence: [...evidence, ...found.evidence],
    sizeBytes: request.length,
  };
}

function sourceText(call: CallView): string {
  const ref = call.object("buffer") ?? call.object("mdl");
  return ref === null ? "nothing" : printObject(ref);
}

/** A handle value is its GPADL's until the delete returned (G-21). */
function handleReused(call: CallView, { folds: { gpadls }, context }: CreateScene): FindingDraft | null {
  const made = call.madeAt(call.shape.at.madeGpadl);
  const holder = holderOf(call, gpadls);
  const gpadl = holder === undefined ? undefined : gpadls.numbered(holder);
  if (made === null || gpadl === undefined) return null;
  const handle = hexText(made.handle);
  const text = `${printObject(made)} got handle ${handle}, which ${printObject(gpadl.ref)} has since ${
    placeText(gpadl.created)
  }`;
  return {
    ...draft("gpadl-handle-reused-while-live", call, text),
    object: made,
    evidence: [{ ...gpadl.created, role: "holder" }, context.evidence(call, "created")],
  };
}

/** The live GPADL that had the handle value which a create was answered. */
function holderOf(call: CallView, gpadls: Gpadls): number | undefined {
  const made = call.succeeded ? call.madeNumberAt(call.shape.at.madeGpadl) : -1;
  if (made < 0) return undefined;
  const channel = Math.max(0, call.channel);
  const holder = gpadls.named(channel, call.madeHandleAt(call.shape.at.madeGpadl));
  return holder === made ? undefined : holder;
}

function draft(rule: RuleName, call: CallView, message: string): FindingDraft & { readonly object: null } {
  const { event, site, plan, side } = call;
  return { rule, message, event, object: null, evidence: [{ event, role: "used", site, call: plan.name, side }] };
}
