// What the bus drivers of guest and host know of each other beyond KMCL's objects. But for `unload` it is kept only while
// their messages are events (option `wire`). Plain data: numbers name channels and GPADLs, so that a snapshot is a copy.

/** The id of an offer, as the endpoint in the guest that opened it holds it. */
export interface HeldOffer {
  readonly channelId: number;
  /** The number of the server channel that was offered. */
  readonly server: number;
}

/** A connection as messages made it, until its rings' GPADL is gone. */
export interface Link extends HeldOffer {
  readonly connection: number;
  /** The handle of the rings' GPADL. */
  readonly ringGpadl: number;
  /** What the host answered to the open, null: nothing yet. */
  result: number | null;
  /** The client's end is closing. */
  isClosing: boolean;
  isClientDown: boolean;
  isServerDown: boolean;
  /** CLOSE_CHANNEL was sent. */
  isClosed: boolean;
  /** GPADL_TEARDOWN of the rings was sent. */
  isTornDown: boolean;
}

/** How far an unload is: none, its connections close, UNLOAD was sent and GPADLs are waited for. */
export type UnloadPhase = "none" | "closing" | "sent";

/** All of it. */
export interface WireState {
  nextChannelId: number;
  /** Handle values of GPADLs that are no objects. */
  nextHandle: number;
  /** Ids of offers by the server channel's number. */
  readonly offers: Map<number, number>;
  /** By the client channel's number. */
  readonly held: Map<number, HeldOffer>;
  /** By connection. */
  readonly links: Map<number, Link>;
  /** The channel ids that live GPADLs were created under, by the GPADL's number. */
  readonly gpadls: Map<number, number>;
  unload: UnloadPhase;
  /** The guest stands still. */
  isVmSaved: boolean;
  /** Rescinds that a saved guest has not heard of: channel ids by connection. */
  readonly postponed: Map<number, number>;
}

/** Far from the values that drivers' GPADLs get, so that each is known at sight. */
const FIRST_HANDLE = 0x8000_0000;

/** Nothing was said yet. */
export function emptyWireState(): WireState {
  return {
    nextChannelId: 1,
    nextHandle: FIRST_HANDLE,
    offers: new Map(),
    held: new Map(),
    links: new Map(),
    gpadls: new Map(),
    unload: "none",
    isVmSaved: false,
    postponed: new Map(),
  };
}
