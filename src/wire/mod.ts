// The door of `wire`: bytes, columns, MessagePack and blocks with limits. It knows no word of the field.

export { type BlockContent, type BlockPrefix, checkBody, findPrefix, PREFIX_BYTES } from "./block.ts";
export { MAX_BODY_BYTES, moveBlock, readBody, readPrefix, writeBlock } from "./block.ts";
export { ByteContents, ByteRuns } from "./byte_contents.ts";
export { ByteReader } from "./byte_reader.ts";
export { ByteRunColumns } from "./byte_run_columns.ts";
export { ByteTable } from "./byte_table.ts";
export { ByteWriter } from "./byte_writer.ts";
export { ColumnBuffers } from "./column_buffers.ts";
export { writeBytes, writeColumn } from "./column_writer.ts";
export { crc32, release } from "./compress.ts";
export { Fields } from "./fields.ts";
export { Layout, layout, type LayoutRecord, type LayoutValue } from "./layout.ts";
export { endOfValue, pack, type Packable, unpack } from "./message_pack.ts";
export { MessagePackWriter } from "./message_pack_writer.ts";
export { type ColumnView, isUint64, NumberColumn } from "./number_column.ts";
export { PairTable } from "./pair_table.ts";
export { NumberValues, readColumn } from "./plane_values.ts";
export { MAX_CELLS, PlaneSink, PlaneSource, readBytes } from "./planes.ts";
export { sameBytes } from "./same_bytes.ts";
export { sizeText } from "./size_text.ts";
export { TupleTable } from "./tuple_table.ts";
export { WireError } from "./wire_error.ts";
