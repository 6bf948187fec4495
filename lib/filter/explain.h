/* explain.h – why an event passes a filter or does not, as a small tree with values.
 *
 * As JSON, one object:
 *   {"result": false, "json": true, "decided": "data.total > 100", "tree": PART}
 *   PART = {"part": "…", "value": false, "error": "missingAttribute", "decides": true, "skipped": true,
 *           "reads": [{"path": "data.total", "value": 90}], "parts": [PART …]}
 * "json" tells whether the event was JSON at all. "decided" is the first single condition that made the result. Of a
 * PART, "error", "decides" and "skipped" (not evaluated, since a part in front of it decided) stand only when they
 * apply, "parts" below AND, OR, XOR, NOT and `sql`, "reads" elsewhere; what is missing has "missing": true in place of
 * "value". As text, one line a part, indented. Units: bytes; long texts are cut. Errors: NOMEM, TOO_BIG of the buffer.
 * Calls out: none. */
#ifndef HG_FILTER_EXPLAIN_H
#define HG_FILTER_EXPLAIN_H

#include "base/buf.h"
#include "filter/filter.h"

HG_RESULT hg_filter_explain_json(const struct hg_filter *filter, struct hg_slice event, struct hg_slice topic,
                                 struct hg_buf *into);
HG_RESULT hg_filter_explain_text(const struct hg_filter *filter, struct hg_slice event, struct hg_slice topic,
                                 struct hg_buf *into);

#endif
