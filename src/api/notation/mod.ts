// The door of the notation: printing, reading, evaluating and comparing calls as text.

export type * from "./syntax.ts";
export { didYouMean } from "./near_names.ts";
export { NotationError } from "./notation_error.ts";
export { type ParseOptions, parseScenario } from "./parse.ts";
export { type Environment, evaluate, evaluateArguments, evaluateOuts, evaluateReturn } from "./evaluate.ts";
export {
  type ArgumentsTarget,
  matchArguments,
  matchOutcome,
  type MatchTarget,
  matchValue,
  type OutcomeTarget,
} from "./match.ts";
export { isDefault, type PrintableCall, type PrintableOutcome, printCall, printOutcome, printValue } from "./print.ts";
export {
  type ObjectReference,
  parseObject,
  parsePosition,
  parseRange,
  type PositionRange,
  type PrintableSite,
  printObject,
  printPosition,
  printSite,
} from "./positions.ts";
export { quoteText, visibleText } from "./text_literal.ts";
export { matchesGlob } from "./glob.ts";
