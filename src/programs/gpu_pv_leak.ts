// `gpu-pv-leak`: the same story with the teardown of GPADLs compiled out, as a real driver shipped it (gpuva.md 5.7, G1):
// each allocation over guest memory leaks one GPADL, until the host grants no more.

import { gpuPvStory } from "./gpu_pv_story.ts";

export default gpuPvStory({
  summary: "the same with the GPADL's teardown compiled out: each cycle leaks one, until the host refuses more",
  tearsDown: false,
  options: { "gpadl-limit": "16" },
});
