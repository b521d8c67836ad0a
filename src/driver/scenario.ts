// Runs a scenario in call notation: line after line, callbacks where they stand, everything written compared with what happens.
// What does not hold is data, and the run goes on. Findings are not its business: it only says which were expected.

import {
  type CallbackStatement,
  type CallStatement,
  type Environment,
  evaluateArguments,
  evaluateOuts,
  evaluateReturn,
  type ExpectFindingStatement,
  type ExpectStateStatement,
  type InsideStatement,
  isRef,
  type LeaveStatement,
  matchArguments,
  matchOutcome,
  NotationError,
  type ObjectKind,
  type ObjectNode,
  type ObjectReference,
  type OutcomeNode,
  printObject,
  refsIn,
  type ReturnStatement,
  type Scenario,
  type Statement,
  type Value,
  type VariableNode,
} from "../api/mod.ts";
import { type PendingCallback, stateMatches } from "../engine/mod.ts";
import type { SitePolicy } from "./scheduler.ts";
import type { Answer, RunningCallback, Session } from "./session.ts";

/** A line that does not hold. */
export interface ScenarioFailure {
  readonly line: number;
  readonly message: string;
}

/** A finding that the scenario expects. */
export interface ExpectedFinding {
  readonly line: number;
  readonly rule: string;
  /** Event number, null: anywhere. */
  readonly event: number | null;
  /** `gpadl#1`, null: any. */
  readonly object: string | null;
}

/** What became of a scenario. */
export interface ScenarioReport {
  readonly failures: readonly ScenarioFailure[];
  readonly expectedFindings: readonly ExpectedFinding[];
  /** The line of `expect no findings`, 0: none. */
  readonly noFindingsLine: number;
}

/** What a driver returns from a callback. */
type Returning = Pick<CallbackStatement, "side" | "plan" | "returns" | "outs">;

/** A statement with what stands nested under it. */
interface Node {
  readonly statement: Statement;
  readonly children: Node[];
}

/**
 * Runs a scenario on a session; `wantsSite` says which calls get their line as their site. Lines that do not hold are in
 * the report. `NotationError`, with the line, for one that cannot be run at all: a variable that nothing bound.
 */
export function runScenario(
  scenario: Scenario,
  session: Session,
  wantsSite: SitePolicy["wants"] = () => false,
): ScenarioReport {
  const runner = new Runner(scenario, session, wantsSite);
  for (const node of treeOf(scenario.statements)) runner.run(node, 0);
  return runner.report();
}

function treeOf(statements: readonly Statement[]): Node[] {
  const roots: Node[] = [];
  const open: Node[] = [];
  for (const statement of statements) {
    const node = { statement, children: [] };
    open.length = Math.min(open.length, statement.depth);
    (open.at(-1)?.children ?? roots).push(node);
    open.push(node);
  }
  return roots;
}

class Names implements Environment {
  readonly #variables = new Map<string, Value>();
  readonly #handles = new Map<string, number>();

  variable(name: string): Value | undefined {
    return this.#variables.get(name);
  }

  bindVariable(name: string, value: Value): void {
    this.#variables.set(name, value);
  }

  object(kind: ObjectKind, number: number): number | undefined {
    return this.#handles.get(printObject({ kind, number }));
  }

  /** Remembers the handles of objects that an answer made. */
  learn(value: Value): void {
    for (const ref of refsIn(value)) this.#handles.set(printObject(ref), ref.handle);
  }
}

class Runner {
  readonly #scenario: Scenario;
  readonly #session: Session;
  readonly #wantsSite: SitePolicy["wants"];
  readonly #names = new Names();
  readonly #failures: ScenarioFailure[] = [];
  readonly #expected: ExpectedFinding[] = [];
  readonly #labels = new Map<string, number>();
  readonly #events = new Map<Statement, number>();
  readonly #answers = new Map<number, Answer>();
  /** The leave events of calls that waited, by their enter. */
  readonly #leaves = new Map<number, number>();
  /** Calls that were made inside a callback and waited, by the callback's event. */
  readonly #waiting = new Map<number, number[]>();
  /** Callbacks that are over but for a call that waits inside them, oldest first. */
  #held: { readonly event: number; readonly returning: Returning }[] = [];
  #noFindingsLine = 0;

  constructor(scenario: Scenario, session: Session, wantsSite: SitePolicy["wants"]) {
    this.#scenario = scenario;
    this.#session = session;
    this.#wantsSite = wantsSite;
    session.onLeave = (event, answer) => {
      this.#leaves.set(event, session.lastEvent);
      this.#learn(event, answer);
    };
  }

