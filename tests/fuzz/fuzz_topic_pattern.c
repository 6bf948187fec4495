/* Lines of the input: a pattern, another pattern, a name, a template. Whatever they are, the checks must agree with the
 * naive model; when they are what they say, match, intersects, glob, trie and template must agree with it and with each
 * other. */
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "support/naive_topic.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "topic/template.h"
#include "topic/trie.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hg_slice take_line(struct hg_slice *rest)
{
    const char *end = rest->len > 0 ? memchr(rest->ptr, '\n', rest->len) : NULL;
    struct hg_slice line = hg_slice_first(*rest, end ? (size_t)(end - rest->ptr) : rest->len);
    *rest = hg_slice_from(*rest, line.len + 1);
    return line;
}

static bool is_name(struct hg_slice text)
{
    const char *why = NULL;
    bool ok = hg_ok(hg_topic_check(text, &why));
    HG_ASSERT(ok == !why);
    return ok;
}

static bool is_pattern(struct hg_slice text)
{
    const char *why = NULL;
    bool ok = hg_ok(hg_pattern_check(text, &why));
    HG_ASSERT(ok == !why);
    HG_ASSERT(ok == (is_name(text) && naive_stars_stand_alone(text)));
    return ok;
}

struct visits {
    unsigned of[2];
};

static void count_visit(void *context, void *value)
{
    ((struct visits *)context)->of[*(const size_t *)value]++;
}

static void check_trie(const struct hg_slice patterns[2], struct hg_slice name, const bool matches[2])
{
    static size_t values[2] = {0, 1};
    struct hg_trie *trie = NULL;
    HG_ASSERT(hg_ok(hg_trie_new((struct hg_hash_key){1, 2}, &trie)));
    for (size_t i = 0; i < 2; i++)
        HG_ASSERT(hg_ok(hg_trie_add(trie, patterns[i], &values[i])));
    hg_trie_validate(trie);
    struct visits visits = {0};
    hg_trie_match(trie, name, count_visit, &visits);
    HG_ASSERT(visits.of[0] == matches[0] && visits.of[1] == matches[1]);
    hg_trie_remove(trie, patterns[0], &values[0]);
    hg_trie_validate(trie);
    visits = (struct visits){0};
    hg_trie_match(trie, name, count_visit, &visits);
    HG_ASSERT(visits.of[0] == 0 && visits.of[1] == matches[1]);
    hg_trie_free(trie);
}

static void check_template(struct hg_slice tmpl, struct hg_slice pattern, struct hg_slice name, bool matches)
{
    struct hg_buf redis_name, glob;
    hg_buf_init(&redis_name, 1 << 20);
    hg_buf_init(&glob, 1 << 20);
    HG_ASSERT(hg_ok(hg_template_expand(tmpl, name, &redis_name)));
    HG_ASSERT(hg_ok(hg_template_glob(tmpl, pattern, &glob)));

    struct hg_slice topic;
    HG_ASSERT(hg_template_extract(tmpl, hg_buf_slice(&redis_name), &topic));
    HG_ASSERT(hg_template_varies(tmpl) ? hg_slice_eq(topic, name) : topic.len == 0);

    bool covered = naive_glob(hg_buf_slice(&glob), hg_buf_slice(&redis_name));
    HG_ASSERT(covered || !matches);
    if (hg_template_varies(tmpl) && hg_pattern_is_exact(pattern))
        HG_ASSERT(covered == matches);
    hg_buf_done(&redis_name);
    hg_buf_done(&glob);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice rest = hg_slice(data, size);
    struct hg_slice patterns[2], name, tmpl;
    patterns[0] = take_line(&rest);
    patterns[1] = take_line(&rest);
    name = take_line(&rest);
    tmpl = take_line(&rest);

    bool both = is_pattern(patterns[0]);
    both = is_pattern(patterns[1]) && both;
    if (both) {
        bool common = hg_pattern_intersects(patterns[0], patterns[1]);
        HG_ASSERT(hg_pattern_intersects(patterns[1], patterns[0]) == common);
        HG_ASSERT(hg_pattern_intersects(patterns[0], patterns[0]));
        if (hg_pattern_is_exact(patterns[0])) /* an exact pattern is also the only name that it matches */
            HG_ASSERT(common == hg_pattern_match(patterns[1], patterns[0]));
    }
    bool named = is_name(name);
    bool matches[2] = {false, false};
    for (size_t i = 0; i < 2 && both && named; i++) {
        matches[i] = hg_pattern_match(patterns[i], name);
        /* The model tries out what a star may take, segment by segment, and stays in its segment: no blow-up. */
        HG_ASSERT(matches[i] == naive_match(patterns[i], name, NAIVE_SOUND));
        if (hg_pattern_is_exact(patterns[i]))
            HG_ASSERT(matches[i] == hg_slice_eq(patterns[i], name));
    }
    if (both && named) {
        HG_ASSERT(hg_pattern_intersects(patterns[0], patterns[1]) || !(matches[0] && matches[1]));
        check_trie(patterns, name, matches);
    }

    const char *why = NULL;
    bool is_template = hg_ok(hg_template_check(tmpl, &why));
    HG_ASSERT(is_template == !why);
    if (is_template) {
        struct hg_slice topic;
        if (hg_template_extract(tmpl, name, &topic) && hg_template_varies(tmpl)) {
            struct hg_buf back;
            hg_buf_init(&back, 1 << 20);
            HG_ASSERT(is_name(topic));
            HG_ASSERT(hg_ok(hg_template_expand(tmpl, topic, &back)) && hg_slice_eq(hg_buf_slice(&back), name));
            hg_buf_done(&back);
        }
        if (both && named)
            check_template(tmpl, patterns[0], name, matches[0]);
    }
    return 0;
}
