#include "support/oom.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

#define LIVE_MAX (1u << 16) /* allocations alive at once in one run; a power of two */

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void __real_free(void *ptr);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void __wrap_free(void *ptr);
char *__wrap_strdup(const char *text);
char *__wrap_strndup(const char *text, size_t max);

/* The linker's --wrap leaves no room for a context argument, so this one piece of state is global. */
static struct {
    bool watching;
    size_t count;   /* allocations since watching began */
    size_t fail_at; /* 1-based, 0: never */
    bool fail_on;
    size_t live;
    uintptr_t table[LIVE_MAX]; /* open addressing; 0: free, 1: was used */
} oom;

static size_t slot_of(uintptr_t key)
{
    return (size_t)((key >> 4) * 0x9e3779b97f4a7c15u >> 48) & (LIVE_MAX - 1);
}

static void remember(void *ptr)
{
    HG_ASSERT(oom.live < LIVE_MAX / 2);
    size_t at = slot_of((uintptr_t)ptr);
    while (oom.table[at] > 1)
        at = (at + 1) & (LIVE_MAX - 1);
    oom.table[at] = (uintptr_t)ptr;
    oom.live++;
}

/* Memory from before the watch, or from inside another library, is not in the table and does not count. */
static void forget(void *ptr)
{
    size_t at = slot_of((uintptr_t)ptr);
    for (size_t i = 0; i < LIVE_MAX && oom.table[at] != 0; i++, at = (at + 1) & (LIVE_MAX - 1)) {
        if (oom.table[at] == (uintptr_t)ptr) {
            oom.table[at] = 1;
            oom.live--;
            return;
        }
    }
}

static bool must_fail(void)
{
    if (!oom.watching)
        return false;
    oom.count++;
    return oom.fail_at > 0 && (oom.count == oom.fail_at || (oom.fail_on && oom.count > oom.fail_at));
}

static void *watched(void *ptr)
{
    if (oom.watching && ptr)
        remember(ptr);
    return ptr;
}

void *__wrap_malloc(size_t size)
{
    return must_fail() ? NULL : watched(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
    return must_fail() ? NULL : watched(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
    if (must_fail())
        return NULL;
    if (!oom.watching)
        return __real_realloc(old, size);
    if (old)
        forget(old);
    void *ptr = __real_realloc(old, size);
    if (!ptr && old && size > 0)
        remember(old);
    return watched(ptr);
}

void __wrap_free(void *ptr)
{
    if (oom.watching && ptr)
        forget(ptr);
    __real_free(ptr);
}

char *__wrap_strndup(const char *text, size_t max)
{
    size_t len = strnlen(text, max);
    char *copy = __wrap_malloc(len + 1);
    if (copy) {
        memcpy(copy, text, len);
        copy[len] = '\0';
    }
    return copy;
}

char *__wrap_strdup(const char *text)
{
    return __wrap_strndup(text, SIZE_MAX);
}

/* One run with a fresh watch; tells what is left in *ret_leaked. */
static bool run_once(bool (*function)(void), size_t fail_at, bool fail_on, size_t *ret_leaked)
{
    memset(oom.table, 0, sizeof(oom.table));
    oom.live = oom.count = 0;
    oom.fail_at = fail_at;
    oom.fail_on = fail_on;
    oom.watching = true;
    bool result = function();
    oom.watching = false;
    *ret_leaked = oom.live;
    return result;
}

struct hgt_oom_report hgt_oom_run(bool (*function)(void))
{
    json_set_alloc_funcs(__wrap_malloc, __wrap_free);

    struct hgt_oom_report report = {.verdict = HGT_OOM_CLEAN};
    bool result = run_once(function, 0, false, &report.leaked);
    report.allocations = oom.count;
    if (!result)
        report.verdict = HGT_OOM_FAILS_UNDISTURBED;
    else if (report.leaked > 0)
        report.verdict = HGT_OOM_LEAKS_UNDISTURBED;
    else if (report.allocations == 0)
        report.verdict = HGT_OOM_NO_ALLOCATION;

    for (size_t i = 1; report.verdict == HGT_OOM_CLEAN && i <= report.allocations; i++) {
        for (int on = 0; report.verdict == HGT_OOM_CLEAN && on < 2; on++) {
            report.failed_at = i;
            report.failed_on = on;
            result = run_once(function, i, on, &report.leaked);
            if (result)
                report.verdict = HGT_OOM_FAILURE_UNREPORTED;
            else if (report.leaked > 0)
                report.verdict = HGT_OOM_LEAKS;
        }
    }
    return report;
}

void hgt_oom_sweep(bool (*function)(void), const char *name, const char *file, int line)
{
    static const char *const texts[] = {
        [HGT_OOM_CLEAN] = "clean",
        [HGT_OOM_FAILS_UNDISTURBED] = "fails although nothing was disturbed",
        [HGT_OOM_LEAKS_UNDISTURBED] = "leaks although nothing was disturbed",
        [HGT_OOM_NO_ALLOCATION] = "allocates nothing, so the sweep proves nothing",
        [HGT_OOM_FAILURE_UNREPORTED] = "does not report a failed allocation",
        [HGT_OOM_LEAKS] = "leaks after a failed allocation",
    };
    struct hgt_oom_report report = hgt_oom_run(function);
    if (report.verdict != HGT_OOM_CLEAN) {
        print_error("%s:%d: %s %s (allocation %zu of %zu failed%s, %zu left behind)\n", file, line, name,
                    texts[report.verdict], report.failed_at, report.allocations,
                    report.failed_on ? ", and all later ones" : "", report.leaked);
        _fail(file, line);
    }
}