  report(): ScenarioReport {
    return { failures: this.#failures, expectedFindings: this.#expected, noFindingsLine: this.#noFindingsLine };
  }

  /** Runs a line; `under` is the event of the line that it stands under, 0: none. */
  run(node: Node, under: number): void {
    const { statement } = node;
    switch (statement.form) {
      case "call":
        return this.#call(statement, node, under);
      case "callback":
        return this.#callback(statement, node, under);
      case "leave":
        return this.#leave(statement, node);
      case "return":
        return this.#return(statement, node);
      case "inside":
        return this.#inside(statement, node);
      case "expectFinding":
        return this.#expectFinding(statement);
      case "expectNoFindings":
        this.#noFindingsLine = statement.line;
        return;
      case "expectState":
        return this.#expectState(statement);
      case "noCallbacks":
      case "option":
        return;
    }
  }

  #call(statement: CallStatement, { children }: Node, insideCallback: number): void {
    const { plan, side, line } = statement;
    if (plan.level === "wire") return this.#fail(line, `${plan.name}: nobody calls a message, option wire shows it`);
    const ins = this.#session.bind(plan, evaluateArguments(statement.args, plan, this.#names));
    const site = this.#wantsSite(plan) ? { file: this.#scenario.file, line, column: 1, function: "" } : null;
    const recorded = writtenOuts(statement);
    const { event, answer } = this.#session.call({ plan, side, actor: side, ins, insideCallback, site, recorded });
    this.#events.set(statement, event);
    if (statement.label !== null) this.#labels.set(statement.label, event);
    if (answer !== null) this.#learn(event, answer);
    else if (insideCallback !== 0) {
      this.#waiting.set(insideCallback, [...this.#waiting.get(insideCallback) ?? [], event]);
    }
    this.#finishHeld();
    this.#runUnder(statement, children, event);
    this.#checkOutcome(statement.outcome, statement, line);
  }

  /** The callbacks that a call made: those written, in order; or all, where none are written. */
  #runUnder({ line }: CallStatement, children: readonly Node[], event: number): void {
    const failures = this.#failures.length;
    for (const child of children) this.run(child, event);
    if (this.#writtenOnly) return;
    const more = this.#madeSince(event);
    // After a callback that was not the one written, what is left over says nothing new.
    if (children.length > 0 && more.length > 0 && this.#failures.length === failures) {
      const count = more.length === 1 ? "one more callback" : `${more.length} more callbacks`;
      this.#fail(line, `made ${count} than written: ${more.map(textOf).join(", ")}`);
    }
    this.#drain(event);
  }

