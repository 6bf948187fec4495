#include "base/error.h"

#include "base/assert.h"

static const struct hg_error_row rows[] = {
#define X(name, class_, code, reason, http, text) {#name, HG_CLASS_##class_, code, reason, http, text},
    HG_ERRORS(X)
#undef X
};

const struct hg_error_row *hg_error_row(enum hg_error code)
{
    HG_ASSERT(code < HG_ERR__COUNT);
    return &rows[code];
}
