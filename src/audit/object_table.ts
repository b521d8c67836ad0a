// The objects of a trace, folded from `create` and `destroy` effects: who made each, where, who owns it.
// Memory is bound to what lives: of the dead only the newest are kept, and per birthplace a count.

import { type CallPlan, type ObjectKind, OBJECTS, operandRefs, type Ref } from "../api/mod.ts";
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

/** A tracked object with what only the table sees. */
interface Entry extends Tracked {
  readonly birthplace: Birthplace;
  /** Its owner while both live. */
  parent: Entry | null;
  /** The oldest and newest live object that it owns, and its own neighbours among its owner's: a list without lists. */
  firstChild: Entry | null;
  lastChild: Entry | null;
  older: Entry | null;
  younger: Entry | null;
}

/** The object table of one audit. */
export class ObjectTable {
  readonly #live = new Map<ObjectKind, Map<number, Entry>>();
  /** The newest dead of each kind. */
  readonly #dead = new Map<ObjectKind, Newest<number, Entry>>();
  readonly #birthplaces = new Birthplaces();

  /** Takes what a call that succeeded created; what lives already (a resource that was added to) is not created again. */
  create(call: CallView): readonly Tracked[] {
    const { creates } = call.shape;
    if (creates.length === 0) return NONE;
    const made: Entry[] = [];
    for (const { subject } of creates) {
      for (const ref of operandRefs(call, subject)) {
        if (this.live(ref) === undefined) made.push(this.#add(call, ref, made));
      }
    }
    return made;
  }

  /** Takes what a call that succeeded destroyed, with what its kinds' tables say goes along; returns all that ended. */
  destroy(call: CallView): readonly Tracked[] {
    const { destroys } = call.shape;
    if (destroys.length === 0) return NONE;
    const ended: Entry[] = [];
    for (const { subject } of destroys) {
      for (const ref of operandRefs(call, subject)) this.#endLive(ref, call.returnedAt, ended);
    }
    return ended;
  }

  /** Ends one object and what is released with it. */
  end(ref: Ref, event: number): readonly Tracked[] {
    const ended: Entry[] = [];
    this.#endLive(ref, event, ended);
    return ended;
  }

  /** Ends the GPU objects of a process that died: nobody released them. */
  endProcess(side: string, event: number): readonly Tracked[] {
    const ended: Entry[] = [];
    for (const [kind, objects] of this.#live) {
      if (OBJECTS[kind].handles !== "d3dkmt") continue;
      const own = [...objects.values()].filter((object) => object.side === side);
      for (const object of own) if (object.endedAt === 0) this.#end(object, { event, isRelease: false }, ended);
    }
    return ended;
  }

  /** The object, alive or among the newest dead. */
  find(ref: Ref): Tracked | undefined {
    return this.#live.get(ref.kind)?.get(ref.number) ?? this.#dead.get(ref.kind)?.get(ref.number);
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
    const { kind, number } = object.ref;
    return [...childrenOf(this.#live.get(kind)?.get(number))];
  }

  /** What became of the others created by the same call at the same site. */
  siblingsOf(object: Tracked): Siblings {
    const { created, released, example } = this.#birthplaces.of(object);
    return { created, released, example };
  }

  #add(call: CallView, ref: Ref, madeWithIt: readonly Entry[]): Entry {
    const owner = this.#ownerOf(call, ref.kind, madeWithIt);
    const object: Entry = {
      ref,
      side: call.side,
      createdAt: call.event,
      createdBy: call.plan,
      site: call.site,
      owner: owner?.ref ?? null,
      endedAt: 0,
      birthplace: this.#birthplaces.of({ ref, createdBy: call.plan, site: call.site }),
      parent: null,
      firstChild: null,
      lastChild: null,
      older: null,
      younger: null,
    };
    object.birthplace.created += 1;
    this.#tableOf(ref.kind).set(ref.number, object);
    if (owner !== undefined) adopt(owner, object);
    return object;
  }

  #tableOf(kind: ObjectKind): Map<number, Entry> {
    const known = this.#live.get(kind);
    if (known !== undefined) return known;
    const made = new Map<number, Entry>();
    this.#live.set(kind, made);
    return made;
  }

  #ownerOf(call: CallView, kind: ObjectKind, madeWithIt: readonly Entry[]): Entry | undefined {
    for (const ownerKind of OBJECTS[kind].owners) {
      const made = madeWithIt.find((object) => object.ref.kind === ownerKind);
      const named = made === undefined ? call.object(ownerKind) : null;
      const owner = made ?? (named === null ? undefined : this.#live.get(named.kind)?.get(named.number));
      if (owner !== undefined) return owner;
    }
    return undefined;
  }

  #endLive(ref: Ref, event: number, ended: Entry[]): void {
    const object = this.#live.get(ref.kind)?.get(ref.number);
    if (object !== undefined) this.#end(object, { event, isRelease: true }, ended);
  }