  /** Callbacks that may run now and that this call, or what it made, made: those of a line further out are not its own. */
  #madeSince(event: number): readonly PendingCallback[] {
    return this.#session.deliverable().filter(({ cause }) => cause >= event);
  }

  #drain(event: number): void {
    for (let [next] = this.#madeSince(event); next !== undefined; [next] = this.#madeSince(event)) {
      const running = this.#deliver(next, next.side);
      this.#finish(running.event, { side: next.side, plan: running.plan, returns: null, outs: [] });
    }
  }

  /** Starts a callback; what it brings, a delivered packet, can be named from here on. */
  #deliver(pending: PendingCallback, actor: string): RunningCallback {
    for (const value of pending.ins) this.#names.learn(value);
    return this.#session.deliver(pending, actor);
  }

  /** Runs the callback that is written; where its arguments are others than written, it runs all the same. */
  #callback(statement: CallbackStatement, { children }: Node, under: number): void {
    const { plan, side, line } = statement;
    const due = this.#dueUnder(under);
    const named = due.filter((each) => each.name === plan.name && each.side === side);
    const pending = named.find((each) => this.#argumentTrouble(statement, each) === null) ?? named[0];
    if (pending === undefined) {
      const happened = due[0] === undefined ? "no callback" : textOf(due[0]);
      return this.#fail(line, `wrote callback ${side} ${plan.name}, got ${happened}`);
    }
    const trouble = this.#argumentTrouble(statement, pending);
    if (trouble !== null) this.#fail(line, `callback ${side} ${plan.name}: ${trouble}`);
    const running = this.#deliver(pending, side);
    this.#events.set(statement, running.event);
    if (statement.label !== null) this.#labels.set(statement.label, running.event);
    for (const child of children) this.run(child, running.event);
    if (statement.blocked) return;
    if (!this.#writtenOnly && this.#isInCall(running.event)) {
      this.#held.push({ event: running.event, returning: statement });
    } else this.#finish(running.event, statement);
  }

  /** Whether a call that was made inside a callback waits: its driver is in that call, and cannot return. */
  #isInCall(callback: number): boolean {
    return this.#waiting.get(callback)?.some((event) => !this.#answers.has(event)) === true;
  }

  /** What waited inside them has returned, and so do they. */
  #finishHeld(): void {
    const next = this.#held.find(({ event }) => !this.#isInCall(event));
    if (next === undefined) return;
    this.#held = this.#held.filter((each) => each !== next);
    this.#finish(next.event, next.returning);
  }

  /** Callbacks that a line may mean: the next that its call made, else the next one made further out that a blocked call waits for. */
  #dueUnder(event: number): readonly PendingCallback[] {
    const deliverable = this.#session.deliverable();
    return this.#writtenOnly ? deliverable : [...this.#madeSince(event), ...deliverable].slice(0, 1);
  }

  #argumentTrouble({ plan, args }: CallbackStatement, { ins }: PendingCallback): string | null {
    return matchArguments(args, { plan, ins, env: this.#names });
  }

  #finish(event: number, { side, plan, returns, outs }: Returning): void {
    const given = this.#session.bindOuts(plan, evaluateOuts(outs, plan, this.#names));
    this.#session.finish(event, { outcome: evaluateReturn(returns, plan, this.#names), outs: given, actor: side });
    this.#finishHeld();
  }

  #leave({ of, outcome, label, line }: LeaveStatement, { children }: Node): void {
    for (const child of children) this.run(child, 0);
    const enter = this.#events.get(of);
    if (enter === undefined) return this.#fail(line, `wrote leave of ${of.plan.name}, but that line never ran`);
    if (!this.#answers.has(enter)) return this.#fail(line, `wrote leave of ${of.plan.name}, but it still waits`);
    if (label !== null) this.#labels.set(label, this.#leaves.get(enter) ?? enter);
    this.#checkOutcome(outcome, of, line);
  }

  #return({ of, returns, outs, label, line }: ReturnStatement, { children }: Node): void {
    const event = this.#events.get(of);
    if (event === undefined) return this.#fail(line, `wrote return of ${of.plan.name}, but that callback never ran`);
    if (label !== null) this.#labels.set(label, this.#session.lastEvent + 1);
    this.#finish(event, { side: of.side, plan: of.plan, returns, outs });
    for (const child of children) this.run(child, 0);
    if (!this.#writtenOnly) this.#drain(event);
  }

  /** Calls inside a callback that has returned, or never ran, are not made: they would not be the ones written. */
  #inside({ of, line }: InsideStatement, { children }: Node): void {
    const event = this.#events.get(of) ?? 0;
    if (!this.#session.isInside(event)) {
      const why = event === 0 ? "that callback never ran" : `it returned, @${event}`;
      return this.#fail(line, `wrote inside ${of.plan.name}, but ${why}`);
    }
    for (const child of children) this.run(child, event);
  }

  #checkOutcome(written: OutcomeNode | null, statement: CallStatement, line: number): void {
    const { plan } = statement;
    const answer = this.#answers.get(this.#events.get(statement) ?? 0);
    const trouble = matchOutcome(
      written,
      { plan, outcome: answer?.outcome ?? null, outs: answer?.outs ?? [] },
      this.#names,
    );
    if (trouble !== null) this.#fail(line, `${plan.name}: ${trouble}`);
  }

  #expectFinding({ line, rule, position, object }: ExpectFindingStatement): void {
    const event = position === null ? null : this.#labels.get(position) ?? Number(position);
    if (Number.isNaN(event)) return this.#fail(line, `wrote finding ${rule} at @${position}, but that line never ran`);
    this.#expected.push({ line, rule, event, object: object === null ? null : printObject(this.#resolve(object)) });
  }

  #expectState({ object, state, line }: ExpectStateStatement): void {
    const named = this.#resolve(object);
    const { kind, number } = named;
    const actual = stateMatches(this.#session.engine.world, { kind, number, state });
    if (actual !== null) this.#fail(line, `wrote state ${printObject(named)} ${state}, got ${actual}`);
  }

  get #writtenOnly(): boolean {
    return this.#scenario.options.callbacks === "written";
  }

  #resolve(node: ObjectNode | VariableNode): ObjectReference {
    if (node.form === "object") return node;
    const value = this.#names.variable(node.name);
    if (isRef(value)) return value;
    throw new NotationError(`expected an object: $${node.name} is none`, node.at);
  }

  #learn(event: number, answer: Answer): void {
    this.#answers.set(event, answer);
    for (const value of answer.outs) this.#names.learn(value);
    if (answer.outcome.form === "value") this.#names.learn(answer.outcome.value);
  }

  #fail(line: number, message: string): void {
    this.#failures.push({ line, message });
  }
}

/** The outputs that a line writes as numbers, by position: where ranges are, for `placement=recorded`. */
function writtenOuts({ plan, outcome }: CallStatement): Value[] {
  return plan.outs.map(({ name }) => {
    const written = outcome?.outs.find((each) => each.name === name)?.value;
    return written?.form === "integer" ? written.value : null;
  });
}

function textOf({ side, name, channel }: PendingCallback): string {
  return `${side} ${name} of channel#${channel}`;
}
