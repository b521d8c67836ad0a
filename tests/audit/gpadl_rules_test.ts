// Rules of GPADLs: each fires, and does not where the misuse is just missed.
import { assertEquals } from "../support/assert.ts";
import { CLOSE, DELETE, found, GIVEN_BACK, MAP, OPEN, SHARED, UNMAP } from "./story.ts";

Deno.test("audit() finds nothing where every GPADL is mapped, unmapped and deleted in order", () => {
  assertEquals(found(`${OPEN}${SHARED}${MAP}${UNMAP}${MAP}${UNMAP}${GIVEN_BACK}`), []);
});
