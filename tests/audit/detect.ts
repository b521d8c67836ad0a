// Runs detectors over hand-made events as an audit does: calls joined, the table of objects kept. For tests of detectors
// alone; it must not know any rule.

import { ByPlan, canonicalSide } from "../../src/api/mod.ts";
import { Context } from "../../src/audit/context.ts";
import { type Detector, type Listener, listenerOf } from "../../src/audit/detector.ts";
import type { Finding, PairingCount } from "../../src/audit/finding.ts";
import { type JoinedCall, walk } from "../../src/audit/join.ts";
import { shapeOf } from "../../src/audit/plan_shape.ts";
import type { Trace, TraceEvent, TraceHeader } from "../../src/trace/mod.ts";
import { RULES } from "../../src/audit/rules.ts";
import { header } from "../support/events.ts";

/** How a list of events is looked at. */
export interface DetectOptions {
  readonly header?: TraceHeader;
  readonly strictRemap?: boolean;
  /** Null: the recording was cut. */
  readonly endReason?: "ended" | "imported" | null;
}

/** What detectors said. */
export interface Detected {
  readonly drafts: readonly Finding[];
  readonly pairing: Readonly<Record<string, PairingCount>>;
  /** `V-06 @12`, with the severity where it is not the rule's and the verdict where it is not certain; as reported. */
  readonly lines: readonly string[];
}

/** Runs detectors over events. */
export function detect(
  detectors: readonly Detector[],
  events: readonly TraceEvent[],
  options: DetectOptions = {},
): Detected {
  const trace = traceOf(events, options);
  const context = new Context(trace, { strictRemap: options.strictRemap === true, rules: () => true });
  const listeners = new ByPlan((plan) => detectors.flatMap((detector) => listenerOf(detector, shapeOf(plan)) ?? []));
  walk(trace, {
    hears: () => true,
    hearsCallback: () => true,
    hearsMemory: true,
    called: (call) => {
      if (call.succeeded) context.objects.create(call);
      for (const { called } of listeners.of(call.plan)) called?.(call, context);
    },
    returned: (call) => returned(call, { detectors, listeners: listeners.of(call.plan), context }),
    callback: () => {},
    callbackReturned: () => {},
    memory: () => {},
  });
  for (const detector of detectors) detector.end?.(context);
  return { drafts: context.findings, pairing: context.pairing.toRecord(), lines: context.findings.map(lineOf) };
}

function returned(
  call: JoinedCall,
  { detectors, listeners, context }: {
    readonly detectors: readonly Detector[];
    readonly listeners: readonly Listener[];
    readonly context: Context;
  },
): void {
  if (call.returnedAt !== call.event && call.succeeded) context.objects.create(call);
  for (const { returned } of listeners) returned?.(call, context);
  if (!call.succeeded) return;
  const side = call.plan.name === "ExitProcess" ? call.in("sideName") : undefined;
  const exited = typeof side === "string" ? context.objects.endProcess(canonicalSide(side), call.returnedAt) : [];
  const ended = [...context.objects.destroy(call), ...exited];
  if (ended.length > 0) { for (const detector of detectors) detector.ended?.(ended, context, call); }
}

function traceOf(events: readonly TraceEvent[], options: DetectOptions): Trace {
  const { endReason = "ended" } = options;
  return {
    header: options.header ?? header(),
    end: endReason === null ? null : { reason: endReason, message: "", events: events.length },
    eventCount: events.length,
    complete: true,
    losses: [],
    events: () => events.values(),
    keyframes: () => [].values(),
  };
}

function lineOf({ rule, event, severity, verdict }: Finding): string {
  const shown = severity === RULES[rule].severity ? "" : ` ${severity}`;
  return `${RULES[rule].code} @${event}${shown}${verdict === "certain" ? "" : ` ${verdict}`}`;
}
