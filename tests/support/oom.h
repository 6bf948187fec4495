/* oom.h – fails each allocation once and looks for leaks.
 *
 * HGT_OOM_SWEEP(function) takes a `bool function(void)` that does one piece of work and cleans up after itself. It
 * returns true on success and false when, and only when, the code under test reported NOMEM. The sweep runs it once
 * undisturbed (it must return true) and counts its allocations; then for each of them once with that allocation failing
 * and once with that one and all later ones failing. Each disturbed run must return false. No run may leave an
 * allocation behind.
 *
 * Counted are malloc, calloc, realloc, strdup and strndup of the code linked into the test, and jansson's. What other
 * shared libraries allocate for themselves is not. Not for threads. Calls out: cmocka's fail() when the sweep finds a
 * fault. */
#ifndef HGT_SUPPORT_OOM_H
#define HGT_SUPPORT_OOM_H

#include <stdbool.h>
#include <stddef.h>

#define HGT_OOM_SWEEP(function) hgt_oom_sweep(function, #function, __FILE__, __LINE__)

enum hgt_oom_verdict {
    HGT_OOM_CLEAN,
    HGT_OOM_FAILS_UNDISTURBED,  /* false without any failure injected */
    HGT_OOM_LEAKS_UNDISTURBED,  /* allocations left without any failure injected */
    HGT_OOM_NO_ALLOCATION,      /* nothing to fail: the sweep would prove nothing */
    HGT_OOM_FAILURE_UNREPORTED, /* an allocation failed, the function said true */
    HGT_OOM_LEAKS,              /* allocations left after an injected failure */
};

struct hgt_oom_report {
    enum hgt_oom_verdict verdict;
    size_t allocations; /* of the undisturbed run */
    size_t failed_at;   /* 1-based number of the allocation that was failed, 0: none */
    bool failed_on;     /* the later ones failed too */
    size_t leaked;      /* allocations left behind */
};

/* Runs the sweep and tells; for the sweep's own test. */
struct hgt_oom_report hgt_oom_run(bool (*function)(void));
/* Runs the sweep and fails the test with a sentence unless the verdict is HGT_OOM_CLEAN. */
void hgt_oom_sweep(bool (*function)(void), const char *name, const char *file, int line);

#endif
