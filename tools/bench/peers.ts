// The small C programs that the peers trace, how each is built and run. A script prints three numbers: nanoseconds a turn
// untraced, nanoseconds a turn traced, bytes on disk. It must not know how scripts are run.

/** A tracer to compare with. */
export interface Peer {
  readonly name: string;
  /** What one turn of the program makes. */
  readonly eventsPerTurn: number;
  /** What the peer calls an event. */
  readonly unit: string;
  readonly turns: number;
  /** Commands that must be there. */
  readonly commands: readonly string[];
  /** Debian packages that bring them, and the headers. */
  readonly packages: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly build: string;
  readonly run: string;
}

function program(head: string, ahead: string, turn: string): string {
  return `${head}
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1e9 + time.tv_nsec;
}
int main(int argc, char **argv) {
  long count = argc > 1 ? atol(argv[1]) : 0;
  ${ahead}
  double began = now();
  for (long turn = 0; turn < count; turn++) ${turn};
  printf("%f\\n", (now() - began) / count);
  return 0;
}
`;
}

const STEP = `volatile unsigned long sum;
__attribute__((noinline)) void step(unsigned long value) { sum += value; }`;

const UFTRACE: Peer = {
  name: "uftrace",
  eventsPerTurn: 2,
  unit: "record, two a call",
  turns: 2_000_000,
  commands: ["gcc", "uftrace"],
  packages: ["gcc", "uftrace"],
  files: { "step.c": program(STEP, "", "step(turn)") },
  build: "gcc -O2 -o plain step.c && gcc -O2 -pg -mfentry -o traced step.c",
  run: `./plain $TURNS
rm -rf data && uftrace record --no-libcall -d data ./traced $TURNS
cat data/*.dat | wc -c`,
};

const TRACEPOINTS = `#undef LTTNG_UST_TRACEPOINT_PROVIDER
#define LTTNG_UST_TRACEPOINT_PROVIDER bench
#undef LTTNG_UST_TRACEPOINT_INCLUDE
#define LTTNG_UST_TRACEPOINT_INCLUDE "./tracepoints.h"
#if !defined(TRACEPOINTS_H) || defined(LTTNG_UST_TRACEPOINT_HEADER_MULTI_READ)
#define TRACEPOINTS_H
#include <lttng/tracepoint.h>
LTTNG_UST_TRACEPOINT_EVENT(bench, step,
  LTTNG_UST_TP_ARGS(unsigned int, handle, unsigned int, size),
  LTTNG_UST_TP_FIELDS(lttng_ust_field_integer(unsigned int, handle, handle)
                      lttng_ust_field_integer(unsigned int, size, size)))
#endif
#include <lttng/tracepoint-event.h>
`;

const LTTNG: Peer = {
  name: "LTTng-UST",
  eventsPerTurn: 1,
  unit: "event of two integers",
  turns: 2_000_000,
  commands: ["gcc", "lttng", "lttng-sessiond"],
  packages: ["gcc", "lttng-tools", "liblttng-ust-dev"],
  files: {
    "tracepoints.h": TRACEPOINTS,
    "event.c": program(
      '#define LTTNG_UST_TRACEPOINT_CREATE_PROBES\n#define LTTNG_UST_TRACEPOINT_DEFINE\n#include "tracepoints.h"',
      "",
      "lttng_ust_tracepoint(bench, step, (unsigned)turn * 2654435761u, (unsigned)turn & 255)",
    ),
  },
  build: "gcc -O2 -I. -o event event.c -llttng-ust -ldl",
  // Blocking: a full buffer waits for its reader instead of dropping events, which would cost nothing.
  run: `export LTTNG_HOME="$PWD/home" LTTNG_UST_ALLOW_BLOCKING=1 LTTNG_UST_REGISTER_TIMEOUT=3000
mkdir -p home && rm -rf data
./event $TURNS
lttng-sessiond --daemonize --pidfile="$PWD/sessiond.pid"
trap 'kill $(cat "$PWD/sessiond.pid")' EXIT
{
  lttng --quiet create bench --output="$PWD/data"
  lttng --quiet enable-channel --userspace --session=bench --subbuf-size=4M --num-subbuf=8 --blocking-timeout=inf ch
  lttng --quiet enable-event --userspace --session=bench --channel=ch 'bench:*'
  lttng --quiet start bench
} >&2
./event $TURNS
{ lttng --quiet stop bench && lttng --quiet destroy bench; } >&2
find data -type f -name 'ch_*' -exec cat {} + | wc -c`,
};

const APITRACE: Peer = {
  name: "apitrace",
  eventsPerTurn: 1,
  unit: "call",
  turns: 1_000_000,
  commands: ["gcc", "apitrace"],
  packages: ["gcc", "apitrace", "libegl-dev", "libgl-dev", "libgl1-mesa-dri"],
  files: {
    "scissor.c": program(
      "#define EGL_EGLEXT_PROTOTYPES\n#include <EGL/egl.h>\n#include <EGL/eglext.h>\n#include <GL/gl.h>",
      `EGLDisplay display = eglGetPlatformDisplay(EGL_PLATFORM_SURFACELESS_MESA, EGL_DEFAULT_DISPLAY, NULL);
  if (!eglInitialize(display, NULL, NULL) || !eglBindAPI(EGL_OPENGL_API)) return 2;
  EGLContext context = eglCreateContext(display, EGL_NO_CONFIG_KHR, EGL_NO_CONTEXT, NULL);
  if (!eglMakeCurrent(display, EGL_NO_SURFACE, EGL_NO_SURFACE, context)) return 3;`,
      "glScissor((turn * 2654435761u) & 4095, turn & 255, 16, 16)",
    ),
  },
  build: "gcc -O2 -o scissor scissor.c -lEGL -lGL",
  run: `./scissor $TURNS
rm -f data && apitrace trace --api egl -o data ./scissor $TURNS
wc -c < data`,
};

/** The peers, in the order of the table. */
export const PEERS: readonly Peer[] = [UFTRACE, LTTNG, APITRACE];
