// The call notation as data: what a line says, before anything runs. Parser, evaluation and matching share these types.
// They must not know how text is read, nor any particular call.

import type { CallPlan } from "../catalogue.ts";
import type { ObjectKind } from "../grammar.ts";
import type { ModelOptions } from "../options.ts";

/** Where something stands in a text. Lines and columns from 1; `text` is the whole line. */
export interface Place {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

interface NodeBase {
  readonly at: Place;
  /** The value as it is written. */
  readonly source: string;
}

/** `42`, `0x1000`, `-1`. */
export interface IntegerNode extends NodeBase {
  readonly form: "integer";
  readonly value: bigint;
}
/** `Write|Execute|0x40`, `STATUS_SUCCESS`: symbols and numbers, at least one symbol or two parts. */
export interface SymbolsNode extends NodeBase {
  readonly form: "symbols";
  readonly parts: readonly (string | bigint)[];
}
/** `true`, `false`. */
export interface BooleanNode extends NodeBase {
  readonly form: "boolean";
  readonly value: boolean;
}
/** `null`. */
export interface NullNode extends NodeBase {
  readonly form: "null";
}
/** `"net0"`. */
export interface TextNode extends NodeBase {
  readonly form: "text";
  readonly value: string;
}
/** `{6c96f725-6e4b-415a-9879-7621e9ec0651}`, kept in lower case with braces. */
export interface GuidNode extends NodeBase {
  readonly form: "guid";
  readonly value: string;
}
/** `h'00ff10'`. */
export interface BytesNode extends NodeBase {
  readonly form: "bytes";
  readonly value: Uint8Array;
}
/** `fill(0xab, 4096)`, `zero(4096)`: kept short until it is evaluated. */
export interface FillNode extends NodeBase {
  readonly form: "fill";
  readonly byte: number;
  readonly length: number;
}
/** `[1, 2]`. */
export interface ArrayNode extends NodeBase {
  readonly form: "array";
  readonly items: readonly ValueNode[];
}
/** `{OperationType=MAP, BaseAddress=0x400000}`. */
export interface StructNode extends NodeBase {
  readonly form: "struct";
  readonly members: readonly NamedNode[];
}
/** `gpadl#7`. */
export interface ObjectNode extends NodeBase {
  readonly form: "object";
  readonly kind: ObjectKind;
  readonly number: number;
}
/** `$name`, `$name+0x1000`; `offset` is null where none is written. */
export interface VariableNode extends NodeBase {
  readonly form: "variable";
  readonly name: string;
  readonly offset: bigint | null;
}

/** A value as written. */
export type ValueNode =
  | IntegerNode
  | SymbolsNode
  | BooleanNode
  | NullNode
  | TextNode
  | GuidNode
  | BytesNode
  | FillNode
  | ArrayNode
  | StructNode
  | ObjectNode
  | VariableNode;

/** `NAME=VALUE`. */
export interface NamedNode {
  readonly name: string;
  readonly value: ValueNode;
  readonly at: Place;
}

/** What stands after `->`. `any`: only outputs are written. `value`: a status or a returned value, as the declaration says. */
export type OutcomeNode =
  & { readonly at: Place; readonly source: string; readonly outs: readonly NamedNode[] }
  & (
    | { readonly form: "any" | "ok" | "fails" | "void" | "blocked" }
    | { readonly form: "refused"; readonly reason: string | null }
    | { readonly form: "value"; readonly value: ValueNode }
  );

interface StatementBase {
  /** From 1. */
  readonly line: number;
  /** Levels of indentation: 0 for a call at the top, 1 for its callbacks, 2 for calls inside those. */
  readonly depth: number;
  readonly at: Place;
}

/** `!option NAME=VALUE`. */
export interface OptionStatement extends StatementBase {
  readonly form: "option";
  readonly name: string;
  readonly value: string;
}
/** `SIDE CALL(...) [-> OUTCOME] [@LABEL]`. */
export interface CallStatement extends StatementBase {
  readonly form: "call";
  /** Canonical: `umd` for `umd#1`. */
  readonly side: string;
  readonly plan: CallPlan;
  readonly args: readonly NamedNode[];
  /** Null: not checked. */
  readonly outcome: OutcomeNode | null;
  /** Without its `@`. */
  readonly label: string | null;
}
/** `callback SIDE EVENT(...) [-> VALUE [{NAME=VALUE, ...}] | blocked @LABEL]`. */
export interface CallbackStatement extends StatementBase {
  readonly form: "callback";
  readonly side: string;
  readonly plan: CallPlan;
  readonly args: readonly NamedNode[];
  /** Null: STATUS_SUCCESS or nothing. */
  readonly returns: ValueNode | null;
  /** What the driver gives back; left out: 0, null, false or empty. */
  readonly outs: readonly NamedNode[];
  /** It does not return before its `return` line. */
  readonly blocked: boolean;
  readonly label: string | null;
}
/** `no callbacks`: the call above made none. */
export interface NoCallbacksStatement extends StatementBase {
  readonly form: "noCallbacks";
}
/** `leave @LABEL [-> OUTCOME]`. */
export interface LeaveStatement extends StatementBase {
  readonly form: "leave";
  readonly of: CallStatement;
  readonly outcome: OutcomeNode | null;
  readonly label: string | null;
}
/** `return @LABEL [-> VALUE [{NAME=VALUE, ...}]]`: a blocked callback returns. */
export interface ReturnStatement extends StatementBase {
  readonly form: "return";
  readonly of: CallbackStatement;
  readonly returns: ValueNode | null;
  readonly outs: readonly NamedNode[];
  readonly label: string | null;
}
/** `inside @LABEL`: a blocked callback goes on; the calls that it makes now stand under this line. */
export interface InsideStatement extends StatementBase {
  readonly form: "inside";
  readonly of: CallbackStatement;
}
/** `expect finding RULE [at @LABEL] [object REF]`. */
export interface ExpectFindingStatement extends StatementBase {
  readonly form: "expectFinding";
  readonly rule: string;
  /** A label of the scenario, or else an event number in digits; null: anywhere. */
  readonly position: string | null;
  readonly object: ObjectNode | VariableNode | null;
}
/** `expect no findings`. */
export interface ExpectNoFindingsStatement extends StatementBase {
  readonly form: "expectNoFindings";
}
/** `expect state REF STATE`. */
export interface ExpectStateStatement extends StatementBase {
  readonly form: "expectState";
  readonly object: ObjectNode | VariableNode;
  /** `live`, `open/paused`. */
  readonly state: string;
}

/** One line that says something. */
export type Statement =
  | OptionStatement
  | CallStatement
  | CallbackStatement
  | NoCallbacksStatement
  | LeaveStatement
  | ReturnStatement
  | InsideStatement
  | ExpectFindingStatement
  | ExpectNoFindingsStatement
  | ExpectStateStatement;

/** A whole text. */
export interface Scenario {
  readonly file: string;
  /** The defaults with the text's own `!option` lines. */
  readonly options: ModelOptions;
  /** In order of their lines. */
  readonly statements: readonly Statement[];
}
