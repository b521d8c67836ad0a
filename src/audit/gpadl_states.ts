// The automaton of each GPADL (kmcl.md 5.5), folded from calls that succeeded: live, mapped, being deleted, dead.
// It judges nothing. Of the dead only the newest are kept.

import { type Ref, SYMBOLS } from "../api/mod.ts";
import { refOf } from "./call_shapes.ts";
import type { ChannelStates } from "./channel_states.ts";
import type { CallView } from "./detector.ts";
import type { Evidence } from "./finding.ts";
import { DeadGpadls } from "./gpadl_dead.ts";
import { evidenceOf } from "./join.ts";
import { NumberMap } from "./number_map.ts";

/** The one flag that there is. */
export const { READ_ONLY } = SYMBOLS.gpadlFlags;

/** A mapping at the server, from its Map on. */
export interface Mapping {
  readonly gpadl: GpadlRecord;
  readonly mdl: Ref | null;
  readonly mapped: Evidence;
  /** The thread that mapped it, by name; empty of one that is over. */
  readonly actor: string;
  readonly isReadOnly: boolean;
  unmapped: Evidence | null;
  /** A finding says already that it leaked. */
  isReported: boolean;
  /** The next younger live one of its GPADL. */
  younger: Mapping | null;
}

/** A delete that began. */
export interface Deletion {
  readonly began: Evidence;
  /** The mapping that it had to wait for, null: none. */
  readonly waitsFor: Mapping | null;
}

/** One GPADL. */
export interface GpadlRecord {
  readonly ref: Ref;
  /** The client channel's number, 0: not known. */
  readonly channel: number;
  /** The server channel's number at its creation, 0: not known. */
  readonly server: number;
  readonly isReadOnly: boolean;
  readonly created: Evidence;
  readonly byteCount: number;
  /** The oldest live mapping; the others hang on it. */
  mapping: Mapping | null;
  lastMapping: Mapping | null;
  deletion: Deletion | null;
  /** The event at which its delete returned, 0: not yet. */
  deletedAt: number;
  isReported: boolean;
}

/** All GPADLs. */
export class Gpadls {
  readonly #live = new NumberMap<GpadlRecord>();
  readonly #dead = new DeadGpadls();
  /** Dead ones that a mapping outlives. */
  readonly #outlived = new NumberMap<GpadlRecord>();
  /** Open mappings by the number of their MDL; one without by its event, negated. */
  readonly #mappings = new NumberMap<Mapping>();
  /** Live ones by channel and handle value. */
  readonly #handles = new Map<number, NumberMap<GpadlRecord>>();

  /** The record, alive or among the newest dead; undefined where its creation was not seen. */
  find(ref: Ref): GpadlRecord | undefined {
    return this.numbered(ref.number);
  }

  /** The same by number. */
  numbered(number: number): GpadlRecord | undefined {
    return this.#live.get(number) ?? this.#outlived.get(number) ?? this.#dead.find(number);
  }

  /** The live one that this handle value names on a channel; the newest where there are two. */
  named(channel: number, handle: number): GpadlRecord | undefined {
    return this.#handles.get(channel)?.get(handle);
  }

