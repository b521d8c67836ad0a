// The grammar of a declaration: what may be said of a call, as TypeScript types over plain literals.
// It must not know any particular call, and nothing here runs: it only types the tables beside it.

import type { TYPES } from "./types.ts";
import type { OBJECTS } from "./objects.ts";
import type { STRUCTS } from "./structs.ts";

/** A kind of object that a handle can name. */
export type ObjectKind = keyof typeof OBJECTS;
/** A structure that arguments are made of. */
export type StructName = keyof typeof STRUCTS;
/** A scalar's type: its unit and meaning, not only its width (`pageCount`, `gpuVa`, `gpadlFlags`). */
export type ScalarWord = keyof typeof TYPES;
/** Any type word that a parameter can have. */
export type TypeWord = ScalarWord | ObjectKind | StructName;
/** Which way a value goes: into the call, out of it, both; `in?` may be null where an object is wanted. */
export type Direction = "in" | "in?" | "out" | "inout";
/** A parameter: direction and type, two words; `[]` makes it an array. */
export type ParamSpec = `${Direction} ${TypeWord}` | `${Direction} ${TypeWord}[]`;

/** What a call does to the object table and to address spaces; audits are one fold over these. */
export type Effect =
  | `${"create" | "destroy" | "map" | "unmap" | "open" | "close"} ${string}`
  | `${"map" | "reserve" | "free"} ${string} for ${string}`;

/** Who may make a call: an endpoint of a channel, a driver, a processor, the machine. */
export type Endpoint = "client" | "server" | "both" | "umd" | "kmd" | "cpu" | "gpu" | "machine";

/** Which layer an event belongs to; `wire` is the VMBus messages under KMCL. */
export type Level = "machine" | "kmcl" | "d3dkmt" | "wire";

/** What a capture saw begin or end, for events that observe a system rather than call the model. */
export interface Observation {
  /** The kind of thing, as `audit --json` names it under `pairing`. */
  readonly thing: string;
  /** `rundown` is a start that was already there when the capture began. */
  readonly edge: "start" | "stop" | "rundown" | "mark";
  /** Parameters that together name the thing while it lives. */
  readonly key: readonly string[];
  /** Start and end of the half-open address range, where the thing is one. */
  readonly range?: readonly [start: string, end: string];
}

/**
 * What the DDI's structures hold beside the declared parameters, by the DDI's names: counts of arrays, flags that are parameters
 * here, enumerations without a type word, and what the model does not use. The notation takes them; traces never hold them.
 * Sources: gpuva.md 2.2 to 2.5.
 */
export interface DdiNames {
  /** The array whose items it counts; no more than there are. */
  readonly counts?: { readonly [name: string]: string };
  /** Names of a declared parameter's numbers. */
  readonly symbols?: { readonly [name: string]: { readonly [symbol: string]: number } };
  /** Flags, each a declared parameter of type bool. */
  readonly flags?: { readonly [name: string]: { readonly [symbol: string]: number } };
  /** Another name of a declared parameter. */
  readonly renamed?: { readonly [name: string]: string };
  /** A structure whose members stand here as parameters of the call. */
  readonly opened?: readonly string[];
  /** The model has no use for it: it may only be 0, null or empty. */
  readonly unused?: readonly string[];
  /** The system ignores it. */
  readonly ignored?: readonly string[];
}

/** One call, callback or observed event: all that is true of it, as data. */
export interface Declaration {
  /** Never reused: traces hold it. */
  readonly id: number;
  readonly endpoint: Endpoint;
  readonly doc: string;
  /** The page or header a rule comes from. */
  readonly source?: string;
  readonly params: { readonly [name: string]: ParamSpec };
  /** What the notation takes beside its parameters. */
  readonly ddi?: DdiNames;
  /** `status` (NTSTATUS), `void`, or the type of the value returned. */
  readonly returns: "status" | "void" | TypeWord;
  /** Object states admitted, by parameter. */
  readonly needs?: { readonly [param: string]: readonly string[] };
  /** State after success, by parameter. */
  readonly moves?: { readonly [param: string]: string };
  readonly effects?: readonly Effect[];
  /** The status with which a call in a wrong state is refused; left out: the option `refusal-status`. */
  readonly refusal?: string;
  /**
   * What its behaviour refuses, in order, behind what every call is refused for: the wrong end, a level too high, what handles name,
   * their states. Each condition in words with its answer: a status, the option that names one, or "refused" of a call without.
   */
  readonly refuses?: readonly (readonly [condition: string, answer: string])[];
  /** Statuses that its page lists, besides success and `refusal`; `NULL`: instead of an object. */
  readonly answers?: readonly string[];
  /** Clauses of it (`clauses.ts`) that no run of the model can show, each with the reason. */
  readonly unreachable?: { readonly [clause: string]: string };
  /** Enter and leave may be separate events. */
  readonly blocks?: true;
  /** The highest interrupt request level at which it is made; left out: DISPATCH_LEVEL. */
  readonly irql?: "PASSIVE_LEVEL";
  /** The driver must look at the returned status (header annotation). */
  readonly mustInspect?: true;
  /** The tables say it all: no behaviour is written for it. */
  readonly regular?: true;
  /** Not modelled yet: answers STATUS_NOT_IMPLEMENTED or is refused, makes no finding. */
  readonly modelled?: false;
  /** Seen in a capture of a real system; the engine cannot make it happen. */
  readonly observes?: Observation;
}

