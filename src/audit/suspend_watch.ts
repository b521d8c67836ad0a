// Which endpoints were told to stop sending: from Suspend's beginning on, until they may again. It judges nothing.
//
// The window ends with the next Started, as kmcl.md 2.9 (P-17) says, and already with the next Closed or Opened: inside both
// and between them packets may be queued (kmcl.md 1.3).

import type { CallPlan, Ref, StateCallback } from "../api/mod.ts";
import type { TraceEvent } from "../trace/mod.ts";
import { isStateCallback, refOf } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";

const SUSPEND: StateCallback = "EvtVmbChannelSuspend";
const POST_STARTED: StateCallback = "EvtVmbChannelPostStarted";

/** Endpoints that are suspended. */
export class SuspendWatch {
  readonly #channels: ChannelStates;
  /** The Suspend by channel; whether it has returned. */
  readonly #suspended = new Map<number, { readonly since: number; hasReturned: boolean }>();

  constructor(channels: ChannelStates) {
    this.#channels = channels;
  }

  hears(plan: CallPlan): boolean {
    return isStateCallback(plan);
  }

  /** Takes the beginning of a state-change callback. */
  callback({ plan, ins, event }: TraceEvent): void {
    const channel = refOf(ins, "channel");
    if (channel === null || plan === null || !isStateCallback(plan)) return;
    if (plan.name === SUSPEND) this.#suspended.set(channel.number, { since: event, hasReturned: false });
    else if (plan.name !== POST_STARTED) this.#suspended.delete(channel.number);
  }

  /** Takes the return of one. */
  callbackReturned({ plan, ins }: TraceEvent): void {
    const channel = refOf(ins, "channel");
    const suspended = channel === null ? undefined : this.#suspended.get(channel.number);
    if (suspended !== undefined && plan?.name === SUSPEND) suspended.hasReturned = true;
  }

  /** Forgets an endpoint that was cleaned up. */
  ended(channel: Ref): void {
    this.#suspended.delete(channel.number);
  }

  /** The Suspend that keeps an endpoint from sending, or null: none. A Started that the driver did not register leaves no event. */
  suspendedBy(channel: Ref): { readonly since: number; readonly hasReturned: boolean } | null {
    const suspended = this.#suspended.get(channel.number);
    if (suspended === undefined) return null;
    const phase = this.#channels.find(channel)?.phase;
    const runs = phase === "starting" || phase === "running" || phase === undefined;
    return suspended.hasReturned && runs ? null : suspended;
  }
}
