// How an object is named in text: `gpadl#7`, its kind and its number of that kind. It must not know handles or notation.

import { type ObjectKind, objectKind } from "../api/mod.ts";

/** What names an object in a trace, whatever handle value it had. */
export interface ObjectName {
  readonly kind: ObjectKind;
  /** From 1, counted per kind. */
  readonly number: number;
}

/** `gpadl#7`. */
export function objectName({ kind, number }: ObjectName): string {
  return `${kind}#${number}`;
}

/** The object that `gpadl#7` names, or null where the text is no such name or its kind is not declared. */
export function parseObjectName(text: string): ObjectName | null {
  const match = /^([A-Za-z]{1,32})#([1-9][0-9]{0,14})$/.exec(text);
  const kind = objectKind(match?.[1] ?? "");
  return match === null || kind === null ? null : { kind, number: Number(match[2]) };
}
