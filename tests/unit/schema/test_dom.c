#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/prng.h"
#include "schema/dom.h"
#include "support/oom.h"

static void read_dom(struct hg_slice text, struct hg_dom *dom)
{
    struct hg_dom_error error;
    hg_result r = hg_dom_read(text, dom, &error);
    if (!hg_ok(r))
        fail_msg("fault %d at %zu: %.*s", error.fault, error.at, HG_SLICE_ARG(text));
}

static bool is_text(const struct hg_dom *dom, const char *pointer, const char *text)
{
    uint32_t node = hg_dom_at(dom, 0, hg_slice_str(pointer));
    return node != HG_DOM_NONE && hg_slice_is(hg_dom_text(dom, node), text);
}

static void test_nodes_and_texts(void **state)
{
    (void)state;
    struct hg_dom dom;
    read_dom(HG_LIT(" {\"a\" : [ 1 , -2.5e3,\"x\\ny\\u00e9\" ,{ } , [ ]], \"\\u0062\\\"\":null,\"c\":{\"d\":true}} "),
             &dom);
    assert_int_equal(dom.count, 10);
    assert_int_equal(dom.nodes[0].count, 3);
    assert_int_equal(dom.nodes[0].next, 10);
    assert_int_equal(dom.nodes[1].count, 5);
    assert_int_equal(dom.nodes[1].next, 7);
    assert_true(is_text(&dom, "/a/1", "-2.5e3"));
    assert_true(is_text(&dom, "/a/2", "x\ny\xc3\xa9"));
    assert_true(is_text(&dom, "/b\"", "null"));
    assert_true(is_text(&dom, "/c/d", "true"));
    assert_int_equal(hg_dom_find(&dom, 0, HG_LIT("b\"")), 7);
    assert_int_equal(hg_dom_find(&dom, 0, HG_LIT("b")), HG_DOM_NONE);
    assert_int_equal(hg_dom_find(&dom, hg_dom_at(&dom, 0, HG_LIT("/a/3")), HG_LIT("b")), HG_DOM_NONE);
    hg_dom_done(&dom);
}

static void test_scalars(void **state)
{
    (void)state;
    static const char *const texts[] = {"0", "-1e5", "true", "false", "null", "\"\"", "\"a\"", "[]", "{}", " 7\n"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        char *exact = malloc(strlen(texts[i])); /* so that a sanitizer sees a read past the end */
        struct hg_dom dom;
        assert_non_null(exact);
        memcpy(exact, texts[i], strlen(texts[i]));
        read_dom(hg_slice(exact, strlen(texts[i])), &dom);
        assert_int_equal(dom.count, 1);
        hg_dom_done(&dom);
        free(exact);
    }
}

static void test_pointers(void **state)
{
    (void)state;
    static const struct {
        const char *pointer;
        bool there;
    } rows[] = {
        {"", true},        {"/a", true},      {"/a/0", true},
        {"/a/1", true},    {"/a/2", false},   {"/a/00", false},
        {"/a/-", false},   {"/a/", false},    {"/", true},
        {"/~01", true},    {"/~1", true},     {"/x~1y~0z", true},
        {"/x/y~z", false}, {"/~2", false},    {"/~", false},
        {"a", false},      {"/a/1/x", false}, {"/a/18446744073709551616", false},
    };
    struct hg_dom dom;
    struct hg_buf back;
    hg_buf_init(&back, 100);
    read_dom(HG_LIT("{\"a\":[5,6],\"\":1,\"~1\":2,\"/\":3,\"x/y~z\":4}"), &dom);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t node = hg_dom_at(&dom, 0, hg_slice_str(rows[i].pointer));
        if ((node != HG_DOM_NONE) != rows[i].there)
            fail_msg("%s", rows[i].pointer);
        if (node == HG_DOM_NONE)
            continue;
        hg_buf_clear(&back);
        hg_dom_put_pointer(&dom, node, &back);
        if (!hg_slice_is(back.len > 0 ? hg_buf_slice(&back) : HG_LIT(""), rows[i].pointer))
            fail_msg("%s came back as %.*s", rows[i].pointer, HG_SLICE_ARG(hg_buf_slice(&back)));
    }
    hg_buf_done(&back);
    hg_dom_done(&dom);
}

static void test_faults(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum hg_dom_fault fault;
        size_t at;
        const char *pointer;
    } rows[] = {
        {"", HG_DOM_NOT_JSON, 0, NULL},
        {"[1,]", HG_DOM_NOT_JSON, 3, NULL},
        {"{\"a\":1,\"b\":2,\"a\":3}", HG_DOM_NAME_TWICE, 0, "/a"},
        {"{\"x\":[{\"a\":1,\"\\u0061\":2}]}", HG_DOM_NAME_TWICE, 0, "/x/0/a"},
        {"{\"x\":[0,\"\\ud800\"]}", HG_DOM_HALF_OF_A_PAIR, 0, "/x/1"},
        {"{\"x\":{\"\\ude00\":1}}", HG_DOM_HALF_OF_A_PAIR, 0, "/x"},
        {"[1,1e9999999999999999]", HG_DOM_NUMBER, 0, "/1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct hg_dom dom;
        struct hg_dom_error error;
        struct hg_buf pointer;
        hg_buf_init(&pointer, 100);
        assert_int_equal(hg_dom_read(hg_slice_str(rows[i].text), &dom, &error).code, HG_ERR_SYNTAX);
        assert_int_equal(error.fault, rows[i].fault);
        if (rows[i].pointer) {
            hg_dom_put_pointer(&dom, error.node, &pointer);
            assert_true(hg_slice_is(hg_buf_slice(&pointer), rows[i].pointer));
        } else {
            assert_int_equal(error.at, rows[i].at);
        }
        hg_buf_done(&pointer);
        hg_dom_done(&dom);
    }
}

