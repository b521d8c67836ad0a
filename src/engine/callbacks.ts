// Callbacks that are due and callbacks that run, and which of those that are due may run now. An endpoint is in one state-change
// callback, one packet callback and one completion routine at most; which of them go together is below (kmcl.md 1.3). What an
// endpoint may run depends on its own callbacks alone, so that each costs the same however many endpoints there are.
// It must not know channels, packets or levels.

import type { PendingCallback, RunningCallback } from "./world.ts";

/** What a callback is, for those beside it. Every one that is not named here is a state change. */
export type Lane = "state" | "postStarted" | "packet" | "routine";

const LANE_OF: ReadonlyMap<string, Lane> = new Map([
  ["EvtVmbChannelPostStarted", "postStarted"],
  ["EvtVmbChannelProcessPacket", "packet"],
  ["EvtVmbChannelProcessingComplete", "packet"],
  ["EvtVmbPacketCompletionRoutine", "routine"],
]);
const BITS: Readonly<Record<Lane, number>> = { state: 1, postStarted: 2, packet: 4, routine: 8 };
const ALL = 15;

/** What a callback waits for at its endpoint: those that run, and those that are due and were made before it. */
const WAITS: Readonly<Record<Lane, { readonly running: number; readonly earlier: number }>> = {
  state: { running: ALL, earlier: ALL },
  postStarted: { running: BITS.state | BITS.postStarted, earlier: BITS.state | BITS.postStarted },
  packet: { running: BITS.state | BITS.packet, earlier: BITS.packet },
  routine: { running: BITS.routine, earlier: BITS.routine },
};

/** The callbacks of one endpoint. */
interface Line {
  readonly channel: number;
  readonly pending: PendingCallback[];
  readonly running: Lane[];
  /** Those that may run, as they stand in the list of all. */
  ready: readonly PendingCallback[];
}

/** A callback's lane, by its name. */
export function laneOf(name: string): Lane {
  return LANE_OF.get(name) ?? "state";
}

/** All callbacks of a world. */
export class Callbacks {
  /** Due, oldest first. */
  readonly #pending: PendingCallback[] = [];
  /** In the order in which they began. */
  readonly #running: RunningCallback[] = [];
  readonly #lines = new Map<number, Line>();
  /** Endpoints whose callbacks have changed since their `ready` was found. */
  readonly #stale = new Set<Line>();
  /** What may run, oldest first, but for stale endpoints. */
  readonly #ready: PendingCallback[] = [];

  /** Callbacks that are due, oldest first. */
  get pending(): readonly PendingCallback[] {
    return this.#pending;
  }

  /** Callbacks that run, in the order in which they began. */
  get running(): readonly RunningCallback[] {
    return this.#running;
  }

  /** A callback is due; ids count up. */
  raise(callback: PendingCallback): void {
    this.#pending.push(callback);
    const line = this.#line(callback.channel);
    line.pending.push(callback);
    this.#stale.add(line);
  }

  /** A callback begins at an event; undefined: none of this id is due. */
  begin(id: number, event: number): PendingCallback | undefined {
    const callback = this.#withdraw(this.#pending[placeOf(this.#pending, id)], id);
    if (callback === undefined) return undefined;
    this.#running.push({ ...callback, event });
    this.#line(callback.channel).running.push(laneOf(callback.name));
    return callback;
  }

  /** The callback that began at an event ends; undefined: none runs there. */
  end(event: number): RunningCallback | undefined {
    const index = this.#running.findIndex((each) => each.event === event);
    const [callback] = index < 0 ? [] : this.#running.splice(index, 1);
    if (callback === undefined) return undefined;
    const line = this.#line(callback.channel);
    line.running.splice(line.running.indexOf(laneOf(callback.name)), 1);
    this.#stale.add(line);
    return callback;
  }

  /** Takes back those of an endpoint's callbacks that are due which `isMeant` picks; false: there were none. */
  withdraw(channel: number, isMeant: (callback: PendingCallback) => boolean): boolean {
    const meant = (this.#lines.get(channel)?.pending ?? []).filter(isMeant);
    for (const callback of meant) this.#withdraw(callback, callback.id);
    return meant.length > 0;
  }

  /** From now on another event made a side's callbacks that are due. */
  recause(side: string, cause: number): void {
    const pending = this.#pending.map((callback) => callback.side === side ? { ...callback, cause } : callback);
    this.restore(pending, [...this.#running]);
  }

  /** Takes these in place of its own. */
  restore(pending: readonly PendingCallback[], running: readonly RunningCallback[]): void {
    for (const list of [this.#pending, this.#running, this.#ready]) list.length = 0;
    this.#lines.clear();
    this.#stale.clear();
    this.#running.push(...running);
    for (const { channel, name } of running) this.#line(channel).running.push(laneOf(name));
    for (const callback of pending) this.raise(callback);
  }

  /** What may run now as far as endpoints are concerned, oldest first. */
  ready(): readonly PendingCallback[] {
    for (const line of this.#stale) this.#refresh(line);
    this.#stale.clear();
    return this.#ready.slice();
  }

  #line(channel: number): Line {
    const known = this.#lines.get(channel);
    if (known !== undefined) return known;
    const made: Line = { channel, pending: [], running: [], ready: [] };
    this.#lines.set(channel, made);
    return made;
  }

  #withdraw(callback: PendingCallback | undefined, id: number): PendingCallback | undefined {
    if (callback === undefined || callback.id !== id) return undefined;
    this.#pending.splice(placeOf(this.#pending, id), 1);
    const line = this.#line(callback.channel);
    line.pending.splice(placeOf(line.pending, id), 1);
    this.#stale.add(line);
    return callback;
  }

  #refresh(line: Line): void {
    for (const { id } of line.ready) this.#ready.splice(placeOf(this.#ready, id), 1);
    line.ready = readyOf(line);
    for (const callback of line.ready) this.#ready.splice(placeOf(this.#ready, callback.id), 0, callback);
    if (line.pending.length === 0 && line.running.length === 0) this.#lines.delete(line.channel);
  }
}

/**
 * Packets are delivered while PostStarted runs, not in any other state change; a state change waits for all packet callbacks
 * that are due, so that none runs behind a Suspend.
 */
function readyOf({ pending, running }: Line): readonly PendingCallback[] {
  let runs = 0;
  for (const lane of running) runs |= BITS[lane];
  const hasPackets = pending.some(({ name }) => laneOf(name) === "packet");
  let earlier = 0;
  return pending.filter(({ name }) => {
    const lane = laneOf(name);
    const waits = (earlier & WAITS[lane].earlier) !== 0 || (runs & WAITS[lane].running) !== 0;
    earlier |= BITS[lane];
    return !waits && !(lane === "state" && hasPackets);
  });
}

/** Where a callback of this id stands, or would stand, among callbacks in order of their ids. */
function placeOf(callbacks: readonly PendingCallback[], id: number): number {
  let [low, high] = [0, callbacks.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((callbacks[middle]?.id ?? id) < id) low = middle + 1;
    else high = middle;
  }
  return low;
}
