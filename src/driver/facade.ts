// What a program holds in its hands: for each side an object with a method per call, typed from the declarations.
// A method only asks the scheduler; it knows no engine.

import {
  type ArgsOf,
  type BaseSide,
  baseSide,
  type CallPlan,
  CALLS,
  mayCall,
  planOf,
  type ResultOf,
} from "../api/mod.ts";
import type { Method } from "./call_site.ts";

type Sides<E> = E extends "client" | "server" | "both" ? "client" | "server"
  : E extends "umd" ? "umd" | "guest-umd"
  : E extends "cpu" ? "guest" | "host"
  : E;

/** The calls that a side can make, as methods. Arguments by the DDI's names; the result has `status`, `value` or `refused`, and the outputs. */
export type SideApi<S extends BaseSide> = {
  readonly [N in keyof typeof CALLS as S extends Sides<(typeof CALLS)[N]["endpoint"]> ? N : never]: (
    args?: ArgsOf<(typeof CALLS)[N]>,
  ) => Promise<ResultOf<(typeof CALLS)[N]>>;
};

/** Makes a call of a side; `method` is what the program called. */
export type Caller = (plan: CallPlan, side: string, args: object, method: Method) => Promise<unknown>;

/** The calls of one side; every thread has its own, so the methods stand on a class that is made once a side. */
class Face {
  readonly #side: string;
  readonly #caller: Caller;

  constructor(side: string, caller: Caller) {
    this.#side = side;
    this.#caller = caller;
  }

  /** The method of a call; it may be taken out and called alone. */
  method(plan: CallPlan): Method {
    const method: Method = (args = {}) => this.#caller(plan, this.#side, args, method);
    return method;
  }
}

/** By base side: a callback's thread has each, and most were asked for before. */
const FACES = new Map<string, typeof Face>();

function faceOf(side: BaseSide): typeof Face {
  const known = FACES.get(side);
  if (known !== undefined) return known;
  const made = class extends Face {};
  for (const [name, { endpoint }] of Object.entries(CALLS)) {
    if (!mayCall(side, endpoint)) continue;
    const plan = planOf(callName(name));
    Object.defineProperty(made.prototype, name, {
      enumerable: true,
      get(this: Face) {
        return this.method(plan);
      },
    });
  }
  FACES.set(side, made);
  return made;
}

/** The object of a side (`client`, `umd#2`, …) whose methods ask `caller`; `TypeError` where there is no such side. */
export function sideApi<S extends BaseSide>(side: string, caller: Caller): SideApi<S> {
  const Side = FACES.get(side) ?? faceOfNew(side);
  return typed(new Side(side, caller));
}

function faceOfNew(side: string): typeof Face {
  const base = baseSide(side);
  if (base === null) throw new TypeError(`Cannot act as "${side}": it is no side`);
  return faceOf(base);
}

function callName(name: string): keyof typeof CALLS {
  if (!isCallName(name)) throw new TypeError(`Cannot find the declaration of ${name}`);
  return name;
}

function isCallName(name: string): name is keyof typeof CALLS {
  return Object.hasOwn(CALLS, name);
}

/** The methods and `SideApi` are both made from the declarations; this is where the two meet. */
function typed<S extends BaseSide>(methods: unknown): SideApi<S> {
  return methods as SideApi<S>;
}
