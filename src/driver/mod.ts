// The door of `driver`: programs, the scheduler that runs them, and the session that numbers what happens.

export {
  type Answer,
  type CallRequest,
  type CallTicket,
  type RunningCallback,
  Session,
  type SessionOptions,
} from "./session.ts";
export {
  defineProgram,
  on,
  type Program,
  type ProgramContext,
  type ProgramModule,
  type RunOptions,
  runProgram,
  type Thread,
} from "./program.ts";
export type { RunEnd, Scheduler, SitePolicy } from "./scheduler.ts";
export { Mailbox } from "./mailbox.ts";
export { Random } from "./random.ts";
export type { SideApi } from "./facade.ts";
export { type ExpectedFinding, runScenario, type ScenarioFailure, type ScenarioReport } from "./scenario.ts";
