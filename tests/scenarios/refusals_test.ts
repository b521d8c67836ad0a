// Refusals in order of precedence, for every function of KMCL: each condition is broken alone, then with each other one, and
// what comes first in the declaration is what is answered. Common to all, and first: the wrong end, a level above
// PASSIVE_LEVEL, what handles name, their states; where a page lists STATUS_INVALID_PARAMETER_1, the state before other handles.

import {
  type CallPlan,
  type Declaration,
  findPlan,
  KMCL,
  type Outcome,
  parseScenario,
  statusName,
} from "../../src/api/mod.ts";
import type { TraceEvent } from "../../src/trace/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { runScenario, Session } from "../../src/driver/mod.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { type Break, BREAKS, type Breaks } from "./refusal_breaks.ts";
import { PACKET_BREAKS } from "./refusal_breaks_packet.ts";

const ALL: Readonly<Record<string, Breaks>> = { ...BREAKS, ...PACKET_BREAKS };

/** Each option has a status of its own, so that an answer tells its condition. */
const STATUSES: Readonly<Record<string, string>> = {
  "refusal-status": "STATUS_INVALID_DEVICE_STATE",
  "wrong-endpoint-status": "STATUS_NOT_SUPPORTED",
  "unknown-gpadl-status": "STATUS_INVALID_HANDLE",
  "bad-flags-status": "STATUS_OBJECT_NAME_INVALID",
  "gpadl-range-status": "STATUS_BUFFER_TOO_SMALL",
  "gpadl-limit-status": "STATUS_QUOTA_EXCEEDED",
  "read-only-map-status": "STATUS_ACCESS_DENIED",
  "double-map-status": "STATUS_CONFLICTING_ADDRESSES",
  "packet-size-status": "STATUS_OBJECT_TYPE_MISMATCH",
  "external-data-status": "STATUS_NO_MEMORY",
  "restore-image-status": "STATUS_OBJECT_NAME_NOT_FOUND",
};
const OPTION_LINES = Object.entries(STATUSES).map(([name, status]) => `!option ${name}=${status}`);

/** A condition of a call, in its place: how it is broken, and what it then answers. */
interface Condition extends Break {
  readonly text: string;
  /** A status; null: a refusal. */
  readonly answer: string | null;
}

function planOf(name: string): CallPlan {
  const plan = findPlan(name);
  assert(plan !== undefined, name);
  return plan;
}

/** All conditions of a call, in the order in which its declaration has them. */
function conditionsOf(plan: CallPlan, { side, breaks }: Breaks): readonly Condition[] {
  const { declaration } = plan;
  const refusal = declaration.refusal ?? "refusal-status";
  const answering = (answer: string) => declaration.returns === "status" ? STATUSES[answer] ?? answer : null;
  const other = side === "client" ? "server" : "client";
  const handles = plan.ins.filter(({ storage, isArray }) => storage === "object" && !isArray);
  const stated = handles.flatMap(({ name }): Condition[] => {
    const text = `${name} in a wrong state`;
    const broken = breaks[text];
    return broken === undefined ? [] : [{ text, answer: answering(refusal), ...broken }];
  });
  const named = handles.map(({ name, kind }, index): Condition => ({
    text: `${name} names nothing`,
    answer: answering(
      kind === "gpadl" ? "unknown-gpadl-status" : index > 0 && "refusal" in declaration ? SECOND : refusal,
    ),
    args: { [name]: "0xdead" },
    says: new RegExp(`^${name} names no`),
  }));
  const isListed = declaration.refusal !== undefined;
  return [
    ...(declaration.endpoint === "both" ? [] : [{
      text: "the other end",
      answer: answering("wrong-endpoint-status"),
      side: other,
      says: /^called by the/,
    }] as const),
    ...(declaration.irql === undefined ? [] : [{
      text: "above PASSIVE_LEVEL",
      answer: answering(refusal),
      lines: [`machine SetIrql(Side="${side}", Irql=APC_LEVEL) -> void`],
      says: /belongs to PASSIVE_LEVEL$/,
    }]),
    ...(isListed ? [...named.slice(0, 1), ...stated, ...named.slice(1)] : [...named, ...stated]),
    ...(declaration.refuses ?? []).map(([text, answer]) => ({ text, answer: answering(answer), ...breaks[text] })),
  ];
}

const SECOND = "STATUS_INVALID_PARAMETER_2";

