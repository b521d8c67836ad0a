// The first line of a trace in JSON lines, read back: every member checked, what is left out has a default.
// It must not know events.

import { defaultOptions, type ModelOptions, OPTIONS, parseOption } from "../api/mod.ts";
import { levelsOf, type Loss, type Selection, type TraceEnd, type TraceHeader } from "./event.ts";
import { blankHeader } from "./header.ts";
import { membersOf, mismatch } from "./json_values.ts";

/** The header of lines that have none: nothing is known, nothing is claimed. */
export function unknownHeader(): TraceHeader {
  return { ...blankHeader(), maker: "json" };
}

const HEADER_MEMBERS = new Set([...Object.keys(unknownHeader()), "schema", "end"]);

/** A header and an end from the first line's members; `JsonValueError` names a member of the wrong type. */
export function headerFromJson(
  json: unknown,
  onIgnored: (member: string) => void,
): { readonly header: TraceHeader; readonly end: TraceEnd | null } {
  const line = new Members(json, "header");
  for (const name of line.names()) if (!HEADER_MEMBERS.has(name)) onIgnored(`header.${name}`);
  const program = line.inner("program");
  const header: TraceHeader = {
    tool: line.text("tool", ""),
    toolVersion: line.text("toolVersion", ""),
    maker: line.text("maker", "json"),
    engineVersion: line.integer("engineVersion", 0),
    options: optionsFrom(line.inner("options"), onIgnored),
    program: {
      name: program.text("name", ""),
      kind: program.oneOf("kind", ["import", "builtin", "module", "calls"]),
      args: program.texts("args"),
    },
    seed: line.integer("seed", 0),
    sites: line.oneOf("sites", ["off", "all", "creating", "findings"]),
    memory: line.oneOf("memory", ["none", "full", "digest"]),
    wallClock: line.boolean("wallClock"),
    startedAt: line.text("startedAt", ""),
    capabilities: line.texts("capabilities"),
    losses: line.list("losses").map(lossFrom),
    startsAfter: line.integer("startsAfter", 0),
    leftOut: line.texts("leftOut"),
    selection: selectionFrom(line),
  };
  return { header, end: endFrom(line) };
}

function optionsFrom(given: Members, onIgnored: (member: string) => void): ModelOptions {
  let options = defaultOptions();
  for (const name of given.names()) {
    if (!Object.hasOwn(OPTIONS, name)) {
      onIgnored(`${given.path}.${name}`);
      continue;
    }
    try {
      options = parseOption(options, name, given.text(name, ""));
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw mismatch(`${given.path}.${name}`, given.get(name), `a value of that option: ${error.message}`);
    }
  }
  return options;
}

function lossFrom(json: unknown, index: number): Loss {
  const loss = new Members(json, `header.losses[${index}]`);
  return {
    what: loss.text("what", ""),
    firstEvent: loss.integer("firstEvent", 0),
    lastEvent: loss.integer("lastEvent", 0),
    offsetBytes: loss.integer("offsetBytes", -1),
  };
}

function selectionFrom(line: Members): Selection | null {
  if (isNothing(line, "selection")) return null;
  const selection = line.inner("selection");
  const range = isNothing(selection, "range") ? null : selection.inner("range");
  return {
    range: range && { from: range.integer("from", 0), to: isNothing(range, "to") ? null : range.integer("to") },
    calls: selection.texts("calls"),
    levels: isNothing(selection, "levels") ? [] : levelsOf(selection.texts("levels")),
    sides: selection.texts("sides"),
    objects: selection.texts("objects"),
  };
}

function isNothing(members: Members, name: string): boolean {
  const value = members.get(name);
  return value === undefined || value === null;
}

function endFrom(line: Members): TraceEnd | null {
  if (isNothing(line, "end")) return null;
  const end = line.inner("end");
  return {
    reason: end.oneOf("reason", ["imported", "ended", "threw", "interrupted", "write-failed"]),
    message: end.text("message", ""),
    events: end.integer("events", 0),
  };
}

/** The members of one JSON object, each asked for by name and type. */
export class Members {
  readonly path: string;
  readonly #members: ReadonlyMap<string, unknown>;

  constructor(json: unknown, path: string) {
    this.path = path;
    this.#members = new Map(membersOf(json, path));
  }

  names(): IterableIterator<string> {
    return this.#members.keys();
  }

  /** The member as it stands, undefined where left out. */
  get(name: string): unknown {
    return this.#members.get(name);
  }

  text(name: string, other?: string): string {
    const value = this.get(name) ?? other;
    if (typeof value === "string") return value;
    throw mismatch(this.#at(name), value, "a string");
  }

  /** A whole number up to 2^53; what is below 0 is accepted where the default is. */
  integer(name: string, other?: number): number {
    const value = this.get(name) ?? other;
    const low = Math.min(0, other ?? 0);
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= low) return value;
    throw mismatch(this.#at(name), value, `a whole number from ${low} to 2^53`);
  }

  boolean(name: string): boolean {
    const value = this.get(name) ?? false;
    if (typeof value === "boolean") return value;
    throw mismatch(this.#at(name), value, "true or false");
  }

  /** One of the words; the first where left out. */
  oneOf<W extends string>(name: string, words: readonly [W, ...W[]]): W {
    const value = this.get(name) ?? words[0];
    const word = words.find((each) => each === value);
    if (word === undefined) throw mismatch(this.#at(name), value, words.map((each) => `"${each}"`).join(" or "));
    return word;
  }

  list(name: string): readonly unknown[] {
    const value: unknown = this.get(name) ?? [];
    if (Array.isArray(value)) return value;
    throw mismatch(this.#at(name), value, "an array");
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((value, index) => {
      if (typeof value === "string") return value;
      throw mismatch(`${this.#at(name)}[${index}]`, value, "a string");
    });
  }

  /** The members of an inner object; none where left out. */
  inner(name: string): Members {
    return new Members(this.get(name) ?? {}, this.#at(name));
  }

  #at(name: string): string {
    return this.path === "" ? name : `${this.path}.${name}`;
  }
}
