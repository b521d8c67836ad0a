// The documented clauses of calls, callbacks and their orders, derived from the declarations: what a run can show of each.
// A clause is named by what it is of and its text, so that whoever watches a trace names the same one. Nothing here knows a
// particular call, and nothing here reads traces.

import { CALLBACK_ORDERS, type CallbackOrder } from "./callback_orders.ts";
import { type CallPlan, CATALOGUE, type ParamPlan } from "./catalogue.ts";
import type { ObjectKind } from "./grammar.ts";
import { OBJECTS } from "./objects.ts";

/** One clause. */
export interface Clause {
  /** The call, callback or order. */
  readonly of: string;
  readonly text: string;
  readonly source: string;
  /** Why no run of the model can show it; null: one can. */
  readonly unreachable: string | null;
}

/** The one name of a clause, as coverage counts it. */
export function clauseName(of: string, text: string): string {
  return `${of}: ${text}`;
}

/** What clauses say. */
export const CLAUSES = {
  seen: "seen",
  succeeds: "succeeds",
  waits: "waits before it returns",
  wrongEnd: "refused at the other endpoint",
  aboveIrql: "refused above PASSIVE_LEVEL",
  fails: "fails",
  returns: "returns",
} as const;

/** A handle that cannot be used: why, of which parameter. */
export function handleClause(param: string, why: "null" | "unknown" | "dead" | "foreign"): string {
  return `refused: ${param} is ${HANDLE_TEXTS[why]}`;
}

const HANDLE_TEXTS = {
  null: "null",
  unknown: "no handle",
  dead: "a handle of what is gone",
  foreign: "another side's",
} as const;

/** A call on an object in a state. */
export function stateClause(param: string, state: string, isAdmitted: boolean): string {
  return `${isAdmitted ? "succeeds" : "refused"}: ${param} is ${state}`;
}

/** A documented status; `NULL` instead of an object. */
export function answerClause(status: string): string {
  return `answers ${status}`;
}

/** A callback at one side. */
export function raisedClause(side: string): string {
  return `raised at the ${side}`;
}

/** Kinds that whoever knows their handle may name. */
const SHARED: ReadonlySet<ObjectKind> = new Set<ObjectKind>(["buffer", "mdl", "gpadl"]);

/** Whether a side can name another side's object of this kind, and is refused. */
export function isPrivate(kind: ObjectKind): boolean {
  return !SHARED.has(kind);
}

/** Every clause of a declaration. */
export function clausesOf(plan: CallPlan): readonly Clause[] {
  const { name, declaration, level, isCallback } = plan;
  const source = declaration.source ?? "the notation: a call of the machine";
  const unreachable = new Map(Object.entries(declaration.unreachable ?? {}));
  const texts = declaration.observes !== undefined || level === "wire"
    ? [CLAUSES.seen]
    : isCallback
    ? callbackTexts(plan)
    : callTexts(plan);
  return texts.map((text) => ({ of: name, text, source, unreachable: unreachable.get(text) ?? neverAt(plan, text) }));
}

/** What a state says of an endpoint that is never in it. */
function neverAt({ ins, declaration: { endpoint } }: CallPlan, text: string): string | null {
  const isClosed = ins.some(({ name, kind }) => kind === "channel" && text === stateClause(name, "closed", false));
  return isClosed && endpoint === "client"
    ? "a client's end is disabled, never closed, after a close (kmcl.md 1.2)"
    : null;
}

/** Every clause of an order of callbacks, one for each endpoint. */
export const ORDER_CLAUSES: readonly Clause[] = Object.entries<CallbackOrder>(CALLBACK_ORDERS).flatMap(
  ([name, { source }]) =>
    ["server", "client"].map((side) => ({ of: name, text: `kept at the ${side}`, source, unreachable: null })),
);

function callbackTexts({ declaration: { endpoint, returns } }: CallPlan): string[] {
  const raised = endpoint === "both" ? ["client", "server"] : [endpoint];
  return [
    ...raised.map(raisedClause),
    ...(returns === "status" ? [CLAUSES.succeeds, CLAUSES.fails] : [CLAUSES.returns]),
  ];
}

/** In the order in which a call is admitted. */
function callTexts(plan: CallPlan): string[] {
  const { declaration: { endpoint, irql, blocks, answers = [] } } = plan;
  return [
    CLAUSES.succeeds,
    ...(blocks === true ? [CLAUSES.waits] : []),
    ...(endpoint === "client" || endpoint === "server" ? [CLAUSES.wrongEnd] : []),
    ...(irql === undefined ? [] : [CLAUSES.aboveIrql]),
    ...plan.ins.flatMap((param) => handleTexts(param, param.name, plan)),
    ...plan.ins.flatMap((param) => stateTexts(param, plan)),
    ...answers.map(answerClause),
  ];
}

function handleTexts(param: ParamPlan, path: string, plan: CallPlan): string[] {
  if (param.kind === null) {
    return param.members.filter(({ goesIn }) => goesIn).flatMap((member) =>
      handleTexts(member, `${path}.${member.name}`, plan)
    );
  }
  const mayBeNull = param.optional || param.direction === "inout";
  return [
    ...(mayBeNull ? [] : [handleClause(path, "null")]),
    handleClause(path, "unknown"),
    handleClause(path, "dead"),
    ...(hasForeign(param.kind, plan) ? [handleClause(path, "foreign")] : []),
  ];
}

/** Sides below everyone's handles: they may name any. */
const PRIVILEGED: ReadonlySet<string> = new Set(["kmd", "gpu", "machine"]);

/** Whether another side than the caller's can own an object of this kind. */
function hasForeign(kind: ObjectKind, { declaration: { endpoint } }: CallPlan): boolean {
  if (!isPrivate(kind) || PRIVILEGED.has(endpoint)) return false;
  const makers = MAKERS.get(kind) ?? new Set<string>();
  return endpoint === "umd" || endpoint === "both" || [...makers].some((maker) => maker !== endpoint);
}

/** Endpoints that make objects of a kind. */
const MAKERS: ReadonlyMap<ObjectKind, ReadonlySet<string>> = new Map(
  Object.keys(OBJECTS).filter(isKind).map((kind) => [
    kind,
    new Set(
      CATALOGUE.filter(({ effects }) => effects.some(({ verb, param }) => verb === "create" && param.kind === kind))
        .map(({ declaration }) => declaration.endpoint),
    ),
  ]),
);

function isKind(name: string): name is ObjectKind {
  return Object.hasOwn(OBJECTS, name);
}

function stateTexts({ name, kind, isArray }: ParamPlan, { declaration: { needs = {} } }: CallPlan): string[] {
  const admitted = needs[name];
  if (admitted === undefined || kind === null || isArray) return [];
  const states: readonly string[] = OBJECTS[kind].states.slice(0, -1);
  return states.map((state) => stateClause(name, state, admitted.includes(state)));
}
