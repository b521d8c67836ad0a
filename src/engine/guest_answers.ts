// What a guest's program is told of a call that its graphics kernel passed on to the host: replies lack members, and most
// failures become one. Rules: gpuva.md 5.3, 5.6. It must not know what the host does.

import { baseSide, ioctlResult, STATUS, statusOfIoctl } from "../api/mod.ts";
import { answer, fail, type Reply, type Scope } from "./behaviour.ts";

/** The most allocations that the guest's driver passes on in one MakeResident or Evict. */
export const MAX_GUEST_LIST = 10240;

/** Whether a program in a guest asks. */
export function isGuest({ side }: Pick<Scope, "side">): boolean {
  return baseSide(side) === "guest-umd";
}

/** Fails with a status, or with what is left of it when it has been an errno on its way. */
export function failTowards(scope: Scope, status: keyof typeof STATUS): Reply {
  return isGuest(scope) ? answer(statusOfIoctl(ioctlResult(STATUS[status]))) : fail(status);
}
