// Rules of what a driver gets beside its channels and must give back: kernel handles (L-13) and the library's interface
// . Conditions: kmcl.md 1.1, 2.2, 2.9.

import { type ObjectKind, printObject } from "../api/mod.ts";
import type { AuditContext, Detector } from "./detector.ts";
import { creationOf } from "./object_table.ts";
import type { RuleName } from "./rules.ts";
import { placeText } from "./wording.ts";

/** What must be given back, and how it is said that it was not. */
const KINDS = [
  { kind: "kernelHandle", rule: "kernel-handle-leak", made: "made", left: "never closed" },
  { kind: "interface", rule: "interface-leak", made: "queried", left: "never dereferenced" },
] as const satisfies readonly {
  readonly kind: ObjectKind;
  readonly rule: RuleName;
  readonly made: string;
  readonly left: string;
}[];

/** Watches kernel handles and interfaces: the table of objects keeps them. */
export function handleDetector(): Detector {
  return {
    hears: () => false,
    hearsCallback: () => false,
    end(context) {
      for (const each of KINDS) reportLeft(each, context);
    },
  };
}

function reportLeft({ kind, rule, made, left }: (typeof KINDS)[number], context: AuditContext): void {
  for (const object of context.objects.all(kind)) {
    const created = creationOf(object);
    context.report({
      rule,
      message: `${printObject(object.ref)}, ${made} by the ${object.side} ${placeText(created)}, was ${left}`,
      event: object.createdAt,
      object: object.ref,
      evidence: [created],
      verdict: context.leakVerdict(),
    });
  }
}
