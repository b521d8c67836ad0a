// The VMBus Kernel Mode Client Library, declared: every function, callback and structure initialiser, a file for each subject.
// Sources are pages of the DDI by their kmcl.md citation key; a behaviour may not contradict what stands there.

import type { Calls } from "./grammar.ts";
import { KMCL_CHANNEL } from "./kmcl_channel.ts";
import { KMCL_GPADL } from "./kmcl_gpadl.ts";
import { KMCL_PACKET } from "./kmcl_packet.ts";
import { KMCL_SAVE } from "./kmcl_save.ts";

/** Functions of VmbusKernelModeClientLibApi.h. */
export const KMCL = { ...KMCL_CHANNEL, ...KMCL_GPADL, ...KMCL_PACKET, ...KMCL_SAVE } as const satisfies Calls;
