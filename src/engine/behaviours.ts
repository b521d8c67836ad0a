// Every behaviour, by call. A call that is neither regular nor unmodelled and has none here does not compile.

import type { CALLS } from "../api/mod.ts";
import { ADAPTER_BEHAVIOURS } from "./adapter.ts";
import { ALLOCATION_BEHAVIOURS } from "./allocation.ts";
import type { Behaviour } from "./behaviour.ts";
import { type CallbackReturn, CHANNEL_BEHAVIOURS, CHANNEL_RETURNS } from "./channel.ts";
import { CHANNEL_INIT_BEHAVIOURS } from "./channel_init.ts";
import { GPADL_BEHAVIOURS } from "./gpadl.ts";
import { GPU_ACCESS_BEHAVIOURS } from "./gpu_access.ts";
import { GPU_VA_BEHAVIOURS } from "./gpu_va.ts";
import { MACHINE_BEHAVIOURS } from "./machine.ts";
import { PAGING_BEHAVIOURS } from "./paging.ts";

type Irregular = {
  [N in keyof typeof CALLS]: (typeof CALLS)[N] extends { readonly regular: true } | { readonly modelled: false } ? never
    : N;
}[keyof typeof CALLS];

const ALL = {
  ...CHANNEL_BEHAVIOURS,
  ...CHANNEL_INIT_BEHAVIOURS,
  ...GPADL_BEHAVIOURS,
  ...MACHINE_BEHAVIOURS,
  ...ADAPTER_BEHAVIOURS,
  ...PAGING_BEHAVIOURS,
  ...ALLOCATION_BEHAVIOURS,
  ...GPU_VA_BEHAVIOURS,
  ...GPU_ACCESS_BEHAVIOURS,
} as const satisfies Readonly<Record<Irregular, Behaviour>>;

/** Behaviours by call name. */
export const BEHAVIOURS: Readonly<Record<string, Behaviour | undefined>> = ALL;

/** What goes on when a callback returns, by callback name. */
export const CALLBACK_RETURNS: Readonly<Record<string, CallbackReturn | undefined>> = CHANNEL_RETURNS;
