#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "config/durability.h"

static void assert_reads(const char *text, enum hg_durability_kind kind, unsigned replicas)
{
    struct hg_durability durability;
    assert_true(hg_ok(hg_durability_parse(hg_slice_str(text), &durability, NULL)));
    assert_int_equal(durability.kind, kind);
    assert_int_equal(durability.replicas, replicas);
    struct hg_buf back;
    hg_buf_init(&back, 100);
    hg_durability_put(durability, &back);
    assert_true(hg_slice_is(hg_buf_slice(&back), text));
    hg_buf_done(&back);
}

static void test_every_one_reads_and_writes_back(void **state)
{
    (void)state;
    assert_reads("memory", HG_DURABILITY_MEMORY, 0);
    assert_reads("fsync", HG_DURABILITY_FSYNC, 0);
    for (unsigned n = 1; n <= HG_DURABILITY_REPLICAS_MAX; n++) {
        char text[32];
        snprintf(text, sizeof(text), "replicas:%u", n);
        assert_reads(text, HG_DURABILITY_REPLICAS, n);
    }
}

static void test_anything_else_is_refused(void **state)
{
    (void)state;
    static const char *const refused[][2] = {
        {"", "is not known"},
        {"Memory", "is not known"},
        {"memory ", "is not known"},
        {"disk", "is not known"},
        {"replica:1", "is not known"},
        {"replicas", "has no number of replicas from 1 to 100"},
        {"replicas:", "has no number of replicas from 1 to 100"},
        {"replicas:0", "has no number of replicas from 1 to 100"},
        {"replicas:00", "has no number of replicas from 1 to 100"},
        {"replicas:01", "has no number of replicas from 1 to 100"},
        {"replicas:101", "has no number of replicas from 1 to 100"},
        {"replicas:4294967297", "has no number of replicas from 1 to 100"},
        {"replicas:-1", "has no number of replicas from 1 to 100"},
        {"replicas:1 ", "has no number of replicas from 1 to 100"},
        {"replicas:1,2", "has no number of replicas from 1 to 100"},
    };
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        struct hg_durability durability = {HG_DURABILITY_FSYNC, 77};
        const char *why = NULL;
        if (hg_ok(hg_durability_parse(hg_slice_str(refused[i][0]), &durability, &why)))
            fail_msg("\"%s\" was accepted", refused[i][0]);
        assert_string_equal(why, refused[i][1]);
        assert_int_equal(durability.replicas, 77);
        assert_false(hg_ok(hg_durability_parse(hg_slice_str(refused[i][0]), &durability, NULL)));
    }
    assert_false(hg_ok(hg_durability_parse(HG_SLICE_NULL, &(struct hg_durability){0}, NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_one_reads_and_writes_back),
        cmocka_unit_test(test_anything_else_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
