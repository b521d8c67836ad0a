// Programs on the scheduler: one seed is one run, threads wait only for each other, whatever a program does ends.

import { STATUS } from "../../src/api/mod.ts";
import { type Mailbox, on, type Program, type Scheduler } from "../../src/driver/mod.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { churn } from "./churn.ts";
import { open } from "./open.ts";
import { line, runEvents } from "./run.ts";

Deno.test("one program and seed are one run, other seeds are others", async () => {
  const runs = await Promise.all([1, 1, 2, 3].map((seed) => runEvents(churn(1).run, { seed })));
  const [first, again, ...others] = runs.map(({ events }) => events);
  assertEquals(first, again);
  for (const other of others) assertNotEquals(first?.map(line), other.map(line));
  for (const { stuck, hasThrown } of runs) assertEquals({ stuck, hasThrown }, { stuck: [], hasThrown: false });
});

Deno.test("context.random and context.args are the run's", async () => {
  const drawn = async (seed: number) => {
    const numbers: number[] = [];
    await runEvents(({ random, args }) => void numbers.push(random.next(), args.length), { seed, args: ["--fast"] });
    return numbers;
  };
  assertEquals(await drawn(5), await drawn(5));
  assertNotEquals(await drawn(5), await drawn(6));
  assertEquals((await drawn(5))[1], 1);
});

Deno.test("a handler made with on() acts inside its callback, with a thread of its own", async () => {
  const { events } = await runEvents(async (context) => {
    const done = context.mailbox<number>();
    await open(context, {
      EvtChannelOpened: on(async ({ Channel }, { guest, machine }) => {
        await guest.AllocateBuffer({ ByteCount: Channel });
        await machine.AdvanceTime({ Nanoseconds: 3 });
        done.send(Channel);
      }),
    });
    await context.receive(done);
  });
  const callback = events.find(({ plan, side }) => plan?.name === "EvtVmbChannelOpened" && side === "client");
  const inside = events.filter(({ kind, cause }) => kind === "call" && cause === callback?.event);
  assertEquals(inside.map(line), ["call guest AllocateBuffer", "call machine AdvanceTime"]);
  assertEquals(inside.map(({ actor }) => actor), ["client callback", "client callback"]);
  assertEquals(events.find(({ kind, of }) => kind === "return" && of === callback?.event)?.outcome, {
    form: "status",
    status: STATUS.STATUS_SUCCESS,
  });
});

Deno.test("what a handler left behind it does once its callback has returned is not inside it", async () => {
  for (let seed = 1; seed <= 8; seed += 1) {
    const { events, stuck } = await runEvents(async (context) => {
      const { machine } = context;
      await open(context, {
        EvtChannelOpened: on((_, inside) => {
          void inside.guest.AllocateBuffer({ ByteCount: 1 }).then(() => inside.guest.AllocateBuffer({ ByteCount: 2 }));
        }),
      });
      await machine.AdvanceTime({ Nanoseconds: 3 });
    }, { seed });
    assertEquals(stuck, []);
    const returned = events.find(({ kind, plan }) => kind === "return" && plan?.name === "EvtVmbChannelOpened");
    assert(returned !== undefined);
    const made = events.filter(({ plan }) => plan?.name === "AllocateBuffer");
    assertEquals(made.length, 2);
    for (const { event, cause } of made) assertEquals(cause, event < returned.event ? returned.of : 0, `seed ${seed}`);
  }
});

Deno.test("what a handler returns is what its callback returns", async () => {
  const { events } = await runEvents(async (context) => {
    await open(context, { EvtChannelOpened: on(() => STATUS.STATUS_INSUFFICIENT_RESOURCES) });
  });
  const returned = events.find(({ kind, side }) => kind === "return" && side === "client");
  assertEquals(returned?.outcome, { form: "status", status: STATUS.STATUS_INSUFFICIENT_RESOURCES });
});

