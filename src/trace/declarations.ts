// Declarations as a trace carries them: all that reading its events and auditing them takes, and no prose. A stored
// declaration that is not the catalogue's is compiled from what is stored, so that old and foreign traces stay readable.
// It must not know any particular call.

import {
  type CallPlan,
  compilePlan,
  type Declaration,
  findPlan,
  knownType,
  objectKind,
  type ParamPlan,
  type PlanSource,
  type TypeMeaning,
  type TypeTable,
} from "../api/mod.ts";
import { Fields, pack, type Packable, sameBytes, WireError } from "../wire/mod.ts";
import { fittingFields, hasNeededFields } from "./declaration_forms.ts";
import { LEVELS } from "./event.ts";

const STORAGES = ["u8", "u16", "u32", "i32", "u64", "i64", "bool", "function", "text", "guid", "bytes"] as const;
const PROSE = new Set(["doc", "source", "refuses", "ddi"]);
const NAME = /^[A-Za-z_][A-Za-z0-9_.]{0,127}$/;
const MAX_PARAMS = 256;
/** Parameters and members of structures that one declaration may come to, compiled twice at most. */
const MAX_TYPED = 4096;

/** What is stored of a plan. */
export function describePlan(plan: CallPlan): ReadonlyMap<string, Packable> {
  const types = new Map<string, Packable>();
  for (const param of [...plan.params, ...(plan.returned === null ? [] : [plan.returned])]) describeType(param, types);
  return new Map<string, Packable>([
    ["name", plan.name],
    ["level", plan.level],
    ["callback", plan.isCallback],
    ["declaration", new Map(Object.entries(plan.declaration).filter(([name]) => !PROSE.has(name)))],
    ["types", types],
  ]);
}

function describeType(param: ParamPlan, types: Map<string, Packable>): void {
  if (types.has(param.word)) return;
  if (param.storage !== "struct") {
    types.set(param.word, param.storage);
    return;
  }
  types.set(param.word, new Map(param.members.map((member) => [member.name, specOf(member)])));
  for (const member of param.members) describeType(member, types);
}

function specOf(param: ParamPlan): string {
  return `${param.direction} ${param.word}${param.isArray ? "[]" : ""}`;
}

const described = new Map<string, Uint8Array>();

function describedBytes(plan: CallPlan): Uint8Array {
  const known = described.get(plan.name);
  if (known !== undefined) return known;
  const bytes = pack(describePlan(plan));
  described.set(plan.name, bytes);
  return bytes;
}

/** The plan that was stored: the catalogue's own where it is the same, else one compiled from what is stored. */
export function restorePlan(stored: unknown): CallPlan {
  const fields = new Fields(stored, "a declaration");
  const name = checkedName(fields.text("name"));
  const local = findPlan(name);
  if (local !== undefined && sameBytes(describedBytes(local), pack(packable(fields.map)))) return local;
  const source = { name, level: fields.choice("level", LEVELS), isCallback: fields.flag("callback") };
  const declaration = restoreDeclaration(fields.fields("declaration"));
  return compileStored(source, declaration, storedTypes(fields.fields("types")));
}

/** Compiles a stored declaration; effects that make no sense here (a newer verb) are left out of the plan, not the rest. */
function compileStored(source: PlanSource, declaration: Declaration, types: TypeTable): CallPlan {
  try {
    return compilePlan(source, declaration, types);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
  }
  try {
    return { ...compilePlan(source, { ...declaration, effects: [] }, types), declaration };
  } catch (error) {
    if (error instanceof TypeError) throw new WireError(`Cannot read declaration: ${error.message}`, 0);
    throw error;
  }
}

/** The stored types as a table; it answers only so often, since structures of structures can grow without end. */
function storedTypes(types: Fields): TypeTable {
  let left = MAX_TYPED;
  return (word) => {
    left -= 1;
    if (left < 0) throw new WireError(`Cannot read declaration: more than ${MAX_TYPED} parameters and members`, 0);
    return storedType(word, types);
  };
}

/** What a word stands for by what is stored; a scalar that is known here with that storage keeps its meaning. */
function storedType(word: string, types: Fields): TypeMeaning | null {
  const stored = types.map.get(word);
  if (stored instanceof Map) {
    const members = [...stored].map(([name, spec]): [string, string] => [checkedName(String(name)), String(spec)]);
    return { form: "struct", members };
  }
  if (stored === "object") {
    const kind = objectKind(word);
    return kind === null ? null : { form: "object", kind };
  }
  const storage = STORAGES.find((each) => each === stored);
  if (storage === undefined) return null;
  const known = knownType(word);
  const isSame = known?.form === "scalar" && known.scalar.storage === storage;
  return { form: "scalar", scalar: isSame ? known.scalar : { storage, doc: "(from the trace)" } };
}

/** A copy of a decoded value that may be packed again: numbers, strings, arrays and maps of strings. */
function packable(value: unknown): Packable {
  if (value instanceof Map) return new Map([...value].map(([name, each]) => [String(name), packable(each)]));
  if (Array.isArray(value)) return value.map(packable);
  const isPlain = typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" ||
    typeof value === "string" || value === null || value instanceof Uint8Array;
  return isPlain ? value : null;
}

function checkedName(name: string): string {
  if (NAME.test(name)) return name;
  throw new WireError(`Cannot read declaration: "${name.slice(0, 40)}" is no name`, 0);
}

/** The declaration as an object; fields that this version does not know are kept, those that it knows otherwise are not. */
function restoreDeclaration(fields: Fields): Declaration {
  const specs = fields.fields("params");
  if (specs.map.size > MAX_PARAMS) {
    throw new WireError(`Cannot read declaration: more than ${MAX_PARAMS} parameters`, 0);
  }
  const plain = Object.fromEntries([...fields.map].map(([name, value]) => [String(name), plainOf(value)]));
  const declaration = {
    ...fittingFields(plain),
    id: fields.count("id"),
    doc: "(from the trace)",
    returns: fields.text("returns"),
  };
  if (isDeclaration(declaration)) return declaration;
  throw new WireError("Cannot read declaration: its fields are not a declaration's", 0);
}

function plainOf(value: unknown): unknown {
  if (value instanceof Map) {
    return Object.fromEntries([...value].map(([name, each]) => [checkedName(String(name)), plainOf(each)]));
  }
  return Array.isArray(value) ? value.map(plainOf) : value;
}

/** Types that only a cast could tell: the forms are checked, the specs themselves as they compile. */
function isDeclaration(fields: object): fields is Declaration {
  return hasNeededFields({ ...fields });
}
