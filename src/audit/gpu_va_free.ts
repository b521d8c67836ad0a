// What is wrong with a free, by what the space holds and held: rules V-05 to V-10.
// Misuse is judged before the free takes effect, refused or not. It must not know calls.

import { pagesText, spanText } from "./gpu_call_values.ts";
import type { Evidence, Verdict } from "./finding.ts";
import type { AutoRelease, GpuVaSpace, ObtainedRange, PageSpan, Release } from "./gpu_va_fold.ts";
import type { RuleName } from "./rules.ts";
import { placeText } from "./wording.ts";

/** What is wrong with a free. */
export interface FreeBreach {
  readonly rule: RuleName;
  readonly message: string;
  /** The event to blame where it is not this free. */
  readonly event?: number;
  readonly evidence: readonly Evidence[];
  /** The obtained range's number, 0: none. */
  readonly range: number;
  readonly shape: string;
  readonly verdict?: Verdict;
}

/** A free of aligned pages. */
export interface FreeQuestion {
  readonly space: GpuVaSpace;
  readonly span: PageSpan;
  /** What an end without its start is worth. */
  readonly historyVerdict: Verdict;
}

/** Judges a free; null: nothing is wrong. */
export function judgeFree(question: FreeQuestion): FreeBreach | null {
  if (question.space.isWhole(question.span)) return null;
  const pieces = question.space.rangesIn(question.span);
  const [first] = pieces;
  if (first === undefined) return nothingThere(question);
  const { span } = question;
  if (pieces.length > 1 || !question.space.isObtained(span)) {
    return spanning(question, pieces.map(({ value }) => value));
  }
  if (first.start === span.start && first.end === span.end) return null;
  const sizes = `${span.end - span.start} of ${first.end - first.start}`;
  const message = `free of ${spanText(span)}, ${sizes} pages of what was obtained in one piece`;
  const { obtained, number } = first.value;
  return { rule: "gpuva-partial-free", message, evidence: [obtained], range: number, shape: sizes };
}

function spanning({ span }: FreeQuestion, ranges: readonly ObtainedRange[]): FreeBreach {
  const different = [...new Map(ranges.map((range) => [range.number, range])).values()];
  const what = different.length > 1 ? `${different.length} obtained ranges` : "an obtained range and free pages";
  const message = `free of ${spanText(span)}: it spans ${what}`;
  const evidence = different.slice(0, EVIDENCE_LIMIT).map(({ obtained }) => obtained);
  return { rule: "gpuva-spanning-free", message, evidence, range: different[0]?.number ?? 0, shape: what };
}

/** Ranges of a spanning free that become evidence. */
const EVIDENCE_LIMIT = 8;

/**
 * No page is obtained: never was (V-05); freed before (V-06), and then the first free took the range of a stranger if an
 * allocation's end had released it before that one obtained it (V-08); released by an allocation's end (V-07).
 */
function nothingThere({ space, span, historyVerdict }: FreeQuestion): FreeBreach {
  const releases = space.releasesIn(span);
  const auto = releases.find(({ reason }) => reason === "auto");
  const freed = releases.find(({ reason }) => reason === "freed");
  const stranger = releases.find((each) => each.reason === "freed" && each.recycled !== null);
  const shape = pagesText(span.end - span.start);
  if (stranger !== undefined && stranger.recycled !== null) {
    return { ...strangerFree(stranger, stranger.recycled, span), range: stranger.range, shape };
  }
  if (auto !== undefined) {
    const message = `free of ${spanText(span)}: the end of allocation#${auto.allocation} at @${auto.released.event} ` +
      "had released it";
    const evidence = [auto.obtained, auto.released];
    return { rule: "gpuva-free-after-auto-release", message, evidence, range: auto.range, shape };
  }
  if (freed !== undefined) {
    const message = `free of ${spanText(span)}: it was freed before, ${placeText(freed.released)}`;
    return {
      rule: "gpuva-double-free",
      message,
      evidence: [freed.obtained, freed.released],
      range: freed.range,
      shape,
    };
  }
  const message = `free of ${spanText(span)}: nobody had obtained it`;
  return { rule: "gpuva-unmatched-free", message, evidence: [], range: 0, shape, verdict: historyVerdict };
}

function strangerFree(
  { obtained, released }: Release,
  recycled: AutoRelease,
  span: PageSpan,
): Pick<FreeBreach, "rule" | "message" | "event" | "evidence"> {
  const message =
    `free of ${spanText(span)} took what ${obtained.call} had obtained at @${obtained.event}: the end of ` +
    `allocation#${recycled.allocation} at @${recycled.released.event} had released it before, and its owner freed it again`;
  const evidence = [recycled.released, obtained, released];
  return { rule: "gpuva-stranger-free", message, event: released.event, evidence };
}
