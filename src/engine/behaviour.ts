// What a behaviour is given and what it answers. A behaviour holds only what no table can say:
// handles are resolved, ends and states are checked before it runs; objects in `destroy` effects end after it succeeds.

import { type ModelOptions, type ObjectKind, type Outcome, STATUS, type Value, VOID } from "../api/mod.ts";
import type { EngineObject, ObjectDataByKind } from "./objects.ts";
import type { WaitsOn } from "./waiters.ts";
import type { World } from "./world.ts";

/** What a behaviour answers, and so what a call did. */
export type Reply =
  | { readonly blocked: false; readonly outcome: Outcome; readonly outs: readonly Value[] }
  /** Not yet: it is tried again, with `retry` set, when what it waits on is woken; with null for that after each input. */
  | { readonly blocked: true; readonly on: WaitsOn | null; readonly stillWaits: StillWaits | null };

/** Whether a call that is tried again would wait on, without trying: of what it waits for, as it is now. It changes nothing. */
export type StillWaits = () => boolean;

/** Who calls, and the world it happens in; of one call only, the next one finds it changed. */
export interface Scope {
  readonly world: World;
  /** The caller's side; a user-mode driver's is its process. */
  readonly side: string;
  /** The call's event number. */
  readonly event: number;
  /** The call waited and is tried again. */
  readonly retry: boolean;
  /** The callback event that the call is made in, 0: none. */
  readonly insideCallback: number;
  /** What the call answered in the trace that is replayed, for `placement=recorded`; null: it is not replayed. */
  readonly recorded: readonly Value[] | null;
  /** Makes an object owned by `owner`, on the caller's side. */
  create<K extends ObjectKind>(kind: K, data: ObjectDataByKind[K], owner?: EngineObject): EngineObject<K>;
}

/** A call's behaviour: its in parameters by position, objects resolved; structures with objects resolved inside. */
export type Behaviour = (scope: Scope, ...ins: never[]) => Reply;

const BLOCKED: Reply = Object.freeze({ blocked: true, on: null, stillWaits: null });
const SUCCESS: Outcome = Object.freeze({ form: "status", status: STATUS.STATUS_SUCCESS });
const NO_OUTS: readonly Value[] = Object.freeze([]);
const SUCCEEDED: Reply = Object.freeze({ blocked: false, outcome: SUCCESS, outs: NO_OUTS });
const DONE: Reply = Object.freeze({ blocked: false, outcome: VOID, outs: NO_OUTS });

/** STATUS_SUCCESS with the out parameters by position. */
export function success(...outs: readonly Value[]): Reply {
  return outs.length === 0 ? SUCCEEDED : { blocked: false, outcome: SUCCESS, outs };
}

/** A status that NT_SUCCESS accepts or not, with outs (none where it failed). */
export function answer(status: number, ...outs: readonly Value[]): Reply {
  return { blocked: false, outcome: { form: "status", status }, outs };
}

/** The status that an option names: the model's choice where no document lists one. */
export function optionStatus(options: ModelOptions, name: keyof ModelOptions): number {
  return STATUS_BY_NAME.get(options[name]) ?? STATUS.STATUS_UNSUCCESSFUL;
}
const STATUS_BY_NAME = new Map<string, number>(Object.entries(STATUS));

/** A failing status and no outputs. */
export function fail(status: keyof typeof STATUS): Reply {
  return answer(STATUS[status]);
}

/** A VOID call that did its work. */
export function done(...outs: readonly Value[]): Reply {
  return outs.length === 0 ? DONE : { blocked: false, outcome: VOID, outs };
}

/** A call that returns a value. */
export function value(returned: Value, ...outs: readonly Value[]): Reply {
  return { blocked: false, outcome: { form: "value", value: returned }, outs };
}

/** A call without a status that was misused: no effect. */
export function refuse(reason: string): Reply {
  return { blocked: false, outcome: { form: "refused", reason }, outs: NO_OUTS };
}

/** The call waits, and is tried again after each input. */
export function blocked(): Reply {
  return BLOCKED;
}

/** The call waits: what may wake it, and whether it then still does, at a glance. */
export function blockedOn(on: WaitsOn, stillWaits: StillWaits): Reply {
  return { blocked: true, on, stillWaits };
}
