// The door of `import`: foreign logs in, traces out.

export { DETECT_BYTES, detectFormat, type ForeignFormat } from "./detect.ts";
export { type DxgArguments, type DxgDecoded, DxgDecoder } from "./dxg_calls.ts";
export { importEtl, type ImportOptions } from "./dxgkrnl.ts";
export { ForeignFormatError } from "./foreign_format_error.ts";
export type { ImportClock, ImportCount, Imported, ImportProblem, ImportReport } from "./imported.ts";
export { type ImportedJsonLines, importJsonLines } from "./json_lines.ts";
export { importStrace } from "./strace.ts";
