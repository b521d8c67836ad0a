// What a raw log (.etl) is known to have lost, as losses of a trace. It must not know what any event means.

import type { Loss } from "../trace/mod.ts";
import type { EtlFile } from "./etl_file.ts";
import type { ImportProblem } from "./imported.ts";

/** A log damaged in more places than this has the rest of them in one line, so that a header stays small. */
const MAX_PLACES = 256;

/**
 * The session's own counts first (they have no place in the file), then what is damaged, cut or unusable, by place.
 * A header that counts more buffers than the file has is no loss by itself: circular and excerpted logs do; it stays a
 * note of the import's report. Which events are missing is never known, so `firstEvent` and `lastEvent` are 0.
 */
export function etlLosses(file: EtlFile, problems: readonly ImportProblem[]): readonly Loss[] {
  const { eventsLost, buffersLost } = file.header;
  const places = [
    ...file.notes.filter(({ kind }) => kind !== "missing-buffers").map(({ message, offsetBytes }) =>
      makeLoss(message, offsetBytes)
    ),
    ...problems.map(({ message, count, firstOffset }) => makeLoss(timesText(message, count), firstOffset)),
  ].sort((left, right) => left.offsetBytes - right.offsetBytes);
  return [
    ...(eventsLost > 0 ? [makeLoss(`The recording session lost ${eventsLost} events`, -1)] : []),
    ...(buffersLost > 0 ? [makeLoss(`The recording session lost ${buffersLost} buffers`, -1)] : []),
    ...places.slice(0, MAX_PLACES),
    ...restOf(places.slice(MAX_PLACES)),
  ];
}

function makeLoss(what: string, offsetBytes: number): Loss {
  return { what, firstEvent: 0, lastEvent: 0, offsetBytes };
}

function timesText(message: string, count: number): string {
  return count === 1 ? message : `${message}; ${count} events of this kind in all`;
}

function restOf(places: readonly Loss[]): readonly Loss[] {
  const first = places[0];
  if (first === undefined) return [];
  return [makeLoss(`${places.length} more places are damaged, from byte ${first.offsetBytes} on`, first.offsetBytes)];
}