  /** Live ones, oldest first. */
  live(): readonly GpadlRecord[] {
    return [...this.#live.values()].sort((left, right) => left.created.event - right.created.event);
  }

  /** Mappings that were not unmapped, oldest first; also of GPADLs that are dead. */
  openMappings(): readonly Mapping[] {
    return [...this.#mappings.values()].sort((left, right) => left.mapped.event - right.mapped.event);
  }

  /** The mapping that this MDL is or was, among the newest. */
  mappingOf(mdl: Ref): Mapping | undefined {
    return this.#mappings.get(mdl.number) ?? this.#dead.mappingOf(mdl, (number) => this.numbered(number));
  }

  /** Takes a create that succeeded. */
  created(call: CallView, about: { readonly channels: ChannelStates; readonly byteCount: number }): GpadlRecord | null {
    const ref = refOf(call.outs, "gpadl");
    if (ref === null) return null;
    const channel = call.objectAt(call.shape.at.channel);
    const record: GpadlRecord = {
      ref,
      channel: channel?.number ?? 0,
      server: about.channels.find(channel)?.peer?.ref.number ?? 0,
      isReadOnly: (call.numberAt(call.shape.at.gpadlFlags) & READ_ONLY) !== 0,
      created: evidenceOf(call, "created"),
      byteCount: about.byteCount,
      mapping: null,
      lastMapping: null,
      deletion: null,
      deletedAt: 0,
      isReported: false,
    };
    this.#live.set(ref.number, record);
    const handles = this.#handles.get(record.channel);
    if (handles !== undefined) handles.set(ref.handle, record);
    else {
      const made = new NumberMap<GpadlRecord>();
      made.set(ref.handle, record);
      this.#handles.set(record.channel, made);
    }
    return record;
  }

  /** Takes a map that succeeded. */
  mapped(call: CallView, gpadl: GpadlRecord): Mapping {
    const mapping: Mapping = {
      gpadl,
      mdl: refOf(call.outs, "mdl"),
      mapped: evidenceOf(call, "mapped"),
      actor: call.actor,
      isReadOnly: (call.numberAt(call.shape.at.gpadlFlags) & READ_ONLY) !== 0,
      unmapped: null,
      isReported: false,
      younger: null,
    };
    if (gpadl.mapping === null) gpadl.mapping = mapping;
    else if (gpadl.lastMapping !== null) gpadl.lastMapping.younger = mapping;
    gpadl.lastMapping = mapping;
    this.#mappings.set(keyOf(mapping), mapping);
    return mapping;
  }

  /** Takes an unmap that succeeded; where there are many mappings the oldest goes. */
  unmapped(call: CallView, gpadl: GpadlRecord): Mapping | null {
    const { mapping } = gpadl;
    if (mapping === null) return null;
    gpadl.mapping = mapping.younger;
    mapping.younger = null;
    mapping.unmapped = evidenceOf(call, "unmapped");
    this.#mappings.delete(keyOf(mapping));
    if (mapping.mdl !== null) this.#dead.buryMapping(mapping, mapping.mdl);
    if (gpadl.mapping === null && this.#outlived.delete(gpadl.ref.number)) this.#dead.bury(gpadl);
    return mapping;
  }

  /** Takes a delete that was let in, or an unload that ends all of them. */
  deleteBegan(call: CallView, gpadl: GpadlRecord): void {
    gpadl.deletion ??= { began: evidenceOf(call, "blocked"), waitsFor: gpadl.mapping };
  }

  /** Takes a delete that succeeded. */
  deleted(gpadl: GpadlRecord, event: number): void {
    gpadl.deletedAt = event;
    this.#live.delete(gpadl.ref.number);
    if (gpadl.mapping === null) this.#dead.bury(gpadl);
    else this.#outlived.set(gpadl.ref.number, gpadl);
    const { channel, ref: { number, handle } } = gpadl;
    const handles = this.#handles.get(channel);
    if (handles?.get(handle)?.ref.number !== number) return;
    handles.delete(handle);
    if (handles.size === 0) this.#handles.delete(channel);
  }
}

function keyOf({ mdl, mapped }: Mapping): number {
  return mdl === null ? -mapped.event : mdl.number;
}

/** Live mappings of a GPADL, oldest first. */
export function* mappingsOf({ mapping }: GpadlRecord): IterableIterator<Mapping> {
  for (let each = mapping; each !== null; each = each.younger) yield each;
}

/** What happened to a GPADL, in the order of the trace; a delete that waits is `blocked`. */
export function historyOf({ created, lastMapping, deletion, deletedAt }: GpadlRecord): readonly Evidence[] {
  const mapping = lastMapping === null ? [] : [lastMapping.mapped];
  const unmapping = lastMapping?.unmapped == null ? [] : [lastMapping.unmapped];
  const deleted = deletion === null ? [] : [{ ...deletion.began, role: deletedAt > 0 ? "deleted" : "blocked" }];
  return [created, ...mapping, ...unmapping, ...deleted].sort((left, right) => left.event - right.event);
}
