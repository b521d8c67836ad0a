// The one class of all objects, so that all have one shape: what most calls ask for stands first.
// It must not know tables, nor when an object begins and ends.

import type { ObjectKind, Ref } from "../api/mod.ts";
import type { EngineObject, ObjectDataByKind } from "./objects.ts";

/** An object; it serves again as another one of its kind once nobody knows it any more. */
export class WorldObject<K extends ObjectKind = ObjectKind> implements EngineObject<K> {
  alive = false;
  side = "";
  readonly kind: K;
  state = "";
  data: ObjectDataByKind[K];
  number = 0;
  handle = 0;
  owner: EngineObject | null = null;
  children: EngineObject[] | null = null;
  adoptions = 0;
  place = 0;
  adoption = 0;
  /** The input in which it ended. */
  endedIn = 0;

  constructor(kind: K, data: ObjectDataByKind[K]) {
    this.kind = kind;
    this.data = data;
  }

  get ref(): Ref {
    return { kind: this.kind, number: this.number, handle: this.handle };
  }

  /** Its life begins, without a family. */
  begin({ number, handle, side, state }: Pick<EngineObject, "number" | "handle" | "side" | "state">): void {
    this.alive = true;
    this.number = number;
    this.handle = handle;
    this.side = side;
    this.state = state;
    this.adoptions = 0;
  }
}
