// Where a rule does not hold, each with its reason. The list only shrinks: what suppresses nothing must go,
// unless the style itself grants it.

import type { Failure } from "./rule.ts";

/** A place where a rule does not hold. */
export interface Exception {
  readonly rule: string;
  readonly path: string;
  readonly reason: string;
  /** The style grants it, whether or not it is needed today. */
  readonly granted?: true;
}

/** Every exception. */
export const EXCEPTIONS: readonly Exception[] = [
  { rule: "cast", path: "src/api/codec.ts", reason: "where typed arguments and plain values meet", granted: true },
  { rule: "cast", path: "src/engine/engine.ts", reason: "the one dispatch, typed by declarations", granted: true },
  { rule: "cast", path: "src/driver/facade.ts", reason: "methods and their types come from one table, and meet here" },
  {
    rule: "doors",
    path: "tools/tidy.ts",
    reason: "the door compiles the tables, and tidy tells why one does not compile",
  },
];

/** Failures that no exception covers, and exceptions that cover none. */
export function withoutExceptions(failures: readonly Failure[], exceptions: readonly Exception[]): Failure[] {
  const covers = ({ rule, path }: Exception, failure: Failure) => failure.rule === rule && failure.path === path;
  const left = failures.filter((failure) => !exceptions.some((exception) => covers(exception, failure)));
  const idle = exceptions.filter((exception) =>
    exception.granted !== true && !failures.some((failure) => covers(exception, failure))
  );
  return [...left, ...idle.map(idleFailure)];
}

function idleFailure({ rule, path }: Exception): Failure {
  return {
    path,
    line: 1,
    rule: "exception",
    is: `an exception from ${rule} that covers nothing`,
    wanted: "a list that only shrinks",
    fix: "take its line out of tools/tidy/exceptions.ts",
  };
}
