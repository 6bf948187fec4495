#include "filter/report.h"

#include "base/visible.h"

/* A part of the filter is told with this many bytes at most. */
#define QUOTED_MAX 40

static void put(struct hg_filter_report *report, struct hg_slice text)
{
    size_t len = strlen(report->text);
    while (text.len > 0) {
        size_t step = hg_visible_char(text);
        bool shown = step > 1 || (step == 1 && (unsigned char)text.ptr[0] >= 0x20 && text.ptr[0] != 0x7f);
        struct hg_slice piece = shown ? hg_slice_first(text, step) : HG_LIT("?");
        if (len + piece.len >= sizeof(report->text))
            break;
        memcpy(report->text + len, piece.ptr, piece.len);
        len += piece.len;
        text = hg_slice_from(text, step > 0 ? step : 1);
    }
    report->text[len] = '\0';
}

hg_result hg_report_refuse(struct hg_filter_report *report, size_t at, const char *before, struct hg_slice quoted,
                           const char *after)
{
    report->at = at;
    report->text[0] = '\0';
    put(report, hg_slice_str(before));
    put(report, hg_slice_first(quoted, QUOTED_MAX));
    if (quoted.len > QUOTED_MAX)
        put(report, HG_LIT("…"));
    if (after)
        put(report, hg_slice_str(after));
    return HG_FAIL(FILTER_INVALID);
}
