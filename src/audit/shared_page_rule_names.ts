// Rules of memory that several ways reach, of rates, and of waits (X). Conditions: rules.md; that of X-06 is `wait_rules.ts`.

import type { Rule } from "./rule.ts";

/** Rules by name. */
export const SHARED_PAGE_RULES = {
  "guest-page-in-two-gpadls": {
    code: "X-01",
    severity: "warning",
    doc: "One guest page is described by two live GPADLs, one of them writable.",
    source: "rules.md X-01",
  },
  "guest-page-behind-gpadl-and-gpuva": {
    code: "X-02",
    severity: "note",
    doc: "One guest page is reachable through a GPADL and through a GPU address.",
    source: "rules.md X-02",
  },
  "guest-page-reused-while-shared": {
    code: "X-03",
    severity: "error",
    doc: "A page was freed and given out again while something still reached it.",
    source: "rules.md X-03",
  },
  "write-outside-range": {
    code: "X-04",
    severity: "error",
    doc: "The server wrote in a mapped page outside the described bytes.",
    source: "rules.md X-04",
  },
  "leak-rate": {
    code: "X-05",
    severity: "note",
    doc: "An object kind grows by a steady number per cycle.",
    source: "rules.md X-05",
  },
  "wait-never-ends": {
    code: "X-06",
    severity: "hang",
    doc: "A call waits, and nothing that is left in the trace can end it.",
    source: "kmcl.md 1.3, 2.1, 2.4",
  },
} as const satisfies Readonly<Record<string, Rule>>;