Deno.test("a handler may use the thread around it", async () => {
  const { events, stuck } = await runEvents(async (context) => {
    const done = context.mailbox<true>();
    await open(context, {
      EvtChannelOpened: on(async () => {
        await context.guest.AllocateBuffer({ ByteCount: 1 });
        await context.guest.AllocateBuffer({ ByteCount: 2 });
        done.send(true);
      }),
    });
    await context.receive(done);
    await context.machine.AdvanceTime({ Nanoseconds: 1 });
  });
  assertEquals(stuck, []);
  assertEquals(events.filter(({ plan }) => plan?.name === "AllocateBuffer").map(({ actor }) => actor), [
    "main",
    "main",
  ]);
});

Deno.test("a handler that waits for ever in the thread around it is stuck, not hanging", async () => {
  const { stuck } = await runEvents(async (context) => {
    const never = context.mailbox<true>();
    await open(context, { EvtChannelOpened: on(async () => void await context.receive(never)) });
    await context.receive(context.mailbox());
  });
  assertEquals(stuck, ["main waits in a mailbox", "client callback waits in a mailbox"]);
});

Deno.test("a thread may wait for the end of another that it was told of", async () => {
  const program = (ends: boolean): Program => async (context) => {
    const word = context.mailbox<string>();
    const first = context.spawn("first", (thread) => thread.receive(word));
    const second = context.spawn("second", async () => `${await first}!`);
    if (ends) word.send("hello");
    assertEquals(await second, "hello!");
  };
  assertEquals((await runEvents(program(true))).thrown, undefined);
  assertEquals((await runEvents(program(false))).stuck, [
    "main waits in the end of second",
    "first waits in a mailbox",
    "second waits in the end of first",
  ]);
});

Deno.test("a spawned thread's promise has then, catch and finally like any other", async () => {
  const heard: string[] = [];
  await runEvents(async ({ spawn }) => {
    await spawn("one", () => Promise.resolve("then")).then((word) => heard.push(word));
    heard.push(await spawn("two", () => Promise.resolve("catch")).catch(() => "none"));
    heard.push(await spawn("three", () => Promise.resolve("finally")).finally(() => heard.push("over")));
  });
  assertEquals(heard, ["then", "catch", "over", "finally"]);
});

Deno.test("a callback that the library makes and nobody handles returns at once", async () => {
  const { events } = await runEvents((context) => void open(context, {}), { model: { "initial-callbacks": "every" } });
  const returned = events.filter(({ kind, side }) => kind === "return" && side === "server");
  assertEquals(returned[0]?.outcome, { form: "status", status: STATUS.STATUS_SUCCESS });
  assertEquals(returned[0]?.cause, (returned[0]?.event ?? 0) - 1);
});

Deno.test("Promise.all of calls makes each once, in an order that the seed picks", async () => {
  const program: Program = async ({ guest, machine }) => {
    const sizes = [1, 2, 3, 4, 5];
    const made = await Promise.all(sizes.map((ByteCount) => guest.AllocateBuffer({ ByteCount })));
    assertEquals(new Set(made.map(({ value }) => value)).size, 5);
    await machine.AdvanceTime({ Nanoseconds: 1 });
  };
  const orders = new Set<string>();
  for (let seed = 1; seed <= 5; seed += 1) {
    const { events, thrown } = await runEvents(program, { seed });
    assertEquals(thrown, undefined);
    orders.add(events.map(({ ins }) => ins[0]).join());
    assertEquals(events.map(line).at(-1), "call machine AdvanceTime");
    assertEquals(events.length, 6);
  }
  assert(orders.size > 1);
});

Deno.test("where only one thing can happen no random number is drawn", async () => {
  const orderAfter = async (seed: number, steps: number) => {
    const { events } = await runEvents(async ({ spawn, machine }) => {
      for (let step = 0; step < steps; step += 1) await machine.AdvanceTime({ Nanoseconds: 9 });
      for (const thread of [1, 2, 3]) {
        spawn(`thread ${thread}`, async ({ guest }) => {
          for (let call = 0; call < 3; call += 1) await guest.AllocateBuffer({ ByteCount: thread });
        });
      }
    }, { seed });
    return events.slice(steps).map(({ ins }) => ins[0]).join();
  };
  const orders = new Set<string>();
  for (let seed = 1; seed <= 5; seed += 1) {
    const order = await orderAfter(seed, 0);
    assertEquals(await orderAfter(seed, 7), order);
    orders.add(order);
  }
  assert(orders.size > 1);
});

