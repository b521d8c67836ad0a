// The kernel-mode display driver's processes, where scenarios do not reach: who waits for whom, and ends that come early.

import { STATUS, statusName } from "../../src/api/mod.ts";
import { Engine } from "../../src/engine/mod.ts";
import { assertEquals } from "../support/assert.ts";
import { Model } from "../support/model.ts";

const BOTH = { DriverInitializationData: { DxgkDdiCreateProcess: true, DxgkDdiDestroyProcess: true } };

/** A model with a kernel driver, whose callbacks run when they are delivered by hand. */
function withDriver(): Model {
  const model = new Model();
  model.call("kmd", "DxgkInitialize", BOTH);
  return model;
}

function open(model: Model, side = "umd", luid = 1) {
  return model.call(side, "D3DKMTOpenAdapterFromLuid", { AdapterLuid: luid }, false);
}

function due(model: Model): string[] {
  return model.engine.deliverable().map(({ name }) => name);
}

function deliverNext(model: Model): void {
  const [next] = model.engine.deliverable();
  if (next !== undefined) model.deliver(next.id);
}

function left(model: Model): string[] {
  return model.leaves.map(({ event, outcome }) =>
    `@${event} ${outcome.form === "status" ? statusName(outcome.status) : outcome.form}`
  );
}

function processes(model: Model): string[] {
  return [...model.engine.world.all("process")].map(({ number, state }) => `process#${number} ${state}`);
}

Deno.test("every open of a process waits until its creation has returned; another adapter's has its own", () => {
  const model = withDriver();
  const first = open(model);
  const second = open(model);
  const other = open(model, "umd", 2);
  assertEquals([first.blocked, second.blocked, other.blocked], [true, true, true]);
  assertEquals(processes(model), ["process#1 creating", "process#2 creating"]);
  deliverNext(model);
  assertEquals(left(model), [`@${first.event} STATUS_SUCCESS`, `@${second.event} STATUS_SUCCESS`]);
  deliverNext(model);
  assertEquals(left(model).slice(2), [`@${other.event} STATUS_SUCCESS`]);
  assertEquals(open(model).blocked, false);
});

Deno.test("a creation that fails is the opener's failure; whoever waited with it asks the driver anew", () => {
  const model = withDriver();
  const [first, second] = [open(model), open(model)];
  let count = 0;
  model.handler = () => count++ === 0 ? STATUS.STATUS_NO_MEMORY : STATUS.STATUS_SUCCESS;
  deliverNext(model);
  assertEquals(left(model), [`@${first.event} STATUS_NO_MEMORY`]);
  assertEquals([processes(model), due(model)], [["process#2 creating"], ["DxgkDdiCreateProcess"]]);
  deliverNext(model);
  assertEquals(left(model).slice(1), [`@${second.event} STATUS_SUCCESS`]);
});

Deno.test("a process that exits before the driver heard of it leaves nothing to hear of", () => {
  const model = withDriver();
  open(model);
  model.call("machine", "ExitProcess", { Side: "umd" }, false);
  assertEquals([due(model), processes(model), model.engine.world.spaces.size], [[], [], 0]);
});

Deno.test("a process that exits while it is created is destroyed when its creation has returned", () => {
  const model = withDriver();
  open(model);
  let status = -1;
  model.handler = ({ name }) => {
    if (name !== "DxgkDdiCreateProcess") return;
    model.call("machine", "ExitProcess", { Side: "umd" }, false);
    const [process] = model.engine.world.all("process");
    const args = { hDxgkProcess: process?.handle, SizeInBytes: 0x200000, Alignment: 0x200000 };
    status = model.call("kmd", "DxgkCbReserveGpuVirtualAddressRange", args, false).status;
  };
  deliverNext(model);
  assertEquals([status, left(model), due(model)], [STATUS.STATUS_INVALID_PARAMETER, [], ["DxgkDdiDestroyProcess"]]);
  deliverNext(model);
  assertEquals([processes(model), due(model)], [[], []]);
});

Deno.test("a process of the same name that begins while the old one ends is another one", () => {
  const model = withDriver();
  open(model);
  deliverNext(model);
  model.call("machine", "ExitProcess", { Side: "umd" }, false);
  assertEquals(open(model).blocked, true);
  assertEquals(due(model), ["DxgkDdiDestroyProcess"]);
  deliverNext(model);
  deliverNext(model);
  assertEquals(processes(model), ["process#2 live"]);
});

Deno.test("an engine that is restored while a process is created goes on with it", () => {
  const model = withDriver();
  open(model);
  const restored = Engine.restore(model.engine.snapshot());
  assertEquals(restored.snapshot(), model.engine.snapshot());
  for (const engine of [restored, model.engine]) {
    const [pending] = engine.deliverable();
    engine.deliver(pending?.id ?? 0, 50);
    engine.finish(50, { event: 51, outcome: { form: "status", status: STATUS.STATUS_SUCCESS } });
  }
  assertEquals(restored.takeOutputs(), model.engine.takeOutputs());
  assertEquals(restored.snapshot(), model.engine.snapshot());
});
