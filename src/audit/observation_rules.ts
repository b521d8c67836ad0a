// Captures: what a traced system was seen to begin and end, paired by the declarations' `observes`. One fold serves every
// kind of thing. A capture begins and ends in the middle of things, so nothing here is certain but an overlap.
// It must not know an event's name.
//
// Counts: `ends` = `pairs` + `preExisting` + ends of what was seen to end already. A thing that the rundown says was
// there is no start; its end counts under `preExisting`. `liveAtEnd` holds all that is known to live at the end, so it
// can exceed `starts` - `pairs` by what the rundown told and nobody ended.

import type { CallPlan, Observation } from "../api/mod.ts";
import type { TraceHeader } from "../trace/mod.ts";
import type { AuditContext, CallView, Detector } from "./detector.ts";
import type { Verdict } from "./finding.ts";
import { bigintOf } from "./gpu_call_values.ts";
import { type LiveThing, LiveThings, type ObservedSpan } from "./observation_fold.ts";
import type { PlanShape } from "./plan_shape.ts";
import type { RuleName } from "./rules.ts";
import { hexText } from "./wording.ts";

/** A detector of what captures show. */
export function observationDetector(): Detector {
  return new ObservationDetector();
}

/** Rules by thing; ranges, commits and spaces are counted only: they say what the system does, not what a driver forgot. */
const LEAK_RULES: ReadonlyMap<string, RuleName> = new Map([
  ["gpuva-mapping", "gpuva-leak"],
  ["allocation", "allocation-leak"],
  ["device-allocation", "allocation-leak"],
]);
const UNMATCHED_RULES: ReadonlyMap<string, RuleName> = new Map([["gpuva-mapping", "gpuva-unmatched-free"]]);
const OVERLAP_RULES: ReadonlyMap<string, RuleName> = new Map([["gpuva-mapping", "gpuva-double-map"]]);
/** The thing whose end takes along what lies in it: ranges whose first key is its own. */
const SPACE = "va-space";

/** Rules about what captures show that are off because a class of event was not captured. */
export function observationLimits(
  header: TraceHeader,
): readonly { readonly rule: RuleName; readonly reason: string }[] {
  const limits = new Map<RuleName, string>();
  const told = new Set<RuleName>();
  for (const rules of [LEAK_RULES, UNMATCHED_RULES, OVERLAP_RULES]) {
    for (const [thing, rule] of rules) {
      const missing = ["start", "stop"].filter((edge) => !isCaptured(header, thing, edge));
      if (missing.length === 0) told.add(rule);
      else if (!limits.has(rule)) limits.set(rule, `no ${missing.join(" and no ")} of a ${thing} was captured`);
    }
  }
  return [...limits].filter(([rule]) => !told.has(rule)).map(([rule, reason]) => ({ rule, reason }));
}

function isCaptured({ capabilities }: TraceHeader, thing: string, edge: string): boolean {
  return capabilities.length === 0 || capabilities.includes(`${thing}:${edge}`);
}

function isPaired(header: TraceHeader, thing: string): boolean {
  return isCaptured(header, thing, "start") && isCaptured(header, thing, "stop");
}

/** An observation with its parameters' positions, compiled once per declaration. */
interface Watch {
  readonly observation: Observation;
  readonly key: readonly number[];
  readonly range: readonly [number, number] | null;
}

class ObservationDetector implements Detector {
  readonly #watches = new Map<CallPlan, Watch | null>();
  readonly #things = new LiveThings();

  hears({ plan }: PlanShape): boolean {
    return plan.declaration.observes !== undefined;
  }

  returned(call: CallView, context: AuditContext): void {
    const watch = this.#watchOf(call.plan);
    if (watch === null) return;
    const { thing, edge } = watch.observation;
    const key = watch.key.map((index) => bigintOf(call.ins[index])).join(" ");
    if (edge === "stop") this.#stop(call, { thing, key }, context);
    else if (edge !== "mark") {
      const space = String(bigintOf(call.ins[watch.key[0] ?? -1]));
      const isRundown = edge === "rundown";
      const began = context.evidence(call, isRundown ? "there" : "started");
      this.#start({ thing, key, space, isRundown, began, span: spanOf(call, watch) }, context);
    }
  }

