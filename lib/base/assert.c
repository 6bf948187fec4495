#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void hg_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "headgate: panic at %s:%d: %s\n", file, line, what);
    abort();
}
