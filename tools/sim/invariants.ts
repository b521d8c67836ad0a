// What must hold of a world after every step, each as a named function over the world; null: it holds.
// They read what the engine keeps and compare it with itself; rings are read byte by byte, by a reader of their own.

import { OBJECTS } from "../../src/api/mod.ts";
import { type EngineObject, mappingsOf, type World } from "../../src/engine/mod.ts";
import { type ObjectKind, STATE_CALLBACKS } from "../../src/api/mod.ts";
import { ringsHoldPackets } from "./ring_bytes.ts";

/** A world, and the guest pages that a driver wrote over although they were a ring's. */
export interface Watched {
  readonly world: World;
  /** Its live channels and packets: walked once for all that ask. */
  readonly channels: readonly EngineObject<"channel">[];
  readonly packets: readonly EngineObject<"packet">[];
  readonly tampered: ReadonlySet<number>;
}

/** What is asked of a world as it is now. */
export function watched(world: World, tampered: ReadonlySet<number>): Watched {
  return { world, channels: [...world.all("channel")], packets: [...world.all("packet")], tampered };
}

/** Says what does not hold; null: it does. */
export type Invariant = (watched: Watched) => string | null;

type Channel = EngineObject<"channel">;

const KINDS: readonly ObjectKind[] = Object.keys(OBJECTS).filter(isKind);
const UP: ReadonlySet<string> = new Set(["opening", "open", "closing"]);

function isKind(name: string): name is ObjectKind {
  return Object.hasOwn(OBJECTS, name);
}

/** Counts, handles, states, owners: only what its kind's table lets outlive its owner does. */
function objectTablesAgree({ world }: Watched): string | null {
  for (const kind of KINDS) {
    if (world.countOf(kind) === 0) continue;
    let live = 0;
    for (const object of world.all(kind)) {
      live += 1;
      const trouble = objectTrouble(world, object);
      if (trouble !== null) return `${kind}#${object.number} ${trouble}`;
    }
    if (live !== world.liveCountOf(kind)) return `${live} live of kind ${kind}, counted ${world.liveCountOf(kind)}`;
  }
  return null;
}

function objectTrouble(world: World, object: EngineObject): string | null {
  const { kind, number, handle, alive, state, owner } = object;
  const { states, ownerEnd } = OBJECTS[kind];
  if (!alive) return "is among the live and dead";
  if (number > world.countOf(kind)) return `is beyond the ${world.countOf(kind)} that were made`;
  if (world.resolve(kind, handle) !== object) return "has a handle that names another";
  if (!states.some((each) => each === state)) return `is ${state}, which is no state of its kind`;
  const isOrphan = ownerEnd === "released" && owner !== null && !owner.alive;
  return isOrphan ? `lives, its ${owner.kind}#${owner.number} does not` : null;
}

function mappingsPointBack({ world }: Watched): string | null {
  for (const { number, state, data } of world.all("gpadl")) {
    const { isDeleting } = data;
    const mappings = mappingsOf(data);
    for (const each of mappings) {
      if (world.find("mdl", each)?.data.gpadl !== number) return `mdl#${each} is no mapping of gpadl#${number}`;
    }
    const wanted = isDeleting ? "deleting" : mappings.length > 0 ? "mapped" : "live";
    if (state !== wanted) return `gpadl#${number} is ${state} with ${mappings.length} mappings, not ${wanted}`;
    if (mappings.length > 1 && world.options["mapping-limit"] === "one") return `gpadl#${number} is mapped twice`;
  }
  for (const { number, data: { gpadl } } of world.all("mdl")) {
    const mapped = gpadl === 0 ? undefined : world.find("gpadl", gpadl);
    if (mapped !== undefined && !mappingsOf(mapped.data).includes(number)) {
      return `mdl#${number} is a mapping of gpadl#${gpadl}, which does not know it`;
    }
  }
  return null;
}

function outstandingIsLiveCompletions({ world, channels }: Watched): string | null {
  const live = new Map<number, number>();
  for (const { number, data: { channel } } of world.all("completion")) {
    live.set(channel, (live.get(channel) ?? 0) + 1);
    const at = world.find("channel", channel);
    if (at === undefined) return `completion#${number} outlived its channel#${channel}`;
    if (!at.data.transport.outstanding.has(number)) return `completion#${number} is not outstanding`;
  }
  for (const { number, data: { transport } } of channels) {
    const { outstanding } = transport;
    if (outstanding.size !== (live.get(number) ?? 0)) return `channel#${number} has ${outstanding.size} outstanding`;
  }
  return null;
}

