// Findings about packet objects in the making: what all of them say alike. It decides nothing.

import { printObject, type Ref } from "../api/mod.ts";
import type { CallView, FindingDraft } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { evidenceOf } from "./join.ts";
import type { PacketRecord } from "./packet_states.ts";
import type { RuleName } from "./rules.ts";
import { placeText } from "./wording.ts";

/** A finding about a known packet at a call. */
export function aboutPacket(
  packet: PacketRecord,
  rule: RuleName,
  { call, role, text }: { readonly call: CallView; readonly role: string; readonly text: string },
): FindingDraft {
  return {
    rule,
    message: `${printObject(packet.ref)} ${text}`,
    event: call.event,
    object: packet.ref,
    evidence: [...packetHistory(packet), evidenceOf(call, role)],
  };
}

/** A finding about a call, and the object that it is about. */
export function aboutCall(
  rule: RuleName,
  call: CallView,
  { text, object = null, before = [] }: {
    readonly text: string;
    readonly object?: Ref | null;
    readonly before?: readonly Evidence[];
  },
): FindingDraft {
  return { rule, message: text, event: call.event, object, evidence: [...before, evidenceOf(call, "used")] };
}

/** An object of the other end's driver is none of the caller's (L-09); null: it is its own. */
export function othersObject(call: CallView, ref: Ref, side: string): FindingDraft | null {
  if (side === call.side || (side !== "client" && side !== "server")) return null;
  const text = `${printObject(ref)} is the ${side}'s; the ${call.side} called ${call.plan.name} on it`;
  return aboutCall("wrong-endpoint", call, { text, object: ref });
}

/** Where a packet was made, and sent where that is not over. */
export function packetHistory({ created, flight }: PacketRecord): readonly Evidence[] {
  return flight === null ? [created] : [created, flight.sent];
}

/** `packet#4, allocated by the client @120 at x.ts:88 (send),`. */
export function packetText({ ref, created, side, isAllocated }: PacketRecord): string {
  return `${printObject(ref)}, ${isAllocated ? "allocated" : "initialized"} by the ${side} ${placeText(created)},`;
}
