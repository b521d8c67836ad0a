// Names of places in a run: `@1234`, `@10-@20`, `gpadl#7`, `file.ts:88 (share)`. Printed and read back, alone or inside
// notation. It must not know lines or calls.

import { objectKind } from "../catalogue.ts";
import type { ObjectKind } from "../grammar.ts";
import { visibleText } from "./text_literal.ts";

/** `@1234`. */
export function printPosition(event: number): string {
  return `@${event}`;
}

/** The event number that `@1234` names, from 1; null where the text is no position. */
export function parsePosition(text: string): number | null {
  const match = /^@([1-9][0-9]{0,14})$/.exec(text);
  return match === null ? null : Number(match[1]);
}

/** Events from..to, both included. */
export interface PositionRange {
  readonly from: number;
  readonly to: number;
}

/** The events that `@A-@B` names, both included; null where the text is no range or ends before it starts. */
export function parseRange(text: string): PositionRange | null {
  const [first, second, ...others] = text.split("-");
  const from = parsePosition(first ?? "");
  const to = parsePosition(second ?? "");
  return from === null || to === null || others.length > 0 || from > to ? null : { from, to };
}

/** An object without its handle value. */
export interface ObjectReference {
  readonly kind: ObjectKind;
  /** From 1, counted per kind. */
  readonly number: number;
}

/** `gpadl#7`. */
export function printObject({ kind, number }: ObjectReference): string {
  return `${kind}#${number}`;
}

/** The object that `gpadl#7` names; null where the text is no such name or its kind is none. */
export function parseObject(text: string): ObjectReference | null {
  const match = /^([A-Za-z]{1,32})#([1-9][0-9]{0,14})$/.exec(text);
  const kind = objectKind(match?.[1] ?? "");
  return match === null || kind === null ? null : { kind, number: Number(match[2]) };
}

/** Where a call was made, as a trace keeps it; line 0 and an empty function are unknown. */
export interface PrintableSite {
  readonly file: string;
  readonly line: number;
  readonly function: string;
}

/** `gpu_pv_leak.ts:88 (shareBuffer)`, as findings show it. */
export function printSite(site: PrintableSite): string {
  const line = site.line > 0 ? `:${site.line}` : "";
  return visibleText(`${site.file}${line}${site.function === "" ? "" : ` (${site.function})`}`);
}
