// The program's version, from its one place. Must not know who asks: help pages and the headers of traces do.
import settings from "../../deno.json" with { type: "json" };

/** The version of the program, as `0.1.0`. */
export const VERSION: string = settings.version;