/** What is being delivered has its one ProcessPacket, due or under way. */
function deliveryIsUnderWay({ world, channels }: Watched): string | null {
  for (const { number, data: { transport } } of channels) {
    const made = [...world.pending, ...world.running].filter(({ channel, name }) =>
      channel === number && name === "EvtVmbChannelProcessPacket"
    );
    const wanted = transport.delivering === 0 ? 0 : 1;
    if (made.length !== wanted) return `channel#${number} has ${made.length} ProcessPacket, wanted ${wanted}`;
  }
  return null;
}

/** A packet's routine is the packet's own, and outlives its channel; an ioctl is no channel's. */
function callbacksAreForTheLiving({ world }: Watched): string | null {
  for (const { name, channel, ins } of world.pending) {
    const isChannels = channel !== 0 && name !== "EvtVmbPacketCompletionRoutine" && name !== "EvtDxgIoctl";
    if (isChannels && world.find("channel", channel) === undefined) {
      return `${name} of dead channel#${channel} is due`;
    }
    for (const value of ins) {
      if (typeof value !== "object" || value === null || !("kind" in value) || !("number" in value)) continue;
      const { kind, number } = value;
      if (typeof kind !== "string" || !isKind(kind) || typeof number !== "number") continue;
      if (world.find(kind, number) === undefined) return `${name} of dead ${kind}#${number} is due`;
    }
  }
  return null;
}

/** What an endpoint waits for in a call is a call that waits. */
function waitersWait({ world, channels }: Watched): string | null {
  const parked = new Set(world.parked.map(({ event }) => event));
  if (parked.size !== world.parked.length) return "a call waits twice";
  for (const { number, data } of channels) {
    const waits = [
      ...data.pauses,
      ...data.disables.map(({ event }) => event),
      ...data.transport.requests.keys(),
      data.save?.continuing ?? 0,
      data.restore?.restoring ?? 0,
    ];
    const lost = waits.find((event) => event !== 0 && !parked.has(event));
    if (lost !== undefined) return `channel#${number} knows of a call @${lost} that does not wait`;
  }
  return null;
}

function packetsAreWhereTheirStateSays({ world, channels, packets }: Watched): string | null {
  const queued = new Set<number>();
  const awaiting = new Set<number>();
  for (const channel of channels) {
    const trouble = transactionTrouble(channel);
    if (trouble !== null) return trouble;
    const { transport } = channel.data;
    for (const { packet } of transport.queue) if (packet !== 0) queued.add(packet);
    for (const { packet } of transport.awaiting.values()) if (packet !== 0) awaiting.add(packet);
  }
  const routines = new Set(
    world.pending.flatMap(({ name, ins: [ref] }) =>
      name === "EvtVmbPacketCompletionRoutine" && typeof ref === "object" && ref !== null && "number" in ref
        ? [ref.number]
        : []
    ),
  );
  for (const { number, state } of packets) {
    const places = Number(queued.delete(number)) + Number(awaiting.has(number)) + Number(routines.has(number));
    const isInFlight = state === "queued" || state === "sent";
    if (places !== (isInFlight ? 1 : 0)) return `packet#${number} is ${state} and in ${places} places`;
    awaiting.delete(number);
  }
  const [lost] = [...queued, ...awaiting];
  return lost === undefined ? null : `packet#${lost} is on its way and dead`;
}

function transactionTrouble({ number, data: { transport } }: Channel): string | null {
  const all = [...transport.queue, ...transport.awaiting.values()].map(({ transaction }) => transaction);
  if (new Set(all).size !== all.length) return `channel#${number} has a transaction twice`;
  const beyond = all.find((each) => each >= transport.nextTransaction || each < 1);
  return beyond === undefined ? null : `channel#${number} has transaction ${beyond}, next ${transport.nextTransaction}`;
}

function connectionsAgree({ world, channels }: Watched): string | null {
  for (const channel of channels) {
    const { number, data, state } = channel;
    const isUp = UP.has(state);
    if (isUp !== (data.transport.rings !== null)) return `channel#${number} is ${state}, rings: ${String(!isUp)}`;
    if (!isUp && data.phase !== "unopened") return `channel#${number} is ${state} and ${data.phase}`;
    if (!isUp && (data.isClosing || data.isDisabling)) return `channel#${number} is ${state} and still closing`;
    const peer = world.find("channel", data.peer);
    if (!isUp || peer === undefined || peer.data.connection !== data.connection || !UP.has(peer.state)) continue;
    if (peer.data.peer !== number) return `channel#${number} has peer channel#${data.peer}, which has another`;
    const [own, its] = [data.transport.rings, peer.data.transport.rings];
    if (own !== its && JSON.stringify(own) !== JSON.stringify(its)) {
      return `channel#${number} and channel#${peer.number} have different rings`;
    }
  }
  return null;
}

