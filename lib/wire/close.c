#include "wire/close.h"

#include "base/assert.h"

static const struct hg_close_row rows[HG_CLOSE__COUNT] = {
#define X(name, code, reason, text) {#name, code, reason, text},
    HG_CLOSE_REASONS(X)
#undef X
};

const struct hg_close_row *hg_close_row(enum hg_close reason)
{
    HG_ASSERT((unsigned)reason < HG_CLOSE__COUNT);
    return &rows[reason];
}
