// `gpu-pv`: the whole story of a paravirtualised GPU in one run, with everything released.

import { gpuPvStory } from "./gpu_pv_story.ts";

export default gpuPvStory({
  summary: "a guest shares buffers by GPADL, the host maps them and lets the GPU draw; all is released",
  tearsDown: true,
  options: {},
});
