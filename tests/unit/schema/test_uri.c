#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "schema/uri.h"

static void check(const char *base, const char *reference, const char *wanted, const char *wanted_fragment)
{
    struct hg_buf uri;
    struct hg_slice fragment;
    hg_buf_init(&uri, 4096);
    hg_uri_resolve(hg_slice_str(base), hg_slice_str(reference), &uri, &fragment);
    assert_true(hg_ok(hg_buf_result(&uri)));
    if (!hg_slice_is(hg_buf_slice(&uri), wanted) || !hg_slice_is(fragment, wanted_fragment))
        fail_msg("%s from %s is %.*s # %.*s, not %s", reference, base, HG_SLICE_ARG(hg_buf_slice(&uri)),
                 HG_SLICE_ARG(fragment), wanted);
    hg_buf_done(&uri);
}

/* The examples of RFC 3986, sections 5.4.1 and 5.4.2. */
static void test_examples_of_the_standard(void **state)
{
    (void)state;
    static const char *const rows[][3] = {
        {"g:h", "g:h", ""},
        {"g", "http://a/b/c/g", ""},
        {"./g", "http://a/b/c/g", ""},
        {"g/", "http://a/b/c/g/", ""},
        {"/g", "http://a/g", ""},
        {"//g", "http://g", ""},
        {"?y", "http://a/b/c/d;p?y", ""},
        {"g?y", "http://a/b/c/g?y", ""},
        {"#s", "http://a/b/c/d;p?q", "s"},
        {"g#s", "http://a/b/c/g", "s"},
        {"g?y#s", "http://a/b/c/g?y", "s"},
        {";x", "http://a/b/c/;x", ""},
        {"g;x", "http://a/b/c/g;x", ""},
        {"g;x?y#s", "http://a/b/c/g;x?y", "s"},
        {"", "http://a/b/c/d;p?q", ""},
        {".", "http://a/b/c/", ""},
        {"./", "http://a/b/c/", ""},
        {"..", "http://a/b/", ""},
        {"../", "http://a/b/", ""},
        {"../g", "http://a/b/g", ""},
        {"../..", "http://a/", ""},
        {"../../", "http://a/", ""},
        {"../../g", "http://a/g", ""},
        {"../../../g", "http://a/g", ""},
        {"../../../../g", "http://a/g", ""},
        {"/./g", "http://a/g", ""},
        {"/../g", "http://a/g", ""},
        {"g.", "http://a/b/c/g.", ""},
        {".g", "http://a/b/c/.g", ""},
        {"g..", "http://a/b/c/g..", ""},
        {"..g", "http://a/b/c/..g", ""},
        {"./../g", "http://a/b/g", ""},
        {"./g/.", "http://a/b/c/g/", ""},
        {"g/./h", "http://a/b/c/g/h", ""},
        {"g/../h", "http://a/b/c/h", ""},
        {"g;x=1/./y", "http://a/b/c/g;x=1/y", ""},
        {"g;x=1/../y", "http://a/b/c/y", ""},
        {"g?y/./x", "http://a/b/c/g?y/./x", ""},
        {"g?y/../x", "http://a/b/c/g?y/../x", ""},
        {"g#s/./x", "http://a/b/c/g", "s/./x"},
        {"g#s/../x", "http://a/b/c/g", "s/../x"},
        {"http:g", "http:g", ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        check("http://a/b/c/d;p?q", rows[i][0], rows[i][1], rows[i][2]);
}

static void test_other_bases(void **state)
{
    (void)state;
    check("", "#/x", "", "/x");
    check("", "", "", "");
    check("", "a/../b", "/b", "");
    check("order.json", "item.json#a", "item.json", "a");
    check("schemas/order.json", "#a", "schemas/order.json", "a");
    check("http://a", "b", "http://a/b", "");
    check("urn:uuid:1", "#x", "urn:uuid:1", "x");
    check("urn:uuid:1", "http://a/b", "http://a/b", "");
    check("http://a/b", "urn:x:y#z", "urn:x:y", "z");
    check("http://a/b?q", "#", "http://a/b?q", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_examples_of_the_standard),
        cmocka_unit_test(test_other_bases),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
