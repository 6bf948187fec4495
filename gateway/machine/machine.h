/* machine.h – what the machine allows: open files and memory, read once at the start.
 *
 * Units: bytes, files. Errors: what cannot be read counts as not limited; a machine that tells no memory has 0.
 * Calls out: the kernel's limits, /proc and /sys under `root`. */
#ifndef HG_MACHINE_MACHINE_H
#define HG_MACHINE_MACHINE_H

#include <stdint.h>

#define HG_FILES_ENDLESS UINT64_MAX

struct hg_machine {
    uint64_t files_soft, files_hard; /* HG_FILES_ENDLESS: no limit */
    uint64_t memory;                 /* the least of what the machine has and a cgroup allows; 0: not known */
    const char *memory_of;           /* who sets it, such as "the machine"; static */
};

/* `root`: where /proc and /sys stand; "" but in tests. */
void hg_machine_read(const char *root, struct hg_machine *ret_machine);

#endif
