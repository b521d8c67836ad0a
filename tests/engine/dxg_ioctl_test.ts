// What programs ask /dev/dxg, where scenarios do not reach: several calls under way, levels, and a state that is kept in between.

import { SYMBOLS } from "../../src/api/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { Model } from "../support/model.ts";

const CLOSE = { Command: 0xc0044715, Argument: Uint8Array.of(1, 2, 3, 4) };

function ask(model: Model): number {
  return model.call("guest-umd", "DxgIoctl", CLOSE, false).event;
}

function left(model: Model): number[] {
  return model.leaves.map(({ event }) => event);
}

Deno.test("two calls are under way at a time, and each gets its own answer", () => {
  const model = new Model();
  const calls = [ask(model), ask(model)];
  const [first, second] = model.engine.deliverable();
  assertEquals(model.engine.deliverable().map(({ cause }) => cause), calls);
  if (second !== undefined) model.deliver(second.id);
  assertEquals(left(model), [calls[1]]);
  if (first !== undefined) model.deliver(first.id);
  assertEquals(left(model), [calls[1], calls[0]]);
});

Deno.test("a call that waits for a level is answered all the same", () => {
  const model = new Model();
  const level = (Irql: number) => model.call("machine", "SetIrql", { Side: "kmd", Irql }, false);
  level(SYMBOLS.irql.DISPATCH_LEVEL);
  const call = ask(model);
  assertEquals(model.engine.deliverable().length, 0);
  level(SYMBOLS.irql.PASSIVE_LEVEL);
  const [due] = model.engine.deliverable();
  if (due !== undefined) model.deliver(due.id);
  assertEquals(left(model), [call]);
});

Deno.test("a call under way survives a snapshot", () => {
  const model = new Model();
  ask(model);
  const copy = Engine.restore(model.engine.snapshot());
  assertEquals(copy.deliverable(), model.engine.deliverable());
  assertEquals(copy.snapshot(), model.engine.snapshot());
});
