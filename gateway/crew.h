/* crew.h – the workers of a process that has several: a thread each, made one after the other, told to stop together,
 * and replaced when one has panicked.
 *
 * The thread that runs the crew takes the signals and serves no client. A worker that panics (base/assert.h) while
 * others are left is quarantined: its descriptors are closed, so that its clients come back to the others, and its
 * memory is never touched again, nor given back; a fresh worker takes its place after a while. The last worker, and the
 * panic after HG_CREW_PANICS_MAX, end the process. Errors: what is wrong is logged. */
#ifndef HG_CREW_H
#define HG_CREW_H

#include <stdbool.h>

#include "cli.h"
#include "logger.h"
#include "ws/ws.h"

enum { HG_CREW_PANICS_MAX = 8 };

/* From start to end, `cli->workers` of them. False: something failed. */
bool hg_crew_run(const struct hg_cli *cli, const struct hg_ws_files *files, const struct hg_logger *logger);

#endif
