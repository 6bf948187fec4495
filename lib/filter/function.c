#include "filter/function.h"

#include <strings.h>

#include "base/assert.h"

static const struct hg_function_row rows[] = {
#define X(name, least, most, returns, arguments) {#name, least, most, HG_VALUE_##returns, arguments},
    HG_FUNCTIONS(X)
#undef X
};

const struct hg_function_row *hg_function_row(enum hg_function function)
{
    HG_ASSERT(function < HG_FUNCTION_UNKNOWN);
    return &rows[function];
}

enum hg_function hg_function_find(struct hg_slice name)
{
    unsigned i = 0;
    for (; i < HG_FUNCTION_UNKNOWN; i++)
        if (name.len == strlen(rows[i].name) && strncasecmp(name.ptr, rows[i].name, name.len) == 0)
            break;
    return (enum hg_function)i;
}
