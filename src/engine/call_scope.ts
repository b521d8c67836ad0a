// What a behaviour is told of its call, filled in by the dispatch. It must not know calls.

import type { ObjectKind, Value } from "../api/mod.ts";
import type { Scope } from "./behaviour.ts";
import type { EngineObject, ObjectDataByKind } from "./objects.ts";
import type { Maker, World } from "./world.ts";

/** The one scope of an engine: calls do not nest, so each call finds it set anew. */
export class CallScope implements Scope, Maker {
  readonly world: World;
  side = "";
  event = 0;
  retry = false;
  insideCallback = 0;
  recorded: readonly Value[] | null = null;
  owner: EngineObject | null = null;

  constructor(world: World) {
    this.world = world;
  }

  create<K extends ObjectKind>(kind: K, data: ObjectDataByKind[K], owner: EngineObject | null = null): EngineObject<K> {
    this.owner = owner;
    return this.world.create(kind, data, this);
  }
}