  /** Ends what goes along first, then the object: `ended` takes them in that order. */
  #end(object: Entry, how: { readonly event: number; readonly isRelease: boolean }, ended: Entry[]): void {
    const { ref: { kind, number }, birthplace } = object;
    object.endedAt = how.event;
    this.#live.get(kind)?.delete(number);
    for (const child of childrenOf(object)) {
      if (child.endedAt === 0 && goesWith(child)) this.#end(child, how, ended);
    }
    this.#bury(object);
    ended.push(object);
    if (!how.isRelease) return;
    birthplace.released += 1;
    birthplace.example ??= { object: object.ref, event: how.event };
  }

  /** The dead hold neither owner nor children, so that no history hangs on them. */
  #bury(object: Entry): void {
    const { kind, number } = object.ref;
    const dead = this.#dead.get(kind) ?? new Newest<number, Entry>();
    dead.set(number, object);
    this.#dead.set(kind, dead);
    leave(object);
    for (const child of childrenOf(object)) leave(child);
  }
}

const NONE: readonly Entry[] = [];

/** Live objects that an object owns, oldest first; one may leave while they are walked. */
function* childrenOf(object: Entry | undefined): IterableIterator<Entry> {
  for (let child = object?.firstChild ?? null; child !== null;) {
    const { younger } = child;
    yield child;
    child = younger;
  }
}

function adopt(owner: Entry, child: Entry): void {
  child.parent = owner;
  child.older = owner.lastChild;
  if (owner.lastChild === null) owner.firstChild = child;
  else owner.lastChild.younger = child;
  owner.lastChild = child;
}

function leave(child: Entry): void {
  const { parent, older, younger } = child;
  if (parent === null) return;
  if (older === null) parent.firstChild = younger;
  else older.younger = younger;
  if (younger === null) parent.lastChild = older;
  else younger.older = older;
  child.parent = null;
  child.older = null;
  child.younger = null;
}

function goesWith(child: Tracked): boolean {
  return OBJECTS[child.ref.kind].ownerEnd === "released";
}

/** What became of the objects of one kind made by the same call at the same site. */
class Birthplaces {
  readonly #places = new Map<string, Map<ObjectKind, Map<string, Birthplace>>>();
  /** A site's text, made once for each chunk that has it. */
  readonly #texts = new WeakMap<Site, string>();

  of({ ref: { kind }, createdBy: { name }, site }: Pick<Tracked, "ref" | "createdBy" | "site">): Birthplace {
    const kinds = kept(this.#places, name, () => new Map<ObjectKind, Map<string, Birthplace>>());
    const sites = kept(kinds, kind, () => new Map<string, Birthplace>());
    return kept(sites, site === null ? "" : this.#textOf(site), newBirthplace);
  }

  #textOf(site: Site): string {
    return kept(this.#texts, site, ({ file, line, column }) => `${file}:${line}:${column}`);
  }
}

function newBirthplace(): Birthplace {
  return { created: 0, released: 0, example: null };
}

/** The value of a key, made where there is none. */
function kept<K, V>(
  map: { get(key: K): V | undefined; set(key: K, value: V): unknown },
  key: K,
  make: (key: K) => V,
): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make(key);
  map.set(key, made);
  return made;
}

/** Evidence of an object's creation. */
export function creationOf({ createdAt, createdBy, site, side }: Tracked, role = "created"): Evidence {
  return { event: createdAt, role, site, call: createdBy.name, side };
}
