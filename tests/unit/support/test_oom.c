/* The sweep must find each kind of fault, else its silence means nothing. */
#include "support/oom.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/death.h"

/* What the faulty functions leave behind, so that this test itself leaks nothing. */
static void *left[64];
static size_t left_count;

static void leave(void *ptr)
{
    left[left_count++] = ptr;
}

/* The compiler may drop an allocation that nobody looks at. */
static void *volatile seen;

static void *see(void *ptr)
{
    seen = ptr;
    return ptr;
}

static bool clean(void)
{
    char *a = see(malloc(10)), *b = a ? see(calloc(2, 5)) : NULL, *c = b ? see(strdup("text")) : NULL;
    char *d = c ? see(realloc(c, 100)) : NULL;
    bool ok = d != NULL;
    free(a);
    free(b);
    free(d ? d : c);
    return ok;
}

static bool leaks_on_failure(void)
{
    char *a = see(malloc(10));
    if (!a)
        return false;
    char *b = see(malloc(20));
    if (!b) {
        leave(a);
        return false;
    }
    free(a);
    free(b);
    return true;
}

static bool loses_the_old_on_realloc(void)
{
    char *a = see(malloc(10));
    if (!a)
        return false;
    char *b = realloc(a, 1000);
    if (!b) {
        leave(seen); /* still the old one; by its name the compiler would warn, as it should */
        return false;
    }
    free(b);
    return true;
}

static bool leaks_always(void)
{
    leave(see(malloc(10)));
    return true;
}

static bool hides_failure(void)
{
    free(see(malloc(10)));
    return true;
}

static bool fails(void)
{
    return false;
}

static bool allocates_nothing(void)
{
    return true;
}

static bool uses_jansson(void)
{
    json_t *root = json_loads("{\"a\":[1,2,{\"b\":\"text\"}]}", 0, NULL);
    bool ok = root != NULL;
    json_decref(root);
    return ok;
}

static void test_verdicts(void **state)
{
    (void)state;
    struct hgt_oom_report report = hgt_oom_run(clean);
    assert_int_equal(report.verdict, HGT_OOM_CLEAN);
    assert_int_equal(report.allocations, 4);

    report = hgt_oom_run(leaks_on_failure);
    assert_int_equal(report.verdict, HGT_OOM_LEAKS);
    assert_int_equal(report.failed_at, 2);
    assert_int_equal(report.leaked, 1);

    report = hgt_oom_run(loses_the_old_on_realloc);
    assert_int_equal(report.verdict, HGT_OOM_LEAKS);
    assert_int_equal(report.leaked, 1);

    assert_int_equal(hgt_oom_run(leaks_always).verdict, HGT_OOM_LEAKS_UNDISTURBED);
    assert_int_equal(hgt_oom_run(hides_failure).verdict, HGT_OOM_FAILURE_UNREPORTED);
    assert_int_equal(hgt_oom_run(fails).verdict, HGT_OOM_FAILS_UNDISTURBED);
    assert_int_equal(hgt_oom_run(allocates_nothing).verdict, HGT_OOM_NO_ALLOCATION);
    while (left_count > 0)
        free(left[--left_count]);
}

static void test_jansson_is_watched(void **state)
{
    (void)state;
    struct hgt_oom_report report = hgt_oom_run(uses_jansson);
    assert_int_equal(report.verdict, HGT_OOM_CLEAN);
    assert_true(report.allocations > 5);
}

static void aborts(void)
{
    abort();
}

static void returns(void)
{
}

static void test_death_is_told_from_life(void **state)
{
    (void)state;
    assert_true(hgt_dies(aborts));
    assert_false(hgt_dies(returns));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verdicts),
        cmocka_unit_test(test_jansson_is_watched),
        cmocka_unit_test(test_death_is_told_from_life),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
