// The declarations' own rules: ids, docs, parameters that effects and states name, verbs in pairs, a scenario for each call.
// It walks plain declarations, so that one that does not compile is reported and not thrown.

import type { Declaration } from "../../src/api/mod.ts";
import type { Failure } from "./rule.ts";
import type { TextFile } from "./source.ts";

/** A declaration with its name. */
export interface Declared {
  readonly name: string;
  readonly declaration: Declaration;
}

/** What the rules need to know beside the calls. */
export interface Surroundings {
  /** Members of each structure, with their specs. */
  readonly structs: Readonly<Record<string, { readonly members: Readonly<Record<string, string>> }>>;
  /** States and end of each kind of object. */
  readonly objects: Readonly<Record<string, { readonly states: readonly string[]; readonly ownerEnd: string }>>;
  /** Names of statuses. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** What is wrong with a declaration, and what was wanted. */
interface Fault {
  readonly name: string;
  readonly is: string;
  readonly wanted: string;
  readonly fix: string;
}

type Check = (calls: readonly Declared[], around: Surroundings) => Fault[];

const CHECKS: readonly Check[] = [sharedIds, sharedNames, docs, operands, states, refusals, pairs];

/** Every fault of the declarations, at the line where each stands. */
export function catalogueFailures(
  calls: readonly Declared[],
  around: Surroundings,
  files: readonly TextFile[],
): Failure[] {
  return CHECKS.flatMap((check) => check(calls, around)).map((fault) => placed(fault, "catalogue", files));
}

/** Modelled calls that no scenario makes. */
export function unexercised(
  calls: readonly Declared[],
  scenarios: readonly TextFile[],
  files: readonly TextFile[],
): Failure[] {
  const made = new Set(scenarios.flatMap(({ text }) => callsOf(text)));
  const wanting = calls.filter(({ name, declaration }) =>
    declaration.modelled !== false && declaration.observes === undefined && !made.has(name)
  );
  return wanting.map(({ name }) =>
    placed(
      { name, is: `${name} is in no scenario`, wanted: "one at least", fix: "add a line to tests/scenarios/*.calls" },
      "scenario",
      files,
    )
  );
}

/** The calls and callbacks that a scenario's lines name, and the messages that its comments say it makes. */
function callsOf(text: string): string[] {
  return [...text.matchAll(/^ *(?:callback |# wire )?[a-z#0-9-]+ (\w+)\(/gm)].flatMap(([, name]) => name ?? []);
}

function placed({ name, ...fault }: Fault, rule: string, files: readonly TextFile[]): Failure {
  const head = `\n  ${name}: {`;
  const file = files.find(({ path, text }) => path.startsWith("src/api/") && text.includes(head));
  const index = file?.text.indexOf(head) ?? -1;
  const line = file === undefined ? 1 : file.text.slice(0, index + 1).split("\n").length;
  return { path: file?.path ?? "src/api/catalogue.ts", line, rule, ...fault };
}

function sharedIds(calls: readonly Declared[]): Fault[] {
  return shared(calls, ({ declaration }) => String(declaration.id)).map(({ call, first }) => ({
    name: call.name,
    is: `${call.name} has id ${call.declaration.id}, which is ${first.name}'s`,
    wanted: "an id of its own",
    fix: "take the next free id: traces hold it for ever",
  }));
}

function sharedNames(calls: readonly Declared[]): Fault[] {
  return shared(calls, ({ name }) => name).map(({ call }) => ({
    name: call.name,
    is: `${call.name} is declared twice`,
    wanted: "one declaration of a name",
    fix: "take one out",
  }));
}

/** Calls whose key an earlier call has. */
function shared(
  calls: readonly Declared[],
  keyOf: (call: Declared) => string,
): { readonly call: Declared; readonly first: Declared }[] {
  const seen = new Map<string, Declared>();
  return calls.flatMap((call) => {
    const first = seen.get(keyOf(call));
    if (first !== undefined) return [{ call, first }];
    seen.set(keyOf(call), call);
    return [];
  });
}

function docs(calls: readonly Declared[]): Fault[] {
  return calls.filter(({ declaration }) => !/^[A-Z0-9].*\.$/s.test(declaration.doc)).map(({ name, declaration }) => ({
    name,
    is: `${name}'s doc is "${declaration.doc}"`,
    wanted: "a sentence with its full stop",
    fix: "write what the call does",
  }));
}

/** Names of parameters in effects, states and observations that the call does not have. */
function operands(calls: readonly Declared[], around: Surroundings): Fault[] {
  return calls.flatMap((call) => {
    const { effects = [], needs = {}, moves = {}, observes } = call.declaration;
    const named = [
      ...effects.flatMap((effect) => effect.split(" ").filter((word, index) => index % 2 === 1 && word !== "")),
      ...Object.keys(needs),
      ...Object.keys(moves),
      ...(observes === undefined ? [] : [...observes.key, ...(observes.range ?? [])]),
    ];
    return named.filter((path) => specOf(call, path, around) === null).map((path) => ({
      name: call.name,
      is: `${call.name} names ${path}, which is none of its parameters`,
      wanted: `one of ${Object.keys(call.declaration.params).join(", ")}`,
      fix: "name the parameter as declared",
    }));
  });
}

/** The spec of `Name`, `Array.Member` or `return`, or null. */
function specOf({ declaration }: Declared, path: string, { structs }: Surroundings): string | null {
  const [name = "", member] = path.split(".");
  if (name === "return") return declaration.returns === "void" ? null : `out ${declaration.returns}`;
  const spec = declaration.params[name];
  if (spec === undefined || member === undefined) return spec ?? null;
  return structs[wordOf(spec)]?.members[member] ?? null;
}

function wordOf(spec: string): string {
  return (spec.split(" ")[1] ?? "").replace("[]", "");
}

function states(calls: readonly Declared[], around: Surroundings): Fault[] {
  return calls.flatMap((call) => {
    const { needs = {}, moves = {} } = call.declaration;
    const named = [
      ...Object.entries(needs),
      ...Object.entries(moves).map(([param, state]) => [param, [state]] as const),
    ];
    return named.flatMap(([param, list]) => {
      const kind = wordOf(specOf(call, param, around) ?? "");
      const known = around.objects[kind]?.states ?? [];
      return list.filter((state) => !known.includes(state)).map((state) => ({
        name: call.name,
        is: `${call.name} names the state ${state} of ${param}`,
        wanted: `one of ${known.join(", ")}`,
        fix: `name a state of src/api/objects.ts`,
      }));
    });
  });
}

function refusals(calls: readonly Declared[], { statuses }: Surroundings): Fault[] {
  return calls.filter(({ declaration: { refusal } }) => refusal !== undefined && statuses[refusal] === undefined)
    .map(({ name, declaration }) => ({
      name,
      is: `${name} is refused with ${declaration.refusal}, which has no number`,
      wanted: "a status of src/api/symbols.ts",
      fix: "name it in full, or add its public number",
    }));
}

const PAIRS = { create: "destroy", map: "unmap", reserve: "free", open: "close" } as const;

/** Beginnings that no call can end: objects whose owner takes them along need none. */
function pairs(calls: readonly Declared[], around: Surroundings): Fault[] {
  const done = calls.flatMap((call) => (call.declaration.effects ?? []).map((effect) => verbOf(call, effect, around)));
  const ends = new Set(done.map(({ verb, thing }) => `${verb} ${thing}`));
  return Object.entries(PAIRS).flatMap(([start, end]) =>
    done.filter(({ verb, thing }) =>
      verb === start && !ends.has(`${end} ${thing}`) && around.objects[thing]?.ownerEnd !== "released"
    ).map(({ name, thing }) => ({
      name,
      is: `${name} begins (${start}) a ${thing} that no call ends`,
      wanted: `a call with the effect "${end}"`,
      fix: "declare the call that ends it",
    }))
  );
}

/** An effect as verb and thing; ranges of addresses are one thing, which `free` ends whoever began it. */
function verbOf(call: Declared, effect: string, around: Surroundings) {
  const [verb = "", path = "", , size] = effect.split(" ");
  const isRange = size !== undefined;
  return {
    name: call.name,
    verb: isRange && verb === "map" ? "reserve" : verb,
    thing: isRange ? "range of addresses" : wordOf(specOf(call, path, around) ?? ""),
  };
}
