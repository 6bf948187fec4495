/* report.h – what there is to say about a filter that somebody wrote: why it is refused, or how it will be read.
 * Units: `at` is an offset in bytes from the start of the text. Ownership: none. Calls out: none. */
#ifndef HG_FILTER_REPORT_H
#define HG_FILTER_REPORT_H

#include "base/error.h"
#include "base/slice.h"

/* Sentences for the author of the filter: one line of valid UTF-8, empty when there is nothing to say. */
struct hg_filter_report {
    size_t at;
    char text[200];
};

/* Fills the report with `before`, the quoted part of the filter when there is one, and `after`; returns FILTER_INVALID.
 * What does not fit is cut off. `after` may be NULL. */
HG_RESULT hg_report_refuse(struct hg_filter_report *report, size_t at, const char *before, struct hg_slice quoted,
                           const char *after);

#endif
