/* complaint.h – the one line that refuses a configuration: where, what was found, what is allowed. Private to config.
 *
 * Ownership: nothing is kept; all slices are borrowed. Errors: every function returns BAD_REQUEST with the line in
 * `reterr`, or NOMEM when the line could not be kept. Calls out: none. */
#ifndef HG_CONFIG_COMPLAINT_H
#define HG_CONFIG_COMPLAINT_H

#include "base/buf.h"
#include "base/error.h"
#include "base/json.h"
#include "base/slice.h"
#include "config/settings.h"

#define HG_NOWHERE SIZE_MAX

struct hg_where {
    struct hg_slice name; /* the file's name, or what gave a single setting; empty: neither */
    struct hg_slice text; /* the file's bytes */
    const char *at;       /* the place in them; NULL: no line is told */
    size_t rule;          /* topics[rule], or HG_NOWHERE */
    struct hg_slice key;  /* the setting; empty: the whole file or rule */
    size_t element;       /* of a list, or HG_NOWHERE */
};

/* The line of `at`, from 1. */
size_t hg_where_line(struct hg_where where);
/* `found` is a phrase of ours, such as "no rule"; `why` (may be NULL) goes on behind a colon; `allowed` ends the line.
 */
HG_RESULT hg_complain(struct hg_where where, const char *found, const char *why, const char *allowed,
                      struct hg_buf *reterr);
/* The same of a value, told in quotes. */
HG_RESULT hg_complain_value(struct hg_where where, struct hg_slice value, const char *why, const char *allowed,
                            struct hg_buf *reterr);
/* A value of the file that the row does not take. */
HG_RESULT hg_complain_json(struct hg_where where, struct hg_json value, const char *noun, const char *why,
                           const struct hg_setting *row, struct hg_buf *reterr);
/* The same, for text from elsewhere. */
HG_RESULT hg_complain_text(struct hg_where where, struct hg_slice text, const char *noun, const char *why,
                           const struct hg_setting *row, struct hg_buf *reterr);
/* A key that no row has. `name` lists those there are. */
HG_RESULT hg_complain_unknown(struct hg_where where, const char *(*name)(size_t i), struct hg_buf *reterr);
/* The file is not JSON: `offset` is where the scanner stopped. */
HG_RESULT hg_complain_syntax(struct hg_where where, size_t offset, struct hg_buf *reterr);

#endif