/** A table of declarations by name. */
export interface Calls {
  readonly [name: string]: Declaration;
}

/** The members of a structure, each `in`, `out` or both, like parameters. */
export interface Members {
  readonly [name: string]: ParamSpec;
}

/** A structure. */
export interface StructDeclaration {
  readonly doc: string;
  readonly members: Members;
  /** What the notation takes beside its members. */
  readonly ddi?: DdiNames;
}

type SpecWord<S extends string> = S extends `${Direction} ${infer W}[]` ? W : S extends `${Direction} ${infer W}` ? W
: never;
type IsArray<S extends string> = S extends `${string}[]` ? true : false;
type Goes<S extends string, D extends Direction> = S extends `${D} ${string}` ? true : false;

type Storage<W> = W extends ScalarWord ? (typeof TYPES)[W]["storage"] : never;

/** What a program may pass for a type word. A 64-bit value may be a number up to 2^53. */
export type InValue<W> = W extends StructName ? InMembers<(typeof STRUCTS)[W]["members"]>
  : W extends ObjectKind ? number | null
  : Storage<W> extends "u64" | "i64" ? bigint | number
  : Storage<W> extends "bool" ? boolean
  : Storage<W> extends "text" | "guid" ? string | null
  : Storage<W> extends "bytes" ? Uint8Array
  : Storage<W> extends "function" ? CallbackFunction | boolean | null
  : number;

/** What a program gets for a type word. */
export type OutValue<W> = W extends StructName ? OutMembers<(typeof STRUCTS)[W]["members"]>
  : W extends ObjectKind ? number
  : Storage<W> extends "u64" | "i64" ? bigint
  : Storage<W> extends "bool" | "function" ? boolean
  : Storage<W> extends "text" | "guid" ? string
  : Storage<W> extends "bytes" ? Uint8Array
  : number;

/** A driver's callback, as the driver floor makes it of a program's function. */
export type CallbackFunction = (...args: never[]) => unknown;

type InOf<S extends string> = IsArray<S> extends true ? readonly InValue<SpecWord<S>>[] : InValue<SpecWord<S>>;
type OutOf<S extends string> = IsArray<S> extends true ? readonly OutValue<SpecWord<S>>[] : OutValue<SpecWord<S>>;
type InMembers<M> = {
  readonly [K in keyof M as Goes<M[K] & string, "in" | "in?" | "inout"> extends true ? K : never]?: InOf<M[K] & string>;
};
type OutMembers<M> = {
  readonly [K in keyof M as Goes<M[K] & string, "out" | "inout"> extends true ? K : never]: OutOf<M[K] & string>;
};

type GivenMembers<M> = {
  readonly [K in keyof M as Goes<M[K] & string, "in" | "in?" | "inout"> extends true ? K : never]: OutOf<M[K] & string>;
};

type GivenBack<M> = {
  readonly [K in keyof M as Goes<M[K] & string, "out" | "inout"> extends true ? K : never]?: InOf<M[K] & string>;
};

/** What a program's handler of a callback returns: a status, or also what it gives back, by the DDI's names. */
export type ReturnOf<D> = D extends { readonly params: infer P }
  ? number | void | ({ readonly status: number } & GivenBack<P>)
  : never;
/** What a callback gives a program, by the DDI's names. */
export type GivenOf<D> = D extends { readonly params: infer P } ? GivenMembers<P> : never;
/** The arguments of a call, by the DDI's names; what is left out is 0, null, false or empty. */
export type ArgsOf<D> = D extends { readonly params: infer P } ? InMembers<P> : never;
/** The outputs of a call, by the DDI's names. */
export type OutsOf<D> = D extends { readonly params: infer P } ? OutMembers<P> : never;
/** What a call gives a program: `status`, `value` or `refused`, and its outputs. */
export type ResultOf<D> = D extends { readonly returns: "status" } ? { readonly status: number } & OutsOf<D>
  : D extends { readonly returns: "void" } ? { readonly refused: string | null } & OutsOf<D>
  : D extends { readonly returns: infer R }
    ? { readonly value: OutValue<R>; readonly refused: string | null } & OutsOf<D>
  : never;

/** One option of the model. */
export interface OptionDeclaration {
  readonly doc: string;
  /** The first value is the default; "number": any whole number above 0; "status": a failing NTSTATUS by name. */
  readonly values: readonly string[];
  readonly from: string;
  /** Lowest and highest number. */
  readonly bounds?: readonly [low: number, high: number];
}
