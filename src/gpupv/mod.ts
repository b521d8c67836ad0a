// The door of `gpupv`: a guest with a virtual GPU, whose graphics kernel asks its host over VMBus, and the host that answers.

export { type GuestOptions, type OpenGuestAdapter, openGuestAdapter } from "./guest.ts";
export { type Args, askDxg, type DxgRequest, type Ended, GuestAdapter, type GuestResult } from "./guest_adapter.ts";
export {
  decodeMessage,
  encodeMessage,
  type Framing,
  type IncomingMessage,
  type MessageName,
  MESSAGES,
  type OutgoingMessage,
} from "./messages.ts";
export type { GuestAllocation, GuestHandles, GuestObject } from "./guest_state.ts";
export type { HostProcess, HostState } from "./host_state.ts";
export type { GuestProcess } from "./ioctl.ts";