  end(context: AuditContext): void {
    for (const live of this.#things.all()) {
      if (!isPaired(context.header, live.thing)) continue;
      context.pairing.left(live.thing, false);
      const rule = LEAK_RULES.get(live.thing);
      if (rule === undefined || live.isRundown) continue;
      const where = live.span === null ? "" : ` ${spanText(live.span)}`;
      context.report({
        rule,
        message: `${live.thing}${where}, started at @${live.began.event}, was alive when the capture ended`,
        event: live.began.event,
        object: null,
        evidence: [live.began],
        verdict: weakLeak(context.leakVerdict()),
        ...sizeOf(live.span),
      });
    }
  }

  #start(thing: LiveThing, context: AuditContext): void {
    if (thing.isRundown) {
      this.#things.addUnlessThere(thing);
      return;
    }
    context.pairing.start(thing.thing);
    const over = this.#things.overlapping(thing);
    const replaced = this.#things.add(thing);
    if (replaced !== undefined) context.pairing.left(thing.thing, false);
    const rule = OVERLAP_RULES.get(thing.thing);
    if (over === undefined || rule === undefined || thing.span === null || !isPaired(context.header, thing.thing)) {
      return;
    }
    context.report({
      rule,
      message:
        `${thing.thing} ${spanText(thing.span)} started over ${over.span === null ? "one" : spanText(over.span)}, ` +
        `alive since @${over.began.event}`,
      event: thing.began.event,
      object: null,
      evidence: [over.began, thing.began],
      ...(context.strictRemap ? { severity: "warning" as const } : {}),
      ...sizeOf(thing.span),
    });
  }

  #stop(call: CallView, name: { readonly thing: string; readonly key: string }, context: AuditContext): void {
    const { thing } = name;
    const ended = this.#things.end(name);
    if (ended !== undefined) paired(ended, context);
    else this.#unmatched(call, name, context);
    if (thing !== SPACE) return;
    for (const inside of this.#things.endAllIn(name.key)) paired(inside, context);
  }

  /** An end of what was never seen was there before; of what was seen to end already, its start was missed. */
  #unmatched(
    call: CallView,
    { thing, key }: { readonly thing: string; readonly key: string },
    context: AuditContext,
  ): void {
    const isSeen = this.#things.wasSeen({ thing, key });
    this.#things.see({ thing, key });
    context.pairing.unmatchedEnd(thing, !isSeen);
    const rule = UNMATCHED_RULES.get(thing);
    if (rule === undefined || !isPaired(context.header, thing)) return;
    const watch = this.#watchOf(call.plan);
    const span = watch === null ? null : spanOf(call, watch);
    const where = span === null ? "" : ` ${spanText(span)}`;
    const why = isSeen ? "it had ended before, and no start was seen since" : "it was there before the capture began";
    context.report({
      rule,
      message: `${thing}${where} ended: ${why}`,
      event: call.event,
      object: null,
      evidence: [context.evidence(call, "ended")],
      verdict: isSeen ? "unproven" : "pre-existing",
      ...sizeOf(span),
    });
  }

  #watchOf(plan: CallPlan): Watch | null {
    const known = this.#watches.get(plan);
    if (known !== undefined) return known;
    const made = watchOf(plan);
    this.#watches.set(plan, made);
    return made;
  }
}

function watchOf(plan: CallPlan): Watch | null {
  const observation = plan.declaration.observes;
  if (observation === undefined) return null;
  const indexOf = (name: string) => plan.ins.findIndex((param) => param.name === name);
  const { key, range } = observation;
  return {
    observation,
    key: key.map(indexOf),
    range: range === undefined ? null : [indexOf(range[0]), indexOf(range[1])],
  };
}

function spanOf(call: CallView, { range }: Watch): ObservedSpan | null {
  return range === null ? null : { start: bigintOf(call.ins[range[0]]), end: bigintOf(call.ins[range[1]]) };
}

function paired({ thing, isRundown }: LiveThing, { pairing }: AuditContext): void {
  if (isRundown) pairing.unmatchedEnd(thing, true);
  else pairing.pair(thing);
}

/** A capture's end is no end of the system: what lives then is no leak yet. */
function weakLeak(verdict: Verdict): Verdict {
  return verdict === "certain" ? "live-at-end" : verdict;
}

/** The shape is the size, so that fingerprints hold no address. */
function sizeOf(span: ObservedSpan | null): { readonly sizeBytes?: number; readonly shape?: string } {
  if (span === null || span.end <= span.start) return {};
  const bytes = span.end - span.start;
  return { sizeBytes: Number(bytes), shape: `${bytes} bytes` };
}

function spanText({ start, end }: ObservedSpan): string {
  return `[${hexText(start)}, ${hexText(end)})`;
}
