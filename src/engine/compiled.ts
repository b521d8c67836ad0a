// A declaration as the dispatch walks it: names resolved to indexes once, so that a call looks up nothing.
// It must not know a particular call, nor the state of a world.

import type { CallPlan, ParamPlan } from "../api/mod.ts";
import type { Behaviour } from "./behaviour.ts";
import { BEHAVIOURS } from "./behaviours.ts";
import { Signature } from "./bind.ts";

/** An in parameter that is an object, or holds some. */
export interface ObjectStep {
  readonly index: number;
  readonly param: ParamPlan;
  /** The value itself is the object; otherwise it is an array or a structure. */
  readonly isDirect: boolean;
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
  /** The only end of a channel that may call; null: any side. */
  readonly endpoint: "client" | "server" | null;
  /** In the order in which they are admitted. */
  readonly objects: readonly ObjectStep[];
  readonly needs: readonly NeedStep[];
  readonly moves: readonly MoveStep[];
  /** In parameters whose objects end after success. */
  readonly destroys: readonly number[];
  /** What the behaviour is given, written anew by each call: a call is over before the next one begins. */
  readonly args: unknown[];
}

/** Compiles a declaration; each engine does it once per call that it sees. */
export function compileCall(plan: CallPlan): CompiledCall {
  const { declaration, ins, effects } = plan;
  const { endpoint, returns } = declaration;
  return {
    plan,
    signature: new Signature(ins),
    behaviour: BEHAVIOURS[plan.name],
    isModelled: declaration.modelled !== false,
    returnsStatus: returns === "status",
    endpoint: endpoint === "client" || endpoint === "server" ? endpoint : null,
    objects: ins.map(objectStep).filter((step) => isDirectObject(step.param) || isNested(step.param)),
    needs: byIndex(ins, declaration.needs ?? {})
      .filter(({ param }) => isDirectObject(param)).map(({ index, value }) => ({ index, states: value })),
    moves: byIndex(ins, declaration.moves ?? {}).map(({ index, value }) => ({ index, state: value })),
    destroys: effects.filter(({ verb, subject }) => verb === "destroy" && subject.from === "in")
      .map(({ subject }) => subject.index),
    args: ins.map(() => null),
  };
}

function objectStep(param: ParamPlan, index: number): ObjectStep {
  return { index, param, isDirect: isDirectObject(param) };
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
