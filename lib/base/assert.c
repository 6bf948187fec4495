#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

static _Thread_local const char *thread_name;
static _Thread_local void (*way_out)(void *context);
static _Thread_local void *way_out_context;

void hg_panic_set_name(const char *name)
{
    thread_name = name;
}

const char *hg_panic_name(void)
{
    return thread_name;
}

void hg_panic_set_way_out(void (*instead)(void *context), void *context)
{
    way_out = instead;
    way_out_context = context;
}

_Noreturn void hg_panic(const char *file, int line, const char *what)
{
    fprintf(stderr, "headgate: %s%spanic at %s:%d: %s\n", thread_name ? thread_name : "", thread_name ? ": " : "", file,
            line, what);
    void (*instead)(void *context) = way_out;
    way_out = NULL; /* a mistake on the way out has none */
    if (instead)
        instead(way_out_context);
    abort();
}
