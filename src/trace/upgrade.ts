// Brings the fields of older versions up to the newest, one version at a time. Only this file knows older ones.

import { Fields } from "../wire/mod.ts";
import { TraceFormatError } from "./trace_format_error.ts";

/** The version that is written. */
export const FORMAT_VERSION = 2;

/** What turns one version's fields into the next version's. */
export interface Upgrade {
  readonly header: (fields: Fields) => Fields;
  /** The head of an event chunk. */
  readonly chunk: (head: Fields) => Fields;
}

/** Upgrades by the version that they start from. Version 1 is the first. */
export const UPGRADES: ReadonlyMap<number, Upgrade> = new Map([
  // A chunk's head without `contents` says the same in both: bytes stand in their columns.
  [1, { header: unchanged, chunk: unchanged }],
]);

function unchanged(fields: Fields): Fields {
  return fields;
}

/** The fields brought up to `FORMAT_VERSION`; `TraceFormatError` where no upgrade starts from a version. */
export function upgradeFields(
  fields: Fields,
  from: { readonly version: number; readonly part: keyof Upgrade; readonly upgrades?: ReadonlyMap<number, Upgrade> },
): Fields {
  let upgraded = fields;
  for (let version = from.version; version < FORMAT_VERSION; version += 1) {
    const upgrade = from.upgrades?.get(version) ?? UPGRADES.get(version);
    if (upgrade === undefined) {
      throw new TraceFormatError(
        `Cannot read trace of version ${version}: there never was one; record it again with this program`,
        { reason: "not-a-trace", offset: 0 },
      );
    }
    upgraded = upgrade[from.part](upgraded);
  }
  return upgraded;
}
