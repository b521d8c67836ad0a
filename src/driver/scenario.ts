// Runs a scenario in call notation: line after line, callbacks where they stand, everything written compared with what happens.
// What does not hold is data, and the run goes on. Findings are not its business: it only says which were expected.

import {
  type CallbackStatement,
  type CallStatement,
  type Environment,
  evaluateArguments,
  evaluateReturn,
  type ExpectStateStatement,
  isRef,
  type LeaveStatement,
  matchArguments,
  matchOutcome,
  NotationError,
  type ObjectKind,
  type ObjectNode,
  type OutcomeNode,
  type ReturnStatement,
  type Scenario,
  type Statement,
  type Value,
  type VariableNode,
} from "../api/mod.ts";
import { type PendingCallback, stateMatches } from "../engine/mod.ts";
import type { SitePolicy } from "./scheduler.ts";
import type { Answer, Session } from "./session.ts";

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

/** A statement with what stands nested under it. */
interface Node {
  readonly statement: Statement;
  readonly children: Node[];
}

/** Runs a scenario on a session. */
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
    return this.#handles.get(`${kind}#${number}`);
  }

  /** Remembers the handles of objects that an answer made. */
  learn(value: Value): void {
    if (typeof value !== "object" || value === null || value instanceof Uint8Array) return;
    if (isRef(value)) this.#handles.set(`${value.kind}#${value.number}`, value.handle);
    else for (const inner of Object.values(value)) this.learn(inner);
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
  #noFindingsLine = 0;

  constructor(scenario: Scenario, session: Session, wantsSite: SitePolicy["wants"]) {
    this.#scenario = scenario;
    this.#session = session;
    this.#wantsSite = wantsSite;
    session.onLeave = (event, answer) => this.#learn(event, answer);
  }

  report(): ScenarioReport {
    return { failures: this.#failures, expectedFindings: this.#expected, noFindingsLine: this.#noFindingsLine };
  }

  run(node: Node, insideCallback: number): void {
    const { statement } = node;
    switch (statement.form) {
      case "call":
        return this.#call(statement, node, insideCallback);
      case "callback":
        return this.#callback(statement, node);
      case "leave":
        return this.#leave(statement, node);
      case "return":
        return this.#return(statement, node);
      case "inside": {
        const event = this.#events.get(statement.of) ?? 0;
        for (const child of node.children) this.run(child, event);
        return;
      }
      case "expectFinding":
        this.#expected.push({
          line: statement.line,
          rule: statement.rule,
          event: statement.position === null
            ? null
            : this.#labels.get(statement.position) ?? Number(statement.position),
          object: statement.object === null ? null : this.#objectName(statement.object),
        });
        return;
      case "expectNoFindings":
        this.#noFindingsLine = statement.line;
        return;
      case "expectState":
        return this.#expectState(statement);
      default:
        return;
    }
  }

  #call(statement: CallStatement, { children }: Node, insideCallback: number): void {
    const { plan, side, line } = statement;
    const ins = this.#session.bind(plan, evaluateArguments(statement.args, plan, this.#names));
    const site = this.#wantsSite(plan) ? { file: this.#scenario.file, line, column: 1, function: "" } : null;
    const { event, answer } = this.#session.call({ plan, side, actor: side, ins, insideCallback, site });
    this.#events.set(statement, event);
    if (statement.label !== null) this.#labels.set(statement.label, event);
    if (answer !== null) this.#learn(event, answer);
    this.#runUnder(statement, children);
    this.#checkOutcome(statement.outcome, statement, line);
  }

  /** The callbacks that a call made: those written, in order; or all, where none are written. */
  #runUnder(statement: CallStatement, children: readonly Node[]): void {
    const writtenOnly = this.#scenario.options.callbacks === "written";
    const event = this.#events.get(statement) ?? 0;
    for (const child of children) this.run(child, event);
    if (writtenOnly) return;
    if (children.length > 0) {
      for (const pending of this.#madeSince(event)) {
        this.#fail(
          statement.line,
          `made one more callback than written: ${pending.side} ${pending.name} of channel#${pending.channel}`,
        );
      }
    }
    this.#drain(event);
  }

  /** Callbacks that may run now and that this call, or what it made, made: those of a line further out are not its own. */
  #madeSince(event: number): readonly PendingCallback[] {
    return this.#session.deliverable().filter(({ cause }) => cause >= event);
  }

  #drain(event: number): void {
    for (let [next] = this.#madeSince(event); next !== undefined; [next] = this.#madeSince(event)) {
      const running = this.#session.deliver(next, next.side);
      this.#session.finish(running.event, {
        outcome: evaluateReturn(null, running.plan, this.#names),
        actor: next.side,
      });
    }
  }

  #callback(statement: CallbackStatement, { children }: Node): void {
    const { plan, side, line, args } = statement;
    const deliverable = this.#session.deliverable();
    const inOrder = this.#scenario.options.callbacks === "written" ? deliverable : deliverable.slice(0, 1);
    const pending = inOrder.find((each) =>
      each.name === plan.name && each.side === side &&
      matchArguments(args, { plan, ins: each.ins, env: this.#names }) === null
    );
    if (pending === undefined) {
      const [other] = deliverable;
      const happened = other === undefined ? "no callback" : `${other.side} ${other.name} of channel#${other.channel}`;
      return this.#fail(line, `wrote callback ${side} ${plan.name}, got ${happened}`);
    }
    const running = this.#session.deliver(pending, side);
    this.#events.set(statement, running.event);
    if (statement.label !== null) this.#labels.set(statement.label, running.event);
    for (const child of children) this.run(child, running.event);
    if (!statement.blocked) this.#finish(running.event, statement);
  }

  #finish(event: number, { side, plan, returns }: Pick<CallbackStatement, "side" | "plan" | "returns">): void {
    this.#session.finish(event, { outcome: evaluateReturn(returns, plan, this.#names), actor: side });
  }

  #leave(statement: LeaveStatement, { children }: Node): void {
    for (const child of children) this.run(child, 0);
    if (statement.label !== null) this.#labels.set(statement.label, this.#session.lastEvent);
    this.#checkOutcome(statement.outcome ?? null, statement.of, statement.line);
    const event = this.#events.get(statement.of) ?? 0;
    if (!this.#answers.has(event)) {
      this.#fail(statement.line, `wrote leave of ${statement.of.plan.name}, but it still waits`);
    }
  }

  #return({ of, returns, line }: ReturnStatement, { children }: Node): void {
    const event = this.#events.get(of);
    if (event === undefined) return this.#fail(line, `wrote return of ${of.plan.name}, but that callback never ran`);
    this.#finish(event, { side: of.side, plan: of.plan, returns });
    for (const child of children) this.run(child, 0);
    if (this.#scenario.options.callbacks !== "written") this.#drain(event);
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

  #expectState({ object, state, line }: ExpectStateStatement): void {
    const name = this.#objectName(object);
    const [kind, number] = name.split("#");
    const actual = stateMatches(this.#session.engine.world, { kind: kind ?? "", number: Number(number), state });
    if (actual !== null) this.#fail(line, `wrote state ${name} ${state}, got ${actual}`);
  }

  #objectName(node: ObjectNode | VariableNode): string {
    if (node.form === "object") return `${node.kind}#${node.number}`;
    const value = this.#names.variable(node.name);
    if (typeof value === "object" && value !== null && isRef(value)) return `${value.kind}#${value.number}`;
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
