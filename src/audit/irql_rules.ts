// Rules of interrupt request levels (I): a level for each side, and who may not be above PASSIVE_LEVEL. Conditions: kmcl.md
// 1.4, 2.4, 2.9. Levels are known where the machine's SetIrql sets them: elsewhere every side is at PASSIVE_LEVEL.
//
// I-03 is the library's own promise, never the driver's misuse: our model keeps it, another system's trace may not.

import { type CallName, printObject, type Ref, SYMBOLS } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import { isJudged, refOf } from "./call_shapes.ts";
import type { Deliveries } from "./delivery_states.ts";
import type { AuditContext, CallView, Detector, FindingDraft } from "./detector.ts";
import { aboutCall } from "./packet_drafts.ts";
import { isWaiting } from "./packet_send_rules.ts";
import { packetShapeOf, PROCESS_PACKET } from "./packet_shapes.ts";
import type { PlanShape } from "./plan_shape.ts";

const LEVELS = SYMBOLS.irql;
const REQUIRE_PASSIVE: CallName = "VmbChannelSetIncomingProcessingAtPassive";

/** Watches levels. It must stand after the detector of delivered packets, whose states it asks. */
export function irqlDetector(deliveries: Deliveries): Detector {
  const watch = new IrqlWatch(deliveries);
  return {
    hears: (shape) => isSetter(shape) || isAllocate(shape) || isRequest(shape) || shape.plan.name === REQUIRE_PASSIVE,
    hearsCallback: ({ name }) => name === PROCESS_PACKET,
    called(call, context) {
      const misuse = isJudged(call, context) ? watch.misuse(call) : null;
      if (misuse !== null) context.report(misuse);
    },
    returned: (call) => watch.returned(call),
    callback: (event, context) => watch.delivered(event, context),
    hearsEnd: (kind) => kind === "channel",
    ended(objects) {
      for (const { ref } of objects) if (ref.kind === "channel") watch.ended(ref);
    },
  };
}

function isSetter(shape: PlanShape): boolean {
  return shape.in("irql") >= 0 && shape.in("sideName") >= 0;
}

function isAllocate({ channelVerb, plan }: PlanShape): boolean {
  return channelVerb === "create" && plan.declaration.irql === "PASSIVE_LEVEL";
}

function isRequest(shape: PlanShape): boolean {
  return packetShapeOf(shape)?.role === "request";
}

class IrqlWatch {
  readonly #deliveries: Deliveries;
  /** Sides above PASSIVE_LEVEL. */
  readonly #levels = new Map<string, number>();
  /** Channels whose packets are to be delivered at PASSIVE_LEVEL, and since when. */
  readonly #passive = new Map<number, number>();

  constructor(deliveries: Deliveries) {
    this.#deliveries = deliveries;
  }

  returned(call: CallView): void {
    if (!call.succeeded) return;
    if (isSetter(call.shape)) return this.#set(String(call.in("sideName")), call.numberAt(call.shape.in("irql")));
    const channel = call.objectAt(call.shape.at.channel);
    if (call.plan.name !== REQUIRE_PASSIVE || channel === null) return;
    if (call.in("bool") === true) this.#passive.set(channel.number, call.event);
    else this.#passive.delete(channel.number);
  }

  ended({ number }: Ref): void {
    this.#passive.delete(number);
  }

  /** I-01 and I-02. */
  misuse(call: CallView): FindingDraft | null {
    const level = this.#levels.get(call.side);
    if (level === undefined) return null;
    const text = `${call.plan.name} at ${levelName(level)}`;
    if (isAllocate(call.shape)) {
      return aboutCall("irql-allocate", call, { text: `${text}; it belongs to PASSIVE_LEVEL` });
    }
    const shape = packetShapeOf(call.shape);
    if (shape?.role !== "request" || !isWaiting(call, shape)) return null;
    return aboutCall("irql-sync-request", call, {
      text: `${text} waits; above PASSIVE_LEVEL it needs a Timeout of 0 and no WAIT_FOR_COMPLETION`,
      object: call.object("channel"),
    });
  }

  /** I-03. */
  delivered(event: TraceEvent, context: AuditContext): void {
    const level = this.#levels.get(event.side);
    const channel = refOf(event.ins, "channel");
    const ref = refOf(event.ins, "completion");
    if (level === undefined || channel === null || ref === null) return;
    const since = this.#passive.get(channel.number);
    const isDeferred = this.#deliveries.find(ref)?.wasDeferred === true;
    if (since === undefined && !isDeferred) return;
    const why = isDeferred ? "it was deferred to PASSIVE_LEVEL" : `PASSIVE_LEVEL is required since @${since}`;
    context.report({
      rule: "irql-delivery",
      message: `${printObject(ref)} was delivered on ${printObject(channel)} at ${levelName(level)}; ${why}`,
      event: event.event,
      object: ref,
      evidence: [{ event: event.event, role: "delivered", site: null, call: PROCESS_PACKET, side: event.side }],
    });
  }

  #set(side: string, level: number): void {
    if (level === LEVELS.PASSIVE_LEVEL) this.#levels.delete(side);
    else this.#levels.set(side, level);
  }
}

function levelName(level: number): string {
  return Object.entries(LEVELS).find(([, each]) => each === level)?.[0] ?? `level ${level}`;
}
