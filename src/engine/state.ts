// The state of an object in the notation's words: what `expect state` compares.

import { objectKind } from "../api/mod.ts";
import { channelState } from "./channel.ts";
import type { EngineObject } from "./objects.ts";
import type { World } from "./world.ts";

/** Null where the object's state is the one written, else the state that it is in; `open` also fits `open/active`. */
export function stateMatches(
  world: World,
  { kind, number, state }: { readonly kind: string; readonly number: number; readonly state: string },
): string | null {
  const known = objectKind(kind);
  if (known === null) return `no kind of object ${kind}`;
  const object = world.find(known, number);
  if (object === undefined) return absence(world.countOf(known) >= number, state);
  const actual = stateOf(object);
  return actual === state || actual.split("/")[0] === state ||
      state === "live" && object.alive && object.kind !== "gpadl"
    ? null
    : actual;
}

function absence(existed: boolean, state: string): string | null {
  if (!existed) return "never created";
  return state === "dead" || state === "freed" ? null : "dead";
}

function stateOf(object: EngineObject): string {
  return isChannel(object) ? channelState(object) : object.state;
}

function isChannel(object: EngineObject): object is EngineObject<"channel"> {
  return object.kind === "channel";
}
