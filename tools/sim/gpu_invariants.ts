// What must hold of the GPU's part of a world after every step, each as a named function over the world; null: it holds.
// They read what the engine keeps and compare it with itself.

import { SYMBOLS } from "../../src/api/mod.ts";
import type { World } from "../../src/engine/mod.ts";
import { SLOW_INVARIANTS, watched } from "./invariants.ts";

/** Says what does not hold; null: it does. */
type Invariant = (world: World) => string | null;

/** A queue is never ahead of what it was given, and its fence says how far it is. */
function pagingFencesAgree(world: World): string | null {
  for (const { number, data: { lastFence, completedFence, syncObject, isEnding } } of world.all("pagingQueue")) {
    if (completedFence > lastFence) return `pagingQueue#${number} did ${completedFence} of ${lastFence}`;
    const value = world.find("syncObject", syncObject)?.data.value;
    if (value !== undefined && value !== completedFence) return `the fence of pagingQueue#${number} is at ${value}`;
    const isParked = world.parked.length > 0;
    if (isEnding && !isParked) return `pagingQueue#${number} is ending, and nobody waits`;
  }
  return null;
}

/** Every obtained range has its object, and every object its range. */
function rangesHaveObjects(world: World): string | null {
  const found = new Set<number>();
  for (const [name, space] of world.spaces) {
    for (const { number, kind } of space.vads()) {
      const vad = world.find("vad", number);
      if (vad === undefined) return `${name} has range ${number}, whose object ended`;
      if (vad.data.space !== name) return `vad#${number} is of ${vad.data.space}, and in ${name}`;
      if (vad.state !== kind) return `vad#${number} is ${vad.state}, its range ${kind}`;
      found.add(number);
    }
  }
  for (const { number } of world.all("vad")) if (!found.has(number)) return `vad#${number} has no range`;
  return null;
}

/** What waits in queues waits for something: contexts live, work counts up, a met wait is over. */
function queuesWait(world: World): string | null {
  for (const [number, { device, commands }] of world.gpuQueues) {
    const context = world.find("context", number);
    if (context === undefined) return `context#${number} ended and has commands`;
    if (context.data.device !== device) return `context#${number} has commands of device#${device}`;
    if (world.find("device", device)?.data.execution !== SYMBOLS.executionState.ACTIVE) {
      return `device#${device} is in error, context#${number} has commands`;
    }
    const [head] = commands;
    if (head === undefined) return `context#${number} has an empty queue`;
    if (head.form === "signal") return `context#${number} could signal and does not`;
    if (head.form === "work" && head.submission <= context.data.granted) return `context#${number} could work`;
    const isMet = head.form === "wait" &&
      head.targets.every(({ syncObject, value }) => (world.find("syncObject", syncObject)?.data.value ?? -1n) >= value);
    if (isMet) return `context#${number} waits for what is there`;
  }
  return null;
}

/** Updates that could run have run; calls that wait for room in a queue wait. */
function updatesWait(world: World): string | null {
  const parked = new Set(world.parked.map(({ event }) => event));
  for (const [number, { queue, waiting }] of world.companions) {
    const lost = waiting.find((event) => !parked.has(event));
    if (lost !== undefined) return `context#${number} has an update @${lost} waiting, which does not`;
    const [head] = queue;
    if (head === undefined) {
      if (waiting.length > 0) return `updates of context#${number} wait for a queue that is empty`;
      continue;
    }
    const value = world.find("syncObject", head.syncObject)?.data.value;
    if (head.doesNotWait || (value !== undefined && value >= head.fenceValue)) {
      return `the update @${head.event} of context#${number} could run`;
    }
  }
  return null;
}

/** A destroyed allocation stays only as long as work of its device is older. */
function dyingAreUsed(world: World): string | null {
  for (const [number, { data, after }] of world.dying) {
    if (world.find("allocation", number) !== undefined) return `allocation#${number} is alive and dying`;
    const isUsed = [...world.gpuQueues.values()].some(({ device, commands }) =>
      device === data.device && commands.some((each) => each.form === "work" && each.sequence <= after)
    );
    if (!isUsed) return `allocation#${number} is kept, and no work needs it`;
  }
  return null;
}

function residencyAgrees(world: World): string | null {
  for (const { number, data } of world.all("allocation")) {
    const { residency, residentCount, lockCount, isDiscarded, isOffered } = data;
    if (residentCount < 0 || lockCount < 0) return `allocation#${number} has a count below 0`;
    const isHeld = residency === "resident" || residency === "pending";
    if (residentCount > 0 && !isHeld) return `allocation#${number} is wanted resident and ${residency}`;
    if (isDiscarded && !isOffered) return `allocation#${number} was dropped without an offer`;
  }
  return null;
}

/** Video memory belongs to one allocation, live or dying, and none of it is free. */
function videoPagesHaveOneOwner(world: World): string | null {
  const { video } = world.memory.toPlain();
  const owners = new Map<number, string>(video.free.map((page) => [page, "the free list"]));
  const live = [...world.all("allocation")].map(({ number, data }) => ({ number, data }));
  const dying = [...world.dying].map(([number, { data }]) => ({ number, data }));
  for (const { number, data } of [...live, ...dying]) {
    if (data.partition !== "video") continue;
    for (const page of data.pages) {
      const other = owners.get(page);
      if (other !== undefined) return `page 0x${page.toString(16)} is of allocation#${number} and of ${other}`;
      owners.set(page, `allocation#${number}`);
    }
  }
  return null;
}

/** What page tables point to is an allocation that is there, and a page of it. */
function mappingsReachMemory(world: World): string | null {
  for (const [name, space] of world.spaces) {
    for (let gpu = 0; gpu < space.physicalAdapters; gpu += 1) {
      for (
        const { start, end, value } of space.vadsIn({ start: 0, end: space.pageLimit }).flatMap((
          piece,
        ) => [...space.walk(gpu, piece)])
      ) {
        if (value?.state !== "mapped") continue;
        const data = world.find("allocation", value.allocation)?.data ?? world.dying.get(value.allocation)?.data;
        if (data === undefined) return `${name} maps allocation#${value.allocation}, which ended`;
        if (start < value.origin || end - value.origin > data.pages.length) {
          return `${name} maps past allocation#${value.allocation}`;
        }
      }
    }
  }
  return null;
}

/** What is checked after every step. */
export const GPU_INVARIANTS: Readonly<Record<string, Invariant>> = {
  pagingFencesAgree,
  queuesWait,
  updatesWait,
  dyingAreUsed,
  residencyAgrees,
};

/** What takes longer to look at. */
export const GPU_SLOW_INVARIANTS: Readonly<Record<string, Invariant>> = {
  rangesHaveObjects,
  videoPagesHaveOneOwner,
  ...Object.fromEntries(
    Object.entries(SLOW_INVARIANTS).map(([name, holds]) => [name, (world: World) => holds(watched(world, new Set()))]),
  ),
};

/** What is checked where pages are compared: it looks at them all. */
export const GPU_PAGE_INVARIANTS: Readonly<Record<string, Invariant>> = { mappingsReachMemory };
