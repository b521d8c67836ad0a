// What one operation of an update makes of pages: map with repeats, map with protection, unmap, copy (gpuva.md 4.6).
// It must not know when it runs.

import { SYMBOLS, type Value } from "../../src/api/mod.ts";
import { numberOf, pageOf, spanOf } from "./gpu_call_values.ts";
import {
  type Content,
  mapped,
  type Operation,
  type PageOracle,
  protectionOf,
  type Span,
  unbacked,
} from "./gpu_page_oracle.ts";

const { Write, Zero } = SYMBOLS.protection;
const { UNMAP, COPY, MAP_PROTECT } = SYMBOLS.updateOperation;

/** Whose update it is. */
interface UpdatedBy {
  readonly oracle: PageOracle;
  readonly gpu: number;
  /** A MAP keeps the driver protection of its addresses. */
  readonly isInherited: boolean;
}

/** Queues an operation. */
export function queueUpdate(
  given: Readonly<Record<string, Value>>,
  { oracle, gpu, isInherited }: UpdatedBy,
): Operation {
  const member = (name: string) => given[name] ?? null;
  const type = member("OperationType");
  const size = member("SizeInBytes");
  if (type === COPY) {
    const from = pageOf(member("SourceAddress"));
    const span = spanOf(member("DestAddress"), size);
    const shift = span.start - from;
    const of = oracle.at(from);
    if (of === undefined) throw new Error(`the source of a copy, page ${from}, is free`);
    const operation = { gpu, source: { shift, of } };
    oracle.queue(span, operation, (page) => oracle.newest(page - shift, gpu));
    return operation;
  }
  const span = spanOf(member("BaseAddress"), size);
  const operation = { gpu, source: null };
  oracle.queue(span, operation, updated(given, { oracle, gpu, isInherited, span }));
  return operation;
}

/** What a map or an unmap of an update makes of a page. */
function updated(
  given: Readonly<Record<string, Value>>,
  { oracle, gpu, isInherited, span }: UpdatedBy & { readonly span: Span },
): (page: number) => Content {
  const { OperationType: type, Protection = 0n, DriverProtection = 0n } = given;
  const inherited = (page: number) => protectionOf(oracle.newest(page, gpu));
  const rights = BigInt(String(Protection));
  if (type === UNMAP) return (page) => unbacked((rights & Zero) !== 0n ? "zero" : "invalid", inherited(page));
  const first = pageOf(given["AllocationOffsetInBytes"] ?? 0n);
  const asked = pageOf(given["AllocationSizeInBytes"] ?? 0n);
  const repeat = asked === 0 ? span.end - span.start : asked;
  return (page) =>
    mapped(numberOf(given["hAllocation"] ?? null), {
      page: first + (page - span.start) % repeat,
      rights: type === MAP_PROTECT ? Number(rights) : Number(Write),
      driverProtection: type === MAP_PROTECT ? BigInt(String(DriverProtection)) : isInherited ? inherited(page) : 0n,
    });
}
