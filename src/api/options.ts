// The open questions of the documents, each a named option with a default: the first value.
// Where documents fix an answer there is no option.

import { ntSuccess, STATUS } from "./symbols.ts";

/** One option of the model. */
export interface OptionDeclaration {
  readonly doc: string;
  /** The first value is the default; "number": any whole number above 0; "status": a failing NTSTATUS by name. */
  readonly values: readonly string[];
  readonly from: string;
  /** Lowest and highest number. */
  readonly bounds?: readonly [low: number, high: number];
}

const FAILING_STATUS = ["STATUS_INVALID_PARAMETER", "status"] as const;

/** Every option, by its name in `!option` lines, `--option` and a trace's header. */
export const OPTIONS = {
  "physical-adapters": {
    doc: "linked GPUs behind the adapter, 1 to 64",
    values: ["1", "number"],
    from: "gpuva.md 1.2",
    bounds: [1, 64],
  },
  "paging": {
    doc: "paging work completes when CompletePaging says, or at once with fence value 0",
    values: ["explicit", "immediate"],
    from: "gpuva.md 1.5",
  },
  "va-rules": {
    doc: "documented errors that real drivers get away with: refused, or accepted with the finding",
    values: ["strict", "lenient"],
    from: "gpuva.md 3.1",
  },
  "partial-free": { doc: "a free of a part of an obtained range", values: ["allow", "refuse"], from: "gpuva.md 4.4" },
  "map-size-zero": {
    doc: "a map of 0 pages: refused, or the whole allocation",
    values: ["refuse", "allow"],
    from: "gpuva.md 4.7",
  },
  "map-two-ranges": {
    doc: "a map that is neither wholly free nor wholly inside one obtained range",
    values: ["refuse", "allow"],
    from: "gpuva.md 4.2",
  },
  "va-bits": {
    doc: "width of a process's GPU address space in bits, 32 to 48",
    values: ["48", "number"],
    from: "gpuva.md 4.7: no width is documented",
    bounds: [32, 48],
  },
  "mapping-limit": {
    doc: "mappings of one GPADL at a time: KMCL's one, or OpenVMM's many",
    values: ["one", "many"],
    from: "kmcl.md X17",
  },
  "gpadl-limit": {
    doc: "how many GPADLs the host grants a guest",
    values: ["none", "number"],
    from: "kmcl.md 5.7: a real host refuses at some number",
  },
  "gpadl-limit-status": {
    doc: "what a create answers above gpadl-limit",
    values: ["STATUS_QUOTA_EXCEEDED", "status"],
    from: "importers.md 1: 0xC0000044 seen",
  },
  "handle-reuse": {
    doc: "whether a GPADL's handle value is given out again",
    values: ["never", "after-delete"],
    from: "kmcl.md 9.3",
  },
  "post-started": {
    doc: "PostStarted after or before the incoming queue is on; no effect yet: packets are not modelled",
    values: ["after-queue-on", "before-queue-on"],
    from: "kmcl.md X19",
  },
  "opened-failure": {
    doc: "where a server is after its Opened callback failed",
    values: ["enabled", "disabled"],
    from: "kmcl.md 9.2",
  },
  "delete-on-closed": {
    doc: "a delete of a GPADL on a closed channel",
    values: ["allow", "refuse"],
    from: "kmcl.md 9.5",
  },
  "map-after-close": {
    doc: "a map at the server after its channel closed",
    values: ["refuse", "allow"],
    from: "kmcl.md 9.6",
  },
  "rescind-delete": {
    doc: "whether a delete waits for an unmap after the server rescinded the channel",
    values: ["blocks", "returns"],
    from: "kmcl.md 9.10",
  },
  "initial-callbacks": {
    doc: "which state-change callbacks a new channel has: a scenario's has every one",
    values: ["every", "none"],
    from: "notation, Values",
  },
  "callbacks": {
    doc: "when callbacks run: all that a call made before the next line, or just where a line stands",
    values: ["drain", "written"],
    from: "maptrail: a dump of an interleaved run needs it",
  },
  "unknown-gpadl-status": {
    doc: "a call with a handle that names no GPADL",
    values: FAILING_STATUS,
    from: "kmcl.md 9.1",
  },
  "double-map-status": { doc: "a second map of a GPADL that is mapped", values: FAILING_STATUS, from: "kmcl.md 9.1" },
  "read-only-map-status": {
    doc: "a write map of a read-only GPADL",
    values: ["STATUS_ACCESS_DENIED", "status"],
    from: "kmcl.md 9.1",
  },
  "bad-flags-status": { doc: "flag bits that do not exist", values: FAILING_STATUS, from: "kmcl.md 9.1" },
  "wrong-endpoint-status": { doc: "a call at the wrong end of a channel", values: FAILING_STATUS, from: "kmcl.md 9.1" },
  "refusal-status": {
    doc: "a call in a wrong state, or with a handle that names nothing",
    values: FAILING_STATUS,
    from: "kmcl.md 9.1",
  },
  "gpadl-range-status": {
    doc: "a GPADL outside its MDL, empty or too large",
    values: FAILING_STATUS,
    from: "kmcl.md 5.2",
  },
} as const satisfies Readonly<Record<string, OptionDeclaration>>;

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
    throw new RangeError(`Cannot set option ${name} to "${value}": it takes ${option.values.join(" or ")}`);
  }
  return { ...options, [name]: value };
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
