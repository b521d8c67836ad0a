// Functions of the Kernel Mode Client Library that are known by name alone: newer interfaces have them, no page does (kmcl.md 2.7).
// They are no declarations: nobody knows their parameters. Whoever meets a name says what it is.

/** The version of the interface that brought each. */
export const NAMED_ONLY = {
  VmbChannelPacketGetClientContext: 2,
  VmbChannelGetTargetDeviceObject: 2,
  VmbChannelGetParentDeviceObject: 2,
  VmbChannelInitSetBounceBufferSizes: 3,
  VmbChannelAllocateBounceBuffer: 3,
  VmbChannelInitSetMaximumPacketCount: 4,
  VmbChannelCreateGpadlFromPfnList: 4,
  VmbChannelInitSetPrimaryChannel: 5,
  VmbChannelInitialize: 5,
  VmbChannelSetAllowableDpcCpuUsage: 5,
  VmbClientChannelInitSetTargetProcessorIndex: 5,
  VmbSizeofChannel: 5,
  VmbChannelInitSetInlinePacketContextSize: 5,
  VmbPacketGetInlinePacketContextPointer: 5,
  VmbChannelInitSetProcessPacketCallbacksEx: 5,
  VmbPacketSetCompletionRoutineEx: 5,
  VmbServerChannelInitSetSaveRestorePacketCallbacksEx: 5,
} as const satisfies Readonly<Record<string, number>>;

/** What is known of a function by this name, as a sentence; null: it is none of these. */
export function namedOnlyText(name: string): string | null {
  const version = new Map<string, number>(Object.entries(NAMED_ONLY)).get(name);
  return version === undefined
    ? null
    : `${name} is of interface version ${version} of KMCL, known by name alone: no page says what its parameters are.`;
}
