// GPU virtual addresses, declared: D3DKMT calls of a user-mode driver and DxgkCb calls of a kernel-mode driver, a file for each
// subject. Parameters are the members of each call's one in/out structure; sources are sections of gpuva.md and the DDI pages it cites.

import { GPU_VA_KERNEL } from "./gpu_va_kernel.ts";
import { GPU_VA_OBJECTS } from "./gpu_va_objects.ts";
import { GPU_VA_RANGES } from "./gpu_va_ranges.ts";
import { GPU_VA_USE } from "./gpu_va_use.ts";
import type { Calls } from "./grammar.ts";

/** Calls of d3dkmthk.h and d3dkmddi.h. */
export const GPU_VA = { ...GPU_VA_OBJECTS, ...GPU_VA_RANGES, ...GPU_VA_USE, ...GPU_VA_KERNEL } as const satisfies Calls;