/** The call with some of its conditions broken; null: they cannot be broken at once. What it answered, else. */
function answerOf(plan: CallPlan, breaks: Breaks, broken: readonly Condition[]): string | null {
  const keys = broken.flatMap(({ args }) => Object.keys(args ?? {}));
  const insides = broken.filter(({ isInside }) => isInside);
  const areMended = broken.some(({ text }) => broken.some(({ mends }) => mends === text));
  if (new Set(keys).size < keys.length || insides.length > 1 || areMended) return null;
  const args = Object.entries(Object.assign({}, breaks.args, ...broken.map(({ args }) => args)));
  const side = broken.find((each) => each.side !== undefined)?.side ?? breaks.side;
  // What is to be answered is broken last, so that nothing mends it.
  const lines = [...broken.filter(({ isInside }) => !isInside).toReversed(), ...insides].flatMap(({ lines }) =>
    lines ?? []
  );
  const call = `${side} ${plan.name}(${args.map(([name, value]) => `${name}=${value}`).join(", ")})`;
  const last = lines.at(-1) ?? "";
  const depth = last.search(/\S/) + (/^ *callback /.test(last) ? 2 : 0);
  const before = [...breaks.given, ...lines];
  const ordered = [
    ...OPTION_LINES,
    ...before.filter((line) => line.startsWith("!")),
    ...before.filter((line) => !line.startsWith("!")),
  ];
  return run(plan, [...ordered, `${insides.length > 0 ? " ".repeat(depth) : ""}${call}`]);
}

/** A line that writes its first callback alone is right all the same. */
const MORE_CALLBACKS = /^made .* more callbacks? than written/;

/** Runs lines of which the last one is the call that is asked about, and says what it answered; null: another line does not hold. */
function run(plan: CallPlan, lines: readonly string[]): string | null {
  const scenario = parseScenario(lines.join("\n"), { file: plan.name });
  let answered: Outcome | null = null;
  const sink = {
    event: (event: TraceEvent) => {
      if (event.plan?.name === plan.name && (event.kind === "call" || event.kind === "enter")) answered = event.outcome;
    },
  };
  const session = new Session({ engine: new Engine(scenario.options), sink, memory: "none" });
  const { failures } = runScenario(scenario, session);
  if (failures.some(({ line, message }) => line !== lines.length && !MORE_CALLBACKS.test(message))) return null;
  return answered === null ? "it waits" : textOf(answered);
}

function textOf(outcome: Outcome): string {
  switch (outcome.form) {
    case "status":
      return statusName(outcome.status);
    case "refused":
      return outcome.reason;
    default:
      return "it succeeded";
  }
}

function isAnswerOf({ answer, says }: Condition, text: string): boolean {
  return answer === null ? says?.test(text) === true : text === answer;
}

Deno.test("every function of KMCL that its declaration can refuse has its conditions broken here", () => {
  const stated = Object.entries<Declaration>(KMCL).filter(([, { needs, refuses }]) =>
    refuses !== undefined || needs !== undefined
  );
  assertEquals(Object.keys(ALL).toSorted(), stated.map(([name]) => name).toSorted());
});

for (const [name, breaks] of Object.entries(ALL)) {
  const plan = planOf(name);
  const conditions = conditionsOf(plan, breaks);

  Deno.test(`${name}: ${conditions.length} conditions, alone and two at a time, answer in their order`, () => {
    for (const [text] of plan.declaration.refuses ?? []) {
      assert(Object.hasOwn(breaks.breaks, text), `nothing breaks "${text}"`);
    }
    for (const condition of conditions) {
      const text = answerOf(plan, breaks, [condition]);
      assert(
        text !== null && isAnswerOf(condition, text),
        `${condition.text}: wanted ${condition.answer}, got ${text}`,
      );
    }
    const met = new Set<string>();
    conditions.forEach((first, index) => {
      for (const second of conditions.slice(index + 1)) {
        const text = answerOf(plan, breaks, [first, second]);
        if (text === null) continue;
        met.add(first.text).add(second.text);
        assert(isAnswerOf(first, text), `${first.text}, and ${second.text}: wanted ${first.answer}, got ${text}`);
      }
    });
    const alone = conditions.filter(({ text, args = {} }) => {
      const isAbout = (other: Condition) => Object.keys(other.args ?? {}).some((name) => name in args);
      return !met.has(text) && conditions.some((other) => other.text !== text && !isAbout(other));
    });
    assertEquals(alone.map(({ text }) => text), []);
  });
}
