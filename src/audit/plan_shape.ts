// What rules ask of a declaration again and again, found once per plan: places of values by type word and kind, effects
// by verb, and bits that nobody may set. Asking it must not allocate. It must not know rules, nor events.

import type { CallPlan, EffectPlan, ObjectKind, ParamPlan } from "../api/mod.ts";

/** A parameter with bits that are reserved or the system's. */
export interface StrayBits {
  readonly index: number;
  readonly name: string;
  /** Bits that may be set. */
  readonly allowed: bigint;
  /** Those of the low 31 bits. */
  readonly allowedLow: number;
}

/** Places of the first in parameters of a kind or of a type word, and of out parameters that are made. */
export type Places = ReturnType<typeof placesIn>;

/** Resolved once, so that no call asks by name. */
function placesIn(shape: PlanShape) {
  return {
    channel: shape.object("channel"),
    gpadl: shape.object("gpadl"),
    buffer: shape.object("buffer"),
    mdl: shape.object("mdl"),
    pagingQueue: shape.object("pagingQueue"),
    adapter: shape.object("adapter"),
    allocation: shape.object("allocation"),
    madeGpadl: shape.out("gpadl"),
    madeMdl: shape.out("mdl"),
    madeGpuVa: shape.out("gpuVa"),
    madeFence: shape.out("pagingFenceValue"),
    gpadlFlags: shape.in("gpadlFlags"),
    byteOffset: shape.in("byteOffset"),
    byteCount: shape.in("byteCount"),
    byteSize: shape.in("byteSize"),
    gpuVaBase: shape.in("gpuVaBase"),
    gpuVaMinimum: shape.in("gpuVaMinimum"),
    gpuVaMaximum: shape.in("gpuVaMaximum"),
    pageOffset: shape.in("pageOffset"),
    pageCount: shape.in("pageCount"),
    protection: shape.in("protection"),
    driverProtection: shape.in("driverProtection"),
  } as const;
}

/** One declaration, as rules look at it. */
export class PlanShape {
  readonly plan: CallPlan;
  /** Effects that create and destroy objects, in declared order. */
  readonly creates: readonly EffectPlan[];
  readonly destroys: readonly EffectPlan[];
  /** The first effect on an address range, or null. */
  readonly range: EffectPlan | null;
  readonly strayBits: readonly StrayBits[];
  /** The CPU writes bytes to memory by it. */
  readonly isWrite: boolean;
  /** What it does to a channel and to a GPADL, or null: as `verbOn` says. */
  readonly channelVerb: EffectPlan["verb"] | null;
  readonly gpadlVerb: EffectPlan["verb"] | null;
  readonly createsAllocations: boolean;
  /** It returns a buffer or an MDL. */
  readonly returnsPages: boolean;
  /** States of the channel that it wants, null: any will do. */
  readonly channelNeeds: readonly string[] | null;
  /** Where what is asked of every call stands among the ins, or what it made among the outs; -1: nowhere. */
  readonly at: Places;
  readonly #ins: ReadonlyMap<string, number>;
  readonly #outs: ReadonlyMap<string, number>;
  readonly #objects: ReadonlyMap<string, number>;
  readonly #verbs: ReadonlyMap<string, EffectPlan["verb"]>;
  readonly #kinds: ReadonlySet<string>;

  constructor(plan: CallPlan) {
    this.plan = plan;
    this.creates = plan.effects.filter(({ verb }) => verb === "create");
    this.destroys = plan.effects.filter(({ verb }) => verb === "destroy");
    this.range = plan.effects.find(({ size }) => size !== null) ?? null;
    this.strayBits = plan.ins.flatMap((param, index) => strayBitsOf(param, index));
    this.#ins = firstPlaces(plan.ins.map(({ word }) => word));
    this.#outs = firstPlaces(plan.outs.map(({ word }) => word));
    this.#objects = firstPlaces(plan.ins.map(({ kind }) => kind));
    this.isWrite = this.in("bytes") >= 0 && (this.object("buffer") >= 0 || this.object("mdl") >= 0);
    this.#verbs = new Map(
      plan.effects.toReversed().flatMap(({ verb, param }) => param.kind === null ? [] : [[param.kind, verb]]),
    );
    this.#kinds = new Set(kindsIn([...plan.params, ...(plan.returned === null ? [] : [plan.returned])]));
    this.channelVerb = this.verbOn("channel");
    this.gpadlVerb = this.verbOn("gpadl");
    this.createsAllocations = this.verbOn("allocation") === "create";
    this.returnsPages = plan.returned !== null && (plan.returned.kind === "buffer" || plan.returned.kind === "mdl");
    this.at = placesIn(this);
    const channel = plan.ins[this.at.channel];
    this.channelNeeds = channel === undefined ? null : plan.declaration.needs?.[channel.name] ?? null;
  }

  /** The place of the first in parameter of this type word, -1: none. */
  in(word: string): number {
    return this.#ins.get(word) ?? -1;
  }

  /** The place of the first out parameter of this type word, -1: none. */
  out(word: string): number {
    return this.#outs.get(word) ?? -1;
  }

  /** The place of the first in parameter of this kind, -1: none. */
  object(kind: string): number {
    return this.#objects.get(kind) ?? -1;
  }

  /** What a call does to an object of this kind, or null. */
  verbOn(kind: ObjectKind): EffectPlan["verb"] | null {
    return this.#verbs.get(kind) ?? null;
  }

  /** Whether a parameter, a member of one, or the returned value is an object of this kind. */
  names(kind: ObjectKind): boolean {
    return this.#kinds.has(kind);
  }
}

const SHAPES = new WeakMap<CallPlan, PlanShape>();

/** The shape of a plan. */
export function shapeOf(plan: CallPlan): PlanShape {
  const known = SHAPES.get(plan);
  if (known !== undefined) return known;
  const made = new PlanShape(plan);
  SHAPES.set(plan, made);
  return made;
}

function firstPlaces(names: readonly (string | null)[]): ReadonlyMap<string, number> {
  const places = new Map<string, number>();
  for (const [index, name] of names.entries()) if (name !== null && !places.has(name)) places.set(name, index);
  return places;
}

function kindsIn(params: readonly ParamPlan[]): readonly ObjectKind[] {
  return params.flatMap(({ kind, members }) => [...(kind === null ? [] : [kind]), ...kindsIn(members)]);
}

/** A reserved field may hold nothing; flags with a bit for the system only what a driver may set. */
function strayBitsOf({ word, name, scalar }: ParamPlan, index: number): readonly StrayBits[] {
  if (word === "reserved") return [{ index, name, allowed: 0n, allowedLow: 0 }];
  const flags = Object.entries(scalar?.flags ?? {});
  if (!flags.some(([flag]) => flag === "SystemUseOnly")) return [];
  const own = flags.filter(([flag]) => flag !== "SystemUseOnly");
  const allowed = own.reduce((sum, [, bit]) => sum | BigInt(bit), 0n);
  return [{ index, name, allowed, allowedLow: Number(allowed & 0x7fffffffn) }];
}
