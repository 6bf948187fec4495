#include "deadletter/box.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/visible.h"
#include "topic/name.h"
#include "topic/pattern.h"
#include "topic/template.h"

#define PAGE_BYTES    (128u << 20)
#define SCAN_COUNT    "1000"
#define KEY_BYTES_MAX 4096

/* ---- what went wrong --------------------------------------------------------------------------------------------- */

bool hg_box_fail(struct hg_box *box, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(box->why, sizeof(box->why), format, args);
    va_end(args);
    return false;
}

static bool misuse(struct hg_box *box, const char *format, const char *word)
{
    box->is_usage = true;
    snprintf(box->why, sizeof(box->why), format, word);
    return false;
}

bool hg_box_failed(struct hg_box *box, const struct hg_phrase *phrase)
{
    return hg_box_fail(box, "%s", phrase->text);
}

bool hg_box_refused(struct hg_box *box, const char *what, const struct hg_reply *error)
{
    if (error->type != HG_REPLY_ERROR)
        return hg_box_fail(box, "%s: Redis answered in an unexpected shape", what);
    if (hg_reply_is_error(error, "WRONGTYPE"))
        return hg_box_fail(box, "%s: the key in Redis is not a stream", what);
    return hg_box_fail(box, "%s: Redis refused: %s", what, hg_blocking_words(box->redis, error).text);
}

/* NULL with `why` when it failed; what Redis refuses is for the caller. */
static const struct hg_reply *call(struct hg_box *box, const struct hg_slice *argv, size_t argc)
{
    const struct hg_reply *reply = NULL;
    struct hg_phrase phrase;
    if (hg_ok(hg_blocking_call(box->redis, argv, argc, &reply, &phrase)))
        return reply;
    (void)hg_box_failed(box, &phrase);
    return NULL;
}

/* ---- which streams ----------------------------------------------------------------------------------------------- */

const struct hg_rule *hg_box_rule(const struct hg_box *box, struct hg_slice topic)
{
    const struct hg_config *config = box->config;
    if (!hg_ok(hg_topic_check(topic, NULL)) || topic.ptr[0] == '$')
        return NULL;
    for (size_t i = 0; i < config->rule_count; i++)
        if (hg_pattern_match(hg_slice_str(config->rules[i].match), topic))
            return &config->rules[i];
    return NULL;
}

static bool has(const struct hg_box *box, struct hg_slice stream)
{
    for (size_t i = 0; i < box->count; i++)
        if (hg_slice_is(stream, box->streams[i]))
            return true;
    return false;
}

static bool add(struct hg_box *box, struct hg_slice stream)
{
    if (has(box, stream))
        return true;
    char **streams = realloc(box->streams, (box->count + 1) * sizeof(*streams));
    if (streams)
        box->streams = streams;
    char *copy = streams ? strndup(stream.ptr, stream.len) : NULL;
    if (!copy)
        return hg_box_fail(box, "out of memory");
    streams[box->count++] = copy;
    return true;
}

/* Those that Redis has of a template that varies by topic. */
static bool add_scanned(struct hg_box *box, const struct hg_rule *rule, const struct hg_reply *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        struct hg_slice key = keys->items[i].text, topic;
        if (keys->items[i].type != HG_REPLY_STRING || !key.ptr || memchr(key.ptr, '\0', key.len))
            continue;
        if (hg_template_extract(hg_slice_str(rule->dead_letter), key, &topic) &&
            hg_pattern_match(hg_slice_str(rule->match), topic) && !add(box, key))
            return false;
    }
    return true;
}

static bool scan(struct hg_box *box, const struct hg_rule *rule)
{
    char cursor[24] = "0";
    struct hg_buf glob;
    hg_buf_init(&glob, 4 * KEY_BYTES_MAX);
    bool good = hg_ok(hg_template_glob(hg_slice_str(rule->dead_letter), hg_slice_str(rule->match), &glob)) ||
                hg_box_fail(box, "out of memory");
    do {
        const struct hg_slice argv[] = {HG_LIT("SCAN"),  hg_slice_str(cursor), HG_LIT("MATCH"), hg_buf_slice(&glob),
                                        HG_LIT("COUNT"), HG_LIT(SCAN_COUNT),   HG_LIT("TYPE"),  HG_LIT("stream")};
        const struct hg_reply *reply = good ? call(box, argv, 8) : NULL;
        good = reply != NULL;
        if (reply && (!hg_reply_is_array(reply, 2) || reply->items[0].type != HG_REPLY_STRING ||
                      reply->items[0].text.len >= sizeof(cursor) || reply->items[1].type != HG_REPLY_ARRAY))
            good = hg_box_refused(box, rule->dead_letter, reply);
        if (good) {
            snprintf(cursor, sizeof(cursor), "%.*s", HG_SLICE_ARG(reply->items[0].text));
            good = add_scanned(box, rule, &reply->items[1]);
        }
    } while (good && strcmp(cursor, "0") != 0);
    hg_buf_done(&glob);
    return good;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool add_all(struct hg_box *box)
{
    const struct hg_config *config = box->config;
    bool named = false;
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct hg_rule *rule = &config->rules[i];
        if (!rule->dead_letter[0])
            continue;
        named = true;
        bool varies = hg_template_varies(hg_slice_str(rule->dead_letter));
        if (!(varies ? scan(box, rule) : add(box, hg_slice_str(rule->dead_letter))))
            return false;
    }
    if (!named)
        return misuse(box, "no topic rule has a %s; name the configuration with --config, or a stream by its key",
                      "dead_letter");
    if (box->count > 1)
        qsort(box->streams, box->count, sizeof(*box->streams), by_name);
    return true;
}

