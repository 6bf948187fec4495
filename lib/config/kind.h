/* kind.h – what the texts of settings are: one row each for addresses, patterns, templates and so on, named by the unit
 * of the setting. Private to config.
 *
 * Ownership: rows and phrases are static. Errors: SYNTAX with a phrase that completes "the NOUN …"; NOMEM. Calls out:
 * none. */
#ifndef HG_CONFIG_KIND_H
#define HG_CONFIG_KIND_H

#include "base/error.h"
#include "base/slice.h"

struct hg_text_kind {
    const char *unit, *noun;
    hg_result (*check)(struct hg_slice text, const char **reterr_why);
    const char *allowed; /* what may stand there, of a list too */
    bool secret;         /* may hold a password */
    bool number;         /* a file may have it as a number, without quotes */
};

/* The row of a unit that there is. */
const struct hg_text_kind *hg_text_kind(const char *unit);

#endif