Deno.test("a call's arguments are those that it was asked with", async () => {
  const { events } = await runEvents(async ({ guest }) => {
    const sizes = { ByteCount: 1 };
    const first = guest.AllocateBuffer(sizes);
    sizes.ByteCount = 2;
    await Promise.all([first, guest.AllocateBuffer(sizes)]);
  });
  assertEquals(events.map(({ ins }) => ins[0]).toSorted(), [1, 2]);
});

Deno.test("calls that nobody awaits are made", async () => {
  const { events, stuck } = await runEvents(({ guest, machine }) => {
    guest.AllocateBuffer({ ByteCount: 1 });
    guest.AllocateBuffer({ ByteCount: 2 });
    machine.AdvanceTime({ Nanoseconds: 1 });
  });
  assertEquals(events.map(line).toSorted(), [
    "call guest AllocateBuffer",
    "call guest AllocateBuffer",
    "call machine AdvanceTime",
  ]);
  assertEquals(stuck, []);
});

Deno.test("a thread that throws ends the run with what it threw, though nobody awaits it", async () => {
  const { events, thrown, hasThrown } = await runEvents(async ({ spawn, machine }) => {
    spawn("thrower", async (thread) => {
      await thread.machine.AdvanceTime({ Nanoseconds: 1 });
      throw new Error("lost the ring");
    });
    for (let step = 0; step < 1000; step += 1) await machine.AdvanceTime({ Nanoseconds: 1 });
  });
  assert(hasThrown && thrown instanceof Error && thrown.message === "lost the ring");
  assert(events.length < 1000);
  assertEquals((await runEvents(() => Promise.reject(undefined))).hasThrown, true);
});

Deno.test("a handler that throws, or that is none, ends the run", async () => {
  const thrower = await runEvents((context) =>
    void open(context, {
      EvtChannelOpened: on(() => {
        throw new RangeError("no room");
      }),
    })
  );
  assert(thrower.thrown instanceof RangeError);
});

Deno.test("arguments that do not fit reject the call, and the program may go on", async () => {
  const { events, thrown } = await runEvents(async ({ guest }) => {
    const wrong: Readonly<Record<string, number>> = { Bytes: 1 };
    await assertRejects(() => guest.AllocateBuffer(wrong), TypeError, "Cannot pass Bytes");
    await assertRejects(() => guest.AllocateBuffer({ ByteCount: 0.5 }), TypeError, "a whole number");
    await guest.AllocateBuffer({ ByteCount: 1 });
  });
  assertEquals(thrown, undefined);
  assertEquals(events.map(line), ["call guest AllocateBuffer"]);
});

Deno.test("a promise that is not the scheduler's is waited for", async () => {
  const { events, stuck } = await runEvents(async (context) => {
    const word = context.mailbox<number>();
    context.spawn("other", async ({ receive, machine }) => {
      await machine.AdvanceTime({ Nanoseconds: BigInt(await receive(word)) });
    });
    await context.machine.AdvanceTime({ Nanoseconds: 1 });
    await later();
    word.send(2);
    await later();
    await context.machine.AdvanceTime({ Nanoseconds: 3 });
  });
  assertEquals(stuck, []);
  assertEquals(events.map(({ ins }) => ins[0]), [1n, 2n, 3n]);
});

