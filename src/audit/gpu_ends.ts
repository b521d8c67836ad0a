// Which GPU objects end with a call: those it names, what their kinds' table releases with them, and a resource's
// allocations. It must not know rules or addresses.

import { canonicalSide, OBJECTS, type Ref } from "../api/mod.ts";
import type { CallView } from "./detector.ts";
import { createdBy, destroyedBy, GPU_KINDS } from "./gpu_call_values.ts";
import type { ObjectTable } from "./object_table.ts";

/** The call by which a process dies. */
const PROCESS_EXIT = "ExitProcess";

/** The side whose process a call ends, or null. */
export function exitedSide(call: CallView): string | null {
  const side = call.plan.name === PROCESS_EXIT && call.succeeded ? call.in("sideName") : undefined;
  return typeof side === "string" ? canonicalSide(side) : null;
}

/** The ends of GPU objects. */
export class GpuEnds {
  /** A resource's allocations: the object table's owner of an allocation is its device. */
  readonly #members = new Map<number, Ref[]>();

  /** All that ends with a call, children before their owner. To ask before the object table forgets them. */
  endedBy(call: CallView, objects: ObjectTable): readonly Ref[] {
    if (!call.succeeded) return [];
    const ended = new Map<string, Ref>();
    for (const ref of destroyedBy(call)) this.#collect(ref, { objects, ended });
    const side = exitedSide(call);
    if (side !== null) {
      const left = GPU_KINDS.flatMap((kind) => [...objects.all(kind)]);
      for (const object of left) {
        if (canonicalSide(object.side) === side) this.#collect(object.ref, { objects, ended });
      }
    }
    return [...ended.values()];
  }

  /** Takes note of a call that succeeded, after its ends. */
  take(call: CallView, ended: readonly Ref[]): void {
    for (const { kind, number } of ended) if (kind === "resource") this.#members.delete(number);
    const resource = call.out("resource");
    const [owner] = createdBy(call).filter(({ kind }) => kind === "resource").concat(call.object("resource") ?? []);
    if (resource === undefined || owner === undefined) return;
    const members = this.#members.get(owner.number) ?? [];
    members.push(...createdBy(call).filter(({ kind }) => kind === "allocation"));
    this.#members.set(owner.number, members);
  }

  #collect(ref: Ref, into: { readonly objects: ObjectTable; readonly ended: Map<string, Ref> }): void {
    const { objects, ended } = into;
    const key = `${ref.kind} ${ref.number}`;
    if (!GPU_KINDS.includes(ref.kind) || ended.has(key)) return;
    const object = objects.live(ref);
    const children = object === undefined ? [] : objects.childrenOf(object);
    for (const child of children) if (OBJECTS[child.ref.kind].ownerEnd === "released") this.#collect(child.ref, into);
    if (ref.kind === "resource") {
      for (const member of this.#members.get(ref.number) ?? []) {
        this.#collect(member, into);
      }
    }
    ended.set(key, ref);
  }
}
