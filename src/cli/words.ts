// What the words typed say at a glance: the verb, whether help is wanted, and what stands ahead of `--`. Must not load
// Optique, nor anything else that takes long: every run of the program begins here.

/** The verbs, in the order in which help lists them. */
export const VERBS = ["record", "replay", "audit", "diff", "dump", "info", "import", "explain"] as const;
/** A verb's name. */
export type Verb = typeof VERBS[number];

/** The verb that the first word names; undefined for anything else. */
export function verbOf(word: string | undefined): Verb | undefined {
  return VERBS.find((verb) => verb === word);
}

/** Whether a page of help is wanted: `--help` or `-h` ahead of `--`. */
export function wantsHelp(args: readonly string[]): boolean {
  const own = beforeDashes(args);
  return own.includes("--help") || own.includes("-h");
}

/** What stands ahead of `--`. */
export function beforeDashes(args: readonly string[]): readonly string[] {
  return args.includes("--") ? args.slice(0, args.indexOf("--")) : args;
}