static int compare(const char *a, const char *b)
{
    struct hg_dom x, y;
    uint64_t work = 1000;
    read_dom(hg_slice_str(a), &x);
    read_dom(hg_slice_str(b), &y);
    int order = hg_dom_compare(&x, 0, &y, 0, &work);
    int back = hg_dom_compare(&y, 0, &x, 0, &work);
    assert_true((order > 0) == (back < 0) && (order == 0) == (back == 0));
    hg_dom_done(&x);
    hg_dom_done(&y);
    return order;
}

static void test_equality(void **state)
{
    (void)state;
    static const char *const equal[][2] = {
        {"1", "1.0"},
        {"{\"a\":1,\"bb\":[2]}", "{\"bb\":[2.0],\"a\":1e0}"},
        {"\"a\"", "\"\\u0061\""},
        {"[]", " [ ] "},
        {"{}", "{ }"},
        {"null", "null"},
        {"[0,[1]]", "[-0,[1]]"},
    };
    static const char *const different[][2] = {
        {"1", "\"1\""},
        {"0", "false"},
        {"1", "true"},
        {"null", "false"},
        {"[]", "{}"},
        {"[1,2]", "[2,1]"},
        {"{\"a\":1}", "{\"a\":2}"},
        {"{\"a\":1}", "{\"b\":1}"},
        {"{\"a\":1}", "{\"a\":1,\"b\":1}"},
        {"[[]]", "[]"},
        {"\"\"", "\"\\u0000\""},
        {"9007199254740993", "9007199254740992"},
        {"\"A\"", "\"a\""},
        {"[null]", "[]"},
    };
    for (size_t i = 0; i < sizeof(equal) / sizeof(equal[0]); i++)
        if (compare(equal[i][0], equal[i][1]) != 0)
            fail_msg("%s is not %s", equal[i][0], equal[i][1]);
    for (size_t i = 0; i < sizeof(different) / sizeof(different[0]); i++)
        if (compare(different[i][0], different[i][1]) == 0)
            fail_msg("%s is %s", different[i][0], different[i][1]);
}

static int by_number(void *context, uint32_t a, uint32_t b)
{
    ++*(size_t *)context;
    return (a / 16 > b / 16) - (a / 16 < b / 16);
}

static void test_sorting(void **state)
{
    (void)state;
    static uint32_t items[3000], room[3000];
    struct hg_prng prng;
    hg_prng_init(&prng, 3);
    for (size_t count = 0; count <= 3000; count += count < 40 ? 1 : 611) {
        size_t calls = 0, log = 0;
        for (size_t n = count; n > 0; n /= 2)
            log++;
        for (size_t i = 0; i < count; i++) /* the low four bits keep equal ones in order */
            items[i] = (uint32_t)(hg_prng_below(&prng, 1 + count / 2) * 16 + i % 16);
        hg_dom_sort(items, room, count, by_number, &calls);
        for (size_t i = 1; i < count; i++)
            assert_true(items[i - 1] / 16 <= items[i] / 16);
        assert_true(count <= 12 || calls <= count * log);
    }
}

static void test_many_members(void **state)
{
    (void)state;
    struct hg_buf text;
    struct hg_dom dom;
    hg_buf_init(&text, 1 << 20);
    hg_buf_put_char(&text, '{');
    for (int i = 0; i < 5000; i++)
        hg_buf_printf(&text, "%s\"n%d\":%d", i > 0 ? "," : "", i * 7 % 5000, i * 7 % 5000);
    hg_buf_put_char(&text, '}');
    read_dom(hg_buf_slice(&text), &dom);
    for (int i = 0; i < 5000; i++) {
        char name[20];
        snprintf(name, sizeof(name), "n%d", i);
        uint32_t member = hg_dom_find(&dom, 0, hg_slice_str(name));
        assert_true(member != HG_DOM_NONE && hg_slice_is(hg_dom_text(&dom, member), name + 1));
    }
    hg_dom_done(&dom);
    hg_buf_done(&text);
}

static bool read_it(void)
{
    struct hg_dom dom;
    struct hg_dom_error error;
    hg_result r = hg_dom_read(HG_LIT("{\"a\":[1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4,5,6,7,8,9,0,1,2,3,4],"
                                     "\"b\":\"\\n\",\"c\":{\"d\":{}}}"),
                              &dom, &error);
    assert_true(hg_ok(r) || r.code == HG_ERR_NOMEM);
    hg_dom_done(&dom);
    return hg_ok(r);
}

static void test_out_of_memory(void **state)
{
    (void)state;
    HGT_OOM_SWEEP(read_it);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes_and_texts), cmocka_unit_test(test_scalars),       cmocka_unit_test(test_pointers),
        cmocka_unit_test(test_faults),          cmocka_unit_test(test_equality),      cmocka_unit_test(test_sorting),
        cmocka_unit_test(test_many_members),    cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