static bool add_of_topic(struct hg_box *box, const char *topic)
{
    const struct hg_rule *rule = hg_box_rule(box, hg_slice_str(topic));
    if (!rule)
        return misuse(box, "no topic rule matches the topic %.255s", topic);
    if (!rule->dead_letter[0])
        return misuse(box, "the rule of the topic %.255s has no dead_letter", topic);
    struct hg_buf key;
    hg_buf_init(&key, KEY_BYTES_MAX);
    bool good = hg_ok(hg_template_expand(hg_slice_str(rule->dead_letter), hg_slice_str(topic), &key))
                    ? add(box, hg_buf_slice(&key))
                    : hg_box_fail(box, "out of memory");
    box->topic = hg_slice_str(topic);
    hg_buf_done(&key);
    return good;
}

bool hg_box_open(const struct hg_config *config, const struct hg_redis_url *url, const char *topic, const char *key,
                 struct hg_box *ret_box)
{
    struct hg_box *box = ret_box;
    struct hg_phrase phrase;
    *box = (struct hg_box){.config = config, .topic = HG_SLICE_NULL};
    if (topic && !add_of_topic(box, topic))
        return false;
    if (key && !add(box, hg_slice_str(key)))
        return false;
    if (!hg_ok(hg_blocking_open(url, hg_ms(config->redis_timeout_ms), &box->redis, &phrase)))
        return hg_box_failed(box, &phrase);
    return topic || key || add_all(box);
}

void hg_box_done(struct hg_box *box)
{
    for (size_t i = 0; i < box->count; i++)
        free(box->streams[i]);
    free(box->streams);
    hg_blocking_close(box->redis);
    *box = (struct hg_box){0};
}

/* ---- what is in them --------------------------------------------------------------------------------------------- */

bool hg_box_info(struct hg_box *box, const char *stream, struct hg_box_info *ret_info)
{
    const struct hg_slice argv[] = {HG_LIT("XINFO"), HG_LIT("STREAM"), hg_slice_str(stream)};
    const struct hg_reply *reply = call(box, argv, 3);
    struct hg_stream_info info;
    struct hg_entry first, last;
    if (!reply)
        return false;
    if (!hg_reply_stream_info(reply, &info, &first, &last))
        return hg_box_refused(box, stream, reply);
    *ret_info = (struct hg_box_info){.length = info.length, .oldest = info.first, .newest = last.id};
    return true;
}

size_t hg_box_page_size(const struct hg_box *box)
{
    uint64_t fit = PAGE_BYTES / box->config->message_bytes_max;
    return fit < 1 ? 1 : fit < HG_BOX_PAGE_MAX ? (size_t)fit : HG_BOX_PAGE_MAX;
}

struct id_text {
    char text[HG_STREAM_ID_TEXT_MAX + 1];
};

static struct hg_slice write_id(hg_stream_id id, struct id_text *text)
{
    int len =
        snprintf(text->text, sizeof(text->text), "%llu-%llu", (unsigned long long)id.ms, (unsigned long long)id.seq);
    return hg_slice(text->text, (size_t)len);
}

bool hg_box_read(struct hg_box *box, const char *stream, hg_stream_id from, hg_stream_id to, size_t most,
                 bool backwards, struct hg_box_page *ret_page)
{
    struct id_text texts[2];
    char count[24];
    most = most < HG_BOX_PAGE_MAX ? most : HG_BOX_PAGE_MAX;
    snprintf(count, sizeof(count), "%zu", most);
    const struct hg_slice argv[] = {
        backwards ? HG_LIT("XREVRANGE") : HG_LIT("XRANGE"),
        hg_slice_str(stream),
        write_id(from, &texts[0]),
        write_id(to, &texts[1]),
        HG_LIT("COUNT"),
        hg_slice_str(count),
    };
    const struct hg_reply *reply = call(box, argv, 6);
    if (!reply)
        return false;
    if (reply->type != HG_REPLY_ARRAY || reply->count > most)
        return hg_box_refused(box, stream, reply);
    ret_page->count = ret_page->strangers = 0;
    hg_stream_id last = from;
    for (size_t i = 0; i < reply->count; i++) {
        struct hg_entry entry;
        struct hg_letter *letter = &ret_page->letters[ret_page->count];
        if (!hg_reply_entry(&reply->items[i], &entry))
            return hg_box_refused(box, stream, reply);
        last = entry.id;
        if (!hg_letter_read(&entry, letter))
            ret_page->strangers++;
        else if (box->topic.len == 0 || hg_slice_eq(box->topic, letter->topic))
            ret_page->count++;
    }
    ret_page->next = last;
    ret_page->more = reply->count == most &&
                     (backwards ? hg_stream_id_prev(last, &ret_page->next) : hg_stream_id_next(last, &ret_page->next));
    return true;
}

bool hg_box_remove(struct hg_box *box, const char *stream, const hg_stream_id *entries, size_t count,
                   size_t *ret_removed)
{
    struct hg_slice argv[2 + HG_BOX_PAGE_MAX] = {HG_LIT("XDEL"), hg_slice_str(stream)};
    struct id_text texts[HG_BOX_PAGE_MAX];
    for (size_t i = 0; i < count; i++)
        argv[2 + i] = write_id(entries[i], &texts[i]);
    const struct hg_reply *reply = call(box, argv, 2 + count);
    if (!reply)
        return false;
    if (reply->type != HG_REPLY_INTEGER || reply->integer < 0)
        return hg_box_refused(box, stream, reply);
    *ret_removed = (size_t)reply->integer;
    return true;
}