/** One state change at a time, and `awaited` names it; one packet callback and one routine at most run. */
function callbacksTakeTurns({ world, channels }: Watched): string | null {
  for (const { number, data: { awaited } } of channels) {
    const own = [...world.pending, ...world.running].filter(({ channel }) => channel === number);
    const changes = own.filter(({ name }) => Object.hasOwn(STATE_CALLBACKS, name)).map(({ name }) => name);
    if (changes.join() !== awaited) return `channel#${number} awaits "${awaited}", made: "${changes.join()}"`;
    const running = world.running.filter(({ channel }) => channel === number).map(({ name }) => name);
    const packets = running.filter((name) => name.startsWith("EvtVmbChannelProcess"));
    const routines = running.filter((name) => name === "EvtVmbPacketCompletionRoutine");
    if (packets.length > 1 || routines.length > 1) return `channel#${number} is in ${running.join()}`;
    const isIn = packets.length > 0 && changes.length > 0 && running.includes(awaited);
    if (isIn && awaited !== "EvtVmbChannelPostStarted") return `channel#${number} is in ${running.join()}`;
  }
  return null;
}

/** Nothing a driver sees is negative, and no level is kept that is PASSIVE_LEVEL. */
function levelsAreRaised({ world }: Watched): string | null {
  for (const [side, irql] of world.irqls) if (irql <= 0) return `${side} is kept at level ${irql}`;
  return null;
}

/** A stopped endpoint with a close due and nothing outstanding is on its way: somebody's return will move it. */
function nothingIsForgotten({ world, channels }: Watched): string | null {
  for (const { number, data } of channels) {
    const { awaited, phase, isClosing, pauses, transport } = data;
    if (awaited !== "" || transport.outstanding.size > 0 || phase !== "stopped") continue;
    if (isClosing) return `channel#${number} could close and does not`;
    if (pauses.length > 0 && world.options["pause-waits-for"] === "incoming") {
      return `channel#${number} has a Pause that could return`;
    }
  }
  return null;
}

/** What is checked after every step, by name. */
export const INVARIANTS: Readonly<Record<string, Invariant>> = {
  mappingsPointBack,
  outstandingIsLiveCompletions,
  deliveryIsUnderWay,
  callbacksAreForTheLiving,
  waitersWait,
  packetsAreWhereTheirStateSays,
  connectionsAgree,
  callbacksTakeTurns,
  levelsAreRaised,
  nothingIsForgotten,
};

/** What is checked after a step that wrote memory. */
export const MEMORY_INVARIANTS: Readonly<Record<string, Invariant>> = { ringsHoldPackets };

/** Pages are given out once: to a buffer or to a ring, and none of these is free. */
function pagesHaveOneOwner({ world, channels }: Watched): string | null {
  const { guest } = world.memory.toPlain();
  const owners = new Map<number, string>(guest.free.map((page) => [page, "the free list"]));
  if (owners.size !== guest.free.length) return "a guest page is free twice";
  for (const { number, data: { partition, pieces: [piece] } } of world.all("buffer")) {
    if (partition !== "guest") continue;
    const twice = taken(owners, piece.pages, `buffer#${number}`);
    if (twice !== null) return twice;
  }
  const seen = new Set<number>();
  for (const { number, data: { connection, transport: { rings } } } of channels) {
    if (rings === null || seen.has(connection)) continue;
    seen.add(connection);
    const twice = taken(owners, [...rings.toServer, ...rings.toClient], `the rings of channel#${number}`);
    if (twice !== null) return twice;
  }
  return null;
}

function taken(owners: Map<number, string>, pages: readonly number[], by: string): string | null {
  for (const page of pages) {
    const other = owners.get(page);
    if (other !== undefined) return `page 0x${page.toString(16)} is of ${by} and of ${other}`;
    owners.set(page, by);
  }
  return null;
}

/** What takes longer to look at: every so many steps. */
export const SLOW_INVARIANTS: Readonly<Record<string, Invariant>> = { objectTablesAgree, pagesHaveOneOwner };
