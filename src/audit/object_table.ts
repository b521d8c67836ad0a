// The objects of a trace, folded from `create` and `destroy` effects: who made each, where, who owns it.
// Memory is bound to what lives: of the dead only the newest are kept, and per birthplace a count.

import { type CallPlan, isArray, isRef, isStruct, type ObjectKind, OBJECTS } from "../api/mod.ts";
import type { Operand, Ref, Value } from "../api/mod.ts";
import type { Site } from "../trace/mod.ts";
import type { CallView } from "./detector.ts";
import type { Evidence, Siblings } from "./finding.ts";
import { Newest } from "./newest.ts";

/** An object, from its creation on. */
export interface Tracked {
  readonly ref: Ref;
  readonly side: string;
  /** Creating event, call and site. */
  readonly createdAt: number;
  readonly createdBy: CallPlan;
  readonly site: Site | null;
  readonly owner: Ref | null;
  /** The event that ended it, 0 while it lives. */
  endedAt: number;
}

interface Birthplace {
  created: number;
  released: number;
  example: Siblings["example"];
}

/** The object table of one audit. */
export class ObjectTable {
  readonly #live = new Map<ObjectKind, Map<number, Tracked>>();
  /** The newest dead of each kind. */
  readonly #dead = new Map<ObjectKind, Newest<number, Tracked>>();
  readonly #children = new Map<Tracked, Set<Tracked>>();
  readonly #birthplaces = new Map<string, Birthplace>();

  /** Takes what a call that succeeded created; what lives already (a resource that was added to) is not created again. */
  create(call: CallView): readonly Tracked[] {
    const made: Tracked[] = [];
    for (const { verb, subject } of call.plan.effects) {
      if (verb !== "create") continue;
      for (const ref of refsAt(call, subject)) {
        if (this.live(ref) === undefined) made.push(this.#add(call, ref, made));
      }
    }
    return made;
  }

  /** Takes what a call that succeeded destroyed, with what its kinds' tables say goes along; returns all that ended. */
  destroy(call: CallView): readonly Tracked[] {
    const ended: Tracked[] = [];
    for (const { verb, subject } of call.plan.effects) {
      if (verb !== "destroy") continue;
      for (const ref of refsAt(call, subject)) ended.push(...this.end(ref, call.returnedAt));
    }
    return ended;
  }

  /** Ends one object and what is released with it. */
  end(ref: Ref, event: number): readonly Tracked[] {
    const object = this.live(ref);
    return object === undefined ? [] : this.#end(object, { event, isRelease: true });
  }

  /** Ends the GPU objects of a process that died: nobody released them. */
  endProcess(side: string, event: number): readonly Tracked[] {
    const ended: Tracked[] = [];
    for (const [kind, objects] of this.#live) {
      if (OBJECTS[kind].handles !== "d3dkmt") continue;
      const own = [...objects.values()].filter((object) => object.side === side);
      for (const object of own) if (object.endedAt === 0) ended.push(...this.#end(object, { event, isRelease: false }));
    }
    return ended;
  }

  /** The object, alive or among the newest dead. */
  find(ref: Ref): Tracked | undefined {
    return this.live(ref) ?? this.#dead.get(ref.kind)?.get(ref.number);
  }

  /** The object if it lives. */
  live(ref: Ref): Tracked | undefined {
    return this.#live.get(ref.kind)?.get(ref.number);
  }

  /** Live objects of a kind, oldest first. */
  *all(kind: ObjectKind): IterableIterator<Tracked> {
    yield* this.#live.get(kind)?.values() ?? [];
  }

  /** Kinds that any object was of, in the order first seen. */
  kinds(): readonly ObjectKind[] {
    return [...this.#live.keys()];
  }

  /** Live objects that an object owns. */
  childrenOf(object: Tracked): readonly Tracked[] {
    return [...(this.#children.get(object) ?? [])];
  }

  /** What became of the others created by the same call at the same site. */
  siblingsOf(object: Tracked): Siblings {
    const place = this.#birthplaces.get(birthplaceOf(object));
    return { created: place?.created ?? 0, released: place?.released ?? 0, example: place?.example ?? null };
  }

  #add(call: CallView, ref: Ref, madeWithIt: readonly Tracked[]): Tracked {
    const owner = this.#ownerOf(call, ref.kind, madeWithIt);
    const object: Tracked = {
      ref,
      side: call.side,
      createdAt: call.event,
      createdBy: call.plan,
      site: call.site,
      owner: owner?.ref ?? null,
      endedAt: 0,
    };
    const table = this.#live.get(ref.kind) ?? new Map<number, Tracked>();
    table.set(ref.number, object);
    this.#live.set(ref.kind, table);
    if (owner !== undefined) this.#children.set(owner, (this.#children.get(owner) ?? new Set()).add(object));
    const key = birthplaceOf(object);
    const place = this.#birthplaces.get(key) ?? { created: 0, released: 0, example: null };
    place.created += 1;
    this.#birthplaces.set(key, place);
    return object;
  }

  #ownerOf(call: CallView, kind: ObjectKind, madeWithIt: readonly Tracked[]): Tracked | undefined {
    for (const ownerKind of OBJECTS[kind].owners) {
      const made = madeWithIt.find((object) => object.ref.kind === ownerKind);
      const named = call.object(ownerKind);
      const owner = made ?? (named === null ? undefined : this.live(named));
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  #end(object: Tracked, how: { readonly event: number; readonly isRelease: boolean }): Tracked[] {
    const children = [...(this.#children.get(object) ?? [])].filter((child) => goesWith(child));
    object.endedAt = how.event;
    this.#live.get(object.ref.kind)?.delete(object.ref.number);
    const ended = children.flatMap((child) => child.endedAt === 0 ? this.#end(child, how) : []);
    this.#bury(object);
    const place = this.#birthplaces.get(birthplaceOf(object));
    if (place !== undefined && how.isRelease) {
      place.released += 1;
      place.example ??= { object: object.ref, event: how.event };
    }
    return [...ended, object];
  }

  #bury(object: Tracked): void {
    const { kind, number } = object.ref;
    const dead = this.#dead.get(kind) ?? new Newest<number, Tracked>();
    dead.set(number, object);
    this.#dead.set(kind, dead);
    const owner = object.owner === null ? undefined : this.find(object.owner);
    if (owner !== undefined) this.#children.get(owner)?.delete(object);
    this.#children.delete(object);
  }
}

function goesWith(child: Tracked): boolean {
  return OBJECTS[child.ref.kind].ownerEnd === "released";
}

function birthplaceOf({ ref, createdBy, site }: Tracked): string {
  return `${ref.kind} ${createdBy.name} ${site === null ? "" : `${site.file}:${site.line}:${site.column}`}`;
}

/** Evidence of an object's creation. */
export function creationOf({ createdAt, createdBy, site, side }: Tracked, role = "created"): Evidence {
  return { event: createdAt, role, site, call: createdBy.name, side };
}

/** The object references that an operand of a call holds. */
export function refsAt(call: CallView, { from, index, member }: Operand): readonly Ref[] {
  const value = from === "in" ? call.ins[index] : from === "out" ? call.outs[index] : call.out("return");
  return refsIn(value ?? null, member);
}

function refsIn(value: Value, member: string | null): readonly Ref[] {
  if (isArray(value)) return value.flatMap((each) => refsIn(each, member));
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return [];
  if (isRef(value)) return [value];
  const inner = member !== null && isStruct(value) && Object.hasOwn(value, member) ? value[member] : undefined;
  return inner === undefined ? [] : refsIn(inner, null);
}
