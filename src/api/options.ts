// The options of the model: what the documents leave open. Where documents fix an answer there is no option.

import type { OptionDeclaration } from "./grammar.ts";
import { GPU_OPTIONS } from "./options_gpu.ts";
import { KMCL_OPTIONS } from "./options_kmcl.ts";
import { ntSuccess, STATUS } from "./symbols.ts";

/** Every option, by its name in `!option` lines, `--option` and a trace's header, which holds them in this order. */
export const OPTIONS = { ...GPU_OPTIONS, ...KMCL_OPTIONS } as const;

/** The options in force: every name with its value. */
export type ModelOptions = { readonly [K in keyof typeof OPTIONS]: string };

/** The options that nobody changed. */
export function defaultOptions(): ModelOptions {
  const options = Object.fromEntries(
    Object.entries<OptionDeclaration>(OPTIONS).map(([name, { values }]) => [name, values[0] ?? ""]),
  );
  if (!areOptions(options)) throw new TypeError("Cannot make the default options: a name is missing");
  return options;
}

function areOptions(options: Readonly<Record<string, string>>): options is ModelOptions {
  return Object.keys(OPTIONS).every((name) => Object.hasOwn(options, name));
}

/** Sets one option; `RangeError` with the choices where the name or the value is none. */
export function parseOption(options: ModelOptions, name: string, value: string): ModelOptions {
  const option = new Map(Object.entries<OptionDeclaration>(OPTIONS)).get(name);
  if (option === undefined) {
    throw new RangeError(`Cannot set option ${name}: no such option; there are ${Object.keys(OPTIONS).join(", ")}`);
  }
  if (!accepts(option.values, value) || !inBounds(option.bounds, value)) {
    throw new RangeError(`Cannot set option ${name} to "${value}": it takes ${choicesText(option)}`);
  }
  return { ...options, [name]: value };
}

const WHOLE = [1, 999_999_999] as const;

/** The values that an option takes, in words. */
function choicesText({ values, bounds: [least, most] = WHOLE }: OptionDeclaration): string {
  const words = new Map([["number", `a number from ${least} to ${most}`], ["status", "the name of a failing status"]]);
  return values.map((value) => words.get(value) ?? value).join(" or ");
}

function inBounds(bounds: OptionDeclaration["bounds"], value: string): boolean {
  return bounds === undefined || (Number(value) >= bounds[0] && Number(value) <= bounds[1]);
}

function accepts(values: readonly string[], value: string): boolean {
  if (values.includes(value) && value !== "number" && value !== "status") return true;
  if (values.includes("number") && /^[1-9][0-9]{0,8}$/.test(value)) return true;
  return values.includes("status") &&
    Object.entries(STATUS).some(([name, number]) => name === value && !ntSuccess(number));
}
