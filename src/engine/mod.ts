// The door of `engine`: the pure model.

export { type CallInput, type CallResult, Engine } from "./engine.ts";
export type { GivenArgs } from "./bind.ts";
export type { EngineObject } from "./objects.ts";
export type { Output, PendingCallback, World } from "./world.ts";
export { isSnapshot, type Snapshot } from "./snapshot.ts";
export { stateMatches } from "./state.ts";
export { piecesOf } from "./pieces.ts";
export { mappingsOf } from "./plain_data.ts";
export { AddressSpace, type PageEntry } from "./address_space.ts";
