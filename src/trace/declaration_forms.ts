// The forms of a declaration's fields, for those that come from a file: whoever reads a declaration believes them.
// It must not know what fields mean.

import type { Declaration } from "../api/mod.ts";

type Form = (value: unknown) => boolean;

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function isFlag(value: unknown): boolean {
  return typeof value === "boolean";
}

function listOf(form: Form): Form {
  return (value) => Array.isArray(value) && value.every(form);
}

/** An object whose members all have a form. */
function mapOf(form: Form): Form {
  return (value) => isObject(value) && Object.values(value).every(form);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array);
}

function isObservation(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { thing, edge, key, range = ["", ""] } = value;
  return isText(thing) && isText(edge) && listOf(isText)(key) && listOf(isText)(range);
}

const NEEDED = { endpoint: isText, returns: isText, params: mapOf(isText) } as const satisfies Partial<
  Record<keyof Declaration, Form>
>;

const OPTIONAL: Readonly<Record<Exclude<keyof Declaration, keyof typeof NEEDED | "id" | "doc">, Form>> = {
  source: isText,
  needs: mapOf(listOf(isText)),
  moves: mapOf(isText),
  effects: listOf(isText),
  refusal: isText,
  refuses: listOf(listOf(isText)),
  answers: listOf(isText),
  unreachable: mapOf(isText),
  blocks: isFlag,
  irql: isText,
  mustInspect: isFlag,
  regular: isFlag,
  modelled: isFlag,
  // Never stored: it is for those who write calls.
  ddi: () => false,
  observes: isObservation,
};

/** Whether a declaration can be made of these fields, `id` and `doc` apart. */
export function hasNeededFields(fields: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(NEEDED).every(([name, form]) => form(fields[name]));
}

/** The fields without those that have another form here: another version may mean another thing by a name. */
export function fittingFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const forms = new Map<string, Form>(Object.entries({ ...NEEDED, ...OPTIONAL }));
  return Object.fromEntries(Object.entries(fields).filter(([name, value]) => forms.get(name)?.(value) ?? true));
}
