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

/** Makes a call of a side. */
export type Caller = (plan: CallPlan, side: string, args: object) => Promise<unknown>;

const METHODS = new Map<string, readonly string[]>();

function callsOf(side: BaseSide): readonly string[] {
  const found = METHODS.get(side);
  if (found !== undefined) return found;
  const names = Object.entries(CALLS).filter(([, { endpoint }]) => mayCall(side, endpoint)).map(([name]) => name);
  METHODS.set(side, names);
  return names;
}

/** The object of a side (`client`, `umd#2`, …) whose methods ask `caller`. */
export function sideApi<S extends BaseSide>(side: string, caller: Caller): SideApi<S> {
  const base = baseSide(side);
  if (base === null) throw new TypeError(`Cannot act as "${side}": it is no side`);
  const methods = callsOf(base).map((name) => {
    const plan = planOf(callName(name));
    return [name, (args: object = {}) => caller(plan, side, args)];
  });
  return typed(Object.fromEntries(methods));
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
