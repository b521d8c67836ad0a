// How an object is named in text, `gpadl#7`: as the notation does. It must not know handles.

export {
  type ObjectReference as ObjectName,
  parseObject as parseObjectName,
  printObject as objectName,
} from "../api/mod.ts";
