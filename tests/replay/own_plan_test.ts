// Traces that declare calls in their own way, as another version's do.

import { type CallPlan, compilePlan } from "../../src/api/mod.ts";
import { replay } from "../../src/replay/mod.ts";
import { churn } from "../driver/churn.ts";
import { runEvents } from "../driver/run.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { plainTrace } from "./plain_trace.ts";

type Change = (plan: CallPlan) => CallPlan;

/** A replay of a run in which one call is declared otherwise, and the event of its first call. */
async function replayed(name: string, change: Change) {
  const { events } = await runEvents(churn(1).run);
  const changed = new Map<CallPlan, CallPlan>();
  const planOf = (plan: CallPlan): CallPlan => {
    const known = changed.get(plan) ?? change(plan);
    changed.set(plan, known);
    return known;
  };
  const first = events.find(({ plan }) => plan?.name === name)?.event ?? 0;
  assert(first > 0);
  const trace = plainTrace(
    events.map((event) => event.plan?.name === name ? { ...event, plan: planOf(event.plan) } : event),
  );
  return { first, count: events.length, ...replay(trace) };
}

Deno.test("a call whose declaration differs in more than its parameters is this version's call", async () => {
  const { divergence, stoppedEarly, events, count } = await replayed("VmbChannelMapGpadl", (plan) => {
    return compilePlan(plan, { ...plan.declaration, needs: {}, moves: {}, effects: [] });
  });
  assertEquals([divergence, stoppedEarly, events], [null, "", count]);
});

Deno.test("a call that this version has not, or has with other parameters, ends a replay, which says so", async () => {
  const others: Readonly<Record<string, Change>> = {
    "another name": (plan) => ({ ...plan, name: "VmbChannelMapGpadl3" }),
    "a parameter more": (plan) =>
      compilePlan(plan, { ...plan.declaration, params: { ...plan.declaration.params, More: "in u32" } }),
  };
  for (const [what, change] of Object.entries(others)) {
    const { first, divergence, stoppedEarly, events } = await replayed("VmbChannelMapGpadl", change);
    assertEquals([divergence, events], [null, first - 1], what);
    assertEquals(stoppedEarly.startsWith(`@${first} VmbChannelMapGpadl`), true, what);
  }
});
