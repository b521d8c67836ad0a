// A declaration as the dispatch walks it: names resolved to indexes once, so that a call looks up nothing.
// It must not know a particular call; of a world it knows where to look for objects, not which there are.

import type { CallPlan, ParamPlan } from "../api/mod.ts";
import type { Behaviour } from "./behaviour.ts";
import { BEHAVIOURS } from "./behaviours.ts";
import { Signature } from "./bind.ts";
import type { KindTable } from "./object_tables.ts";
import type { World } from "./world.ts";

/** An in parameter that is an object, or holds some. */
export interface ObjectStep {
  readonly index: number;
  readonly param: ParamPlan;
  /** The objects of its kind, where the value itself is the object; null: it is an array or a structure. */
  readonly table: KindTable | null;
}

/** An in parameter that must be an object in one of these states. */
export interface NeedStep {
  readonly index: number;
  readonly states: readonly string[];
}

/** An in parameter whose object goes into a state after success. */
export interface MoveStep {
  readonly index: number;
  readonly state: string;
}

/** A declaration, compiled for an engine. */
export interface CompiledCall {
  readonly plan: CallPlan;
  readonly signature: Signature;
  /** Undefined: the tables say it all, or it is not modelled. */
  readonly behaviour: Behaviour | undefined;
  readonly isModelled: boolean;
  readonly returnsStatus: boolean;
  /** It belongs to PASSIVE_LEVEL. */
  readonly isPassive: boolean;
  /** The only end of a channel that may call; null: any side. */
  readonly endpoint: "client" | "server" | null;
  /** In the order in which they are admitted. */
  readonly objects: readonly ObjectStep[];
  readonly needs: readonly NeedStep[];
  readonly moves: readonly MoveStep[];
  /** In parameters whose objects end after success. */
  readonly destroys: readonly number[];
  /** The arguments with the objects that they name; set by each call, as one is over before the next one begins. */
  args: readonly unknown[];
}

/** Compiles a declaration for a world; each engine does it once per call that it sees. */
export function compileCall(plan: CallPlan, world: World): CompiledCall {
  const { declaration, ins, effects } = plan;
  const { endpoint, returns } = declaration;
  return {
    plan,
    signature: new Signature(ins, world),
    behaviour: BEHAVIOURS[plan.name],
    isModelled: declaration.modelled !== false,
    returnsStatus: returns === "status",
    isPassive: isPassive(plan, world),
    endpoint: endpoint === "client" || endpoint === "server" ? endpoint : null,
    objects: ins.map((param, index) => ({ index, param, table: tableFor(param, world) }))
      .filter(({ param, table }) => table !== null || isNested(param)),
    needs: byIndex(ins, declaration.needs ?? {})
      .filter(({ param }) => isDirectObject(param)).map(({ index, value }) => ({ index, states: value })),
    moves: byIndex(ins, declaration.moves ?? {}).map(({ index, value }) => ({ index, state: value })),
    destroys: effects.filter(({ verb, subject }) => verb === "destroy" && subject.from === "in")
      .map(({ subject }) => subject.index),
    args: [],
  };
}

/** What cannot wait above PASSIVE_LEVEL stays there, whatever the options say. */
function isPassive({ declaration: { irql, blocks }, level, effects }: CallPlan, { options }: World): boolean {
  if (irql !== "PASSIVE_LEVEL") return false;
  const isFree = options["gpadl-irql"] === "any" && level === "kmcl" && blocks !== true;
  return !isFree || !effects.some(({ param }) => param.kind === "gpadl");
}

function tableFor(param: ParamPlan, world: World): KindTable | null {
  return isDirectObject(param) && param.kind !== null ? world.tableOf(param.kind) : null;
}

function isDirectObject({ storage, isArray }: ParamPlan): boolean {
  return storage === "object" && !isArray;
}

/** Arrays and structures are walked, whatever they hold. */
function isNested({ storage, isArray }: ParamPlan): boolean {
  return isArray || storage === "struct";
}

/** What a table says of parameters by name, for those that go in. */
function byIndex<T>(
  ins: readonly ParamPlan[],
  table: Readonly<Record<string, T>>,
): { readonly index: number; readonly param: ParamPlan; readonly value: T }[] {
  return Object.entries(table).flatMap(([name, value]) => {
    const index = ins.findIndex((param) => param.name === name);
    const param = ins[index];
    return param === undefined ? [] : [{ index, param, value }];
  });
}
