/* refusal.h – the one line that refuses a schema. Private to schema.
 * Errors: every function returns BAD_REQUEST with the line in `reterr`, or NOMEM. Calls out: none. */
#ifndef HG_SCHEMA_REFUSAL_H
#define HG_SCHEMA_REFUSAL_H

#include "base/buf.h"
#include "schema/dom.h"

/* Begins the line with the place: "#/properties/total: found ". */
void hg_refusal_begin(const struct hg_dom *dom, uint32_t node, struct hg_buf *reterr);
/* Appends a value, cut short: "a text", 12, an array of 3 elements, an object. */
void hg_put_value(const struct hg_dom *dom, uint32_t node, struct hg_buf *into);
/* Ends the line. */
HG_RESULT hg_refusal_end(const char *allowed, struct hg_buf *reterr);

/* The value of a node, and what may stand there. */
HG_RESULT hg_refuse_value(const struct hg_dom *dom, uint32_t node, const char *allowed, struct hg_buf *reterr);
/* A keyword that is none. */
HG_RESULT hg_refuse_word(const struct hg_dom *dom, uint32_t node, const char *meant, struct hg_buf *reterr);
/* A text that no DOM could be made of. */
HG_RESULT hg_refuse_text(struct hg_slice text, const struct hg_dom *dom, const struct hg_dom_error *error,
                         struct hg_buf *reterr);

#endif