function later(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

Deno.test("a mail of a thread that waits for something else wakes its receiver at once", async () => {
  let release = () => {};
  const gate = new Promise<void>((resolve) => release = resolve);
  const { events } = await runEvents(async (context) => {
    const word = context.mailbox<true>();
    context.spawn("receiver", async ({ receive, machine }) => {
      await receive(word);
      await machine.AdvanceTime({ Nanoseconds: 1 });
      release();
    });
    await later();
    word.send(true);
    await gate;
  });
  assertEquals(events.length, 1);
});

Deno.test("stop() ends a run that nothing else would end", async () => {
  const endless: Program = () => new Promise(() => {});
  const stopSoon = (scheduler: Scheduler) => void setTimeout(() => scheduler.stop("enough"), 0);
  assertEquals((await runEvents(endless, { onStart: stopSoon })).stopped, "enough");
  const busy: Program = async ({ machine }) => {
    for (;;) await machine.AdvanceTime({ Nanoseconds: 1 });
  };
  const { stopped, events } = await runEvents(busy, { onStart: stopSoon, pause: later, pauseEvery: 10 });
  assertEquals(stopped, "enough");
  assert(events.length >= 1);
});

Deno.test("fail() ends a run as if a thread had thrown", async () => {
  const onStart = (scheduler: Scheduler) => void setTimeout(() => scheduler.fail(new Error("in a timer")), 0);
  const { thrown, hasThrown } = await runEvents(() => new Promise(() => {}), { onStart });
  assert(hasThrown && thrown instanceof Error && thrown.message === "in a timer");
});

Deno.test("mails come in the order sent, receivers in the order asked", async () => {
  const got: number[] = [];
  await runEvents(async ({ mailbox, receive }) => {
    const numbers: Mailbox<number> = mailbox();
    for (const number of [1, 2, 3]) numbers.send(number);
    for (let count = 0; count < 3; count += 1) got.push(await receive(numbers));
    const [one, two] = [receive(numbers), receive(numbers)];
    numbers.send(4);
    numbers.send(5);
    got.push(await one, await two);
  });
  assertEquals(got, [1, 2, 3, 4, 5]);
});

Deno.test("FailNext makes the call fail that it counts to", async () => {
  const answers: (number | string | null)[] = [];
  await runEvents(async ({ umd, guest, machine }) => {
    await machine.FailNext({ Call: "D3DKMTOpenAdapterFromLuid", Status: STATUS.STATUS_NO_MEMORY, Skip: 1 });
    await machine.FailNext({ Call: "AllocateBuffer", Status: STATUS.STATUS_NO_MEMORY });
    for (let count = 0; count < 3; count += 1) {
      answers.push((await umd.D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n })).status);
    }
    const { value, refused } = await guest.AllocateBuffer({ ByteCount: 1 });
    answers.push(value, refused);
  });
  assertEquals(answers, [0, STATUS.STATUS_NO_MEMORY, 0, 0, "FailNext"]);
});

Deno.test("process(n) acts as the n-th user-mode driver", async () => {
  const { events } = await runEvents(async (context) => {
    await context.process(1).D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n });
    const { hAdapter } = await context.process(2).D3DKMTOpenAdapterFromLuid({ AdapterLuid: 1n });
    await context.umd.D3DKMTCloseAdapter({ hAdapter });
    assertThrows(() => context.process(0), TypeError, 'Cannot act as "umd#0"');
  });
  assertEquals(events.map(({ side }) => side), ["umd", "umd#2", "umd"]);
  assertNotEquals(events[2]?.outcome, { form: "status", status: 0 });
});

Deno.test("a side's methods may be taken out, and are those of its endpoint", async () => {
  await runEvents(async ({ guest, client, gpu }) => {
    const { AllocateBuffer } = guest;
    assertMatch(String((await AllocateBuffer({ ByteCount: 1 })).value), /^\d+$/);
    assert("VmbChannelMapGpadl" in client && !("VmbChannelMapGpadl" in guest) && "GpuAccess" in gpu);
  });
});

Deno.test("an event that cannot be kept ends the run, whatever the program makes of it", async () => {
  const { Session, runProgram } = await import("../../src/driver/mod.ts");
  const { Engine } = await import("../../src/engine/mod.ts");
  let taken = 0;
  const sink = {
    event() {
      if (taken === 2) throw new RangeError("too large");
      taken += 1;
    },
  };
  const session = new Session({ engine: new Engine(), sink, memory: "full" });
  const sites = { wants: () => false, folder: "" };
  const program: Program = async ({ machine }) => {
    for (;;) await machine.AdvanceTime({ Nanoseconds: 1 }).catch(() => {});
  };
  const { thrown } = await runProgram(program, { session, seed: 1, args: [], sites });
  assert(thrown instanceof RangeError && thrown.message === "too large");
  assertEquals({ taken, lastEvent: session.lastEvent }, { taken: 2, lastEvent: 2 });
});
