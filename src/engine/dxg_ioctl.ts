// What programs of a guest ask /dev/dxg: the guest's graphics kernel is called back and its answer is theirs (gpuva.md 5.1).
// It must not know commands nor structures: what the bytes mean is between the program and that kernel.

import { baseSide, type CallbackName } from "../api/mod.ts";
import { type Behaviour, blocked, refuse, type Reply, type Scope, value } from "./behaviour.ts";
import type { KernelReturn } from "./kernel_driver.ts";
import type { World } from "./world.ts";

const IOCTL: CallbackName = "EvtDxgIoctl";
/** Each call is an endpoint of its own: they are numbered above all channels, by the call's event. */
const FIRST_ENDPOINT = 2 ** 31;

/** Waits for the guest's kernel; several threads may be in it at a time. */
function ioctl({ world, side, event, retry }: Scope, command: number, argument: Uint8Array): Reply {
  if (baseSide(side) !== "guest-umd") return refuse(`there is no /dev/dxg for ${side}: wanted guest-umd`);
  if (!retry) {
    world.raise({ name: IOCTL, channel: FIRST_ENDPOINT + event, side: "kmd", ins: [command, argument], cause: event });
    return blocked();
  }
  const answer = world.ioctlAnswers.get(event);
  if (answer === undefined) return blocked();
  world.ioctlAnswers.delete(event);
  const [bytes = new Uint8Array(0), result = 0] = answer;
  return value(result, bytes);
}

/** The call that waits for it is tried again within the same input. */
function answered(world: World, { callback, outs }: KernelReturn): void {
  const call = callback.channel - FIRST_ENDPOINT;
  if (world.parked.some(({ event }) => event === call)) world.ioctlAnswers.set(call, outs);
}

/** What goes on when the guest's kernel has answered. */
export const DXG_RETURNS: Readonly<Record<string, ((world: World, returned: KernelReturn) => void) | undefined>> = {
  [IOCTL]: answered,
};

/** The behaviour of ioctls. */
export const DXG_BEHAVIOURS = { DxgIoctl: ioctl } as const satisfies Readonly<Record<string, Behaviour>>;
