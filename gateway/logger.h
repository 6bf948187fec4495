/* logger.h – lines to standard error: "2026-11-24T06:00:00.123Z info message", or "<6>message" under systemd, which has
 * its own clock. One write a line, and one line at a time, whatever thread it comes from; control characters are
 * escaped, so that what a peer sent cannot forge lines or drive a terminal. Ownership: nothing is kept. Errors: a line
 * that cannot be written is lost. Calls out: none. */
#ifndef HG_LOGGER_H
#define HG_LOGGER_H

#include <stdbool.h>

#include "base/slice.h"
#include "core/ports.h"

struct hg_logger {
    enum hg_log_level least;
    bool to_journal;
    const char *name; /* whose lines these are, told at their beginning: "worker 2"; NULL: the process's */
};

/* `level`: one of the words of log_level. Looks at JOURNAL_STREAM (systemd.exec(5)). */
void hg_logger_init(struct hg_logger *logger, const char *level);
void hg_logger_put(const struct hg_logger *logger, enum hg_log_level level, struct hg_slice line);
void hg_logger_printf(const struct hg_logger *logger, enum hg_log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
