#include "wire/gap.h"

#include "base/assert.h"

static const struct hg_gap_row rows[] = {
#define X(name, word, text, advice) [HG_GAP_##name] = {word, text, advice},
    HG_GAP_REASONS(X)
#undef X
};

const struct hg_gap_row *hg_gap_row(enum hg_gap reason)
{
    HG_ASSERT((unsigned)reason < HG_GAP__COUNT);
    return &rows[reason];
}
