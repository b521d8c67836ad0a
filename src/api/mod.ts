// The door of `api`: declarations, their grammar and the catalogue that compiles them.

export type * from "./grammar.ts";
export * from "./values.ts";
export * from "./refs.ts";
export { ByPlan } from "./by_plan.ts";
export * from "./catalogue.ts";
export * from "./codec.ts";
export * from "./sides.ts";
export { HANDLE_SPACES, type HandleSpace, type ObjectDeclaration, OBJECTS, type OwnerEnd } from "./objects.ts";
export { STRUCTS } from "./structs.ts";
export { firstPhysicalAdapter, PAGE_BYTES, type ScalarStorage, type ScalarType, TYPES } from "./types.ts";
export { ntSuccess, STATUS, statusName, SYMBOLS } from "./symbols.ts";
export { KMCL } from "./kmcl.ts";
export { NAMED_ONLY, namedOnlyText } from "./kmcl_names.ts";
export { KMCL_CALLBACKS, REGISTERED_CALLBACKS, STATE_CALLBACKS, type StateCallback } from "./kmcl_callbacks.ts";
export { CALLBACK_ORDERS, type CallbackOrder } from "./callback_orders.ts";
export * from "./channel_image.ts";
export * from "./clauses.ts";
export { GPU_VA } from "./gpu_va.ts";
export { GPU_VA_CALLBACKS } from "./gpu_va_kernel.ts";
export { MACHINE } from "./machine.ts";
export { DXGKRNL } from "./dxgkrnl.ts";
export { type MessageName, WIRE } from "./vmbus.ts";
export { defaultOptions, type ModelOptions, OPTIONS, parseOption } from "./options.ts";
export * from "./notation/mod.ts";
export * from "./dxg_structs.ts";
export * from "./dxg_messages.ts";
export { ERRNO, ioctlResult, statusOfIoctl } from "./dxg_status.ts";
