/* need.h – what the settings may come to need, at worst, beside what the machine allows; the one place that works it
 * out. Pure: numbers in, numbers and sentences out. Units: bytes, open files. */
#ifndef HG_MACHINE_NEED_H
#define HG_MACHINE_NEED_H

#include "base/buf.h"
#include "config/config.h"
#include "machine/machine.h"

struct hg_need {
    /* Open files: what the settings may need; what the soft limit is to be, within the hard one; and what they are
     * enough for. */
    uint64_t files_wanted, files;
    uint64_t connections, handshakes;
    /* Memory: what counts against the ceiling, each part and together; the ceiling; and what comes beside it. */
    uint64_t clients, logs, emits, counted;
    uint64_t memory_max; /* 0: none */
    uint64_t besides;
};

struct hg_need hg_need_of(const struct hg_config *config, unsigned workers, const struct hg_machine *machine);
/* The settings in force: what there are no files for is cut off, and the ceiling of memory is filled in. */
void hg_need_apply(const struct hg_need *need, struct hg_config *config);
/* Two lines, each with `indent` before it. */
void hg_need_put(const struct hg_need *need, const struct hg_config *config, const struct hg_machine *machine,
                 const char *indent, struct hg_buf *into);
/* What is missing and what to set, a sentence for each, or nothing. `config` as before hg_need_apply(). */
void hg_need_put_files_warning(const struct hg_need *need, const struct hg_config *config, struct hg_buf *into);
void hg_need_put_memory_warning(const struct hg_need *need, const struct hg_config *config,
                                const struct hg_machine *machine, struct hg_buf *into);

#endif
