/* The codec: hiredis's reader, which cuts RESP into items, with object functions that build struct hg_reply in an
 * arena. */
#include <hiredis/hiredis.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "redis/arena.h"
#include "redis/redis.h"

#define FEED_BYTES       2048                   /* the reader moves what is left behind each KiB it has read */
#define LINE_BYTES_MAX   (64 * 1024)            /* status, error, number or length without its end */
#define REPLY_BYTES_MAX  (512UL * 1024 * 1024)  /* one string as it arrives; all of a reply as a tree */
#define BUFFER_BYTES_MAX (REPLY_BYTES_MAX + 64) /* the same with its length line */
#define ARRAY_COUNT_MAX  (1024UL * 1024)        /* items of one array */
#define NESTING_MAX      7                      /* XREAD needs 5 */
#define IDLE_BYTES_MAX   (1024UL * 1024)        /* kept between replies, by arena and reader each */

struct hg_resp {
    redisReader *reader;
    struct hg_arena arena;
    const char *error; /* why an object function refused; the reader would only say "out of memory" */
    bool stopped;
};

static void *piece(struct hg_resp *resp, size_t len)
{
    void *ret = NULL;
    hg_result r = hg_arena_alloc(&resp->arena, len, &ret);
    if (!hg_ok(r))
        resp->error = r.code == HG_ERR_TOO_BIG ? "a reply is larger than 512 MiB" : "out of memory";
    return hg_ok(r) ? ret : NULL;
}

/* Where the item that `task` reads belongs: in its parent's items, or at the root. */
static struct hg_reply *place(const redisReadTask *task)
{
    if (!task->parent)
        return piece(task->privdata, sizeof(struct hg_reply));
    const struct hg_reply *array = task->parent->obj;
    return (struct hg_reply *)array->items + task->idx;
}

static void *put(const redisReadTask *task, struct hg_reply value)
{
    struct hg_reply *reply = place(task);
    if (reply)
        *reply = value;
    return reply;
}

static void *put_text(const redisReadTask *task, enum hg_reply_type type, const char *text, size_t len)
{
    char *copy = NULL;
    if (len > 0) {
        copy = piece(task->privdata, len);
        if (!copy)
            return NULL;
        memcpy(copy, text, len); /* the reader's bytes are gone after this call */
    }
    return put(task, (struct hg_reply){.type = type, .text = hg_slice(copy ? copy : "", len)});
}

static void *create_string(const redisReadTask *task, char *text, size_t len)
{
    switch (task->type) {
    case REDIS_REPLY_STATUS:
        return put_text(task, HG_REPLY_STATUS, text, len);
    case REDIS_REPLY_ERROR:
        return put_text(task, HG_REPLY_ERROR, text, len);
#if HIREDIS_MAJOR >= 1
    case REDIS_REPLY_VERB: /* "txt:" goes before it; the reader has checked that */
        return put_text(task, HG_REPLY_STRING, text + 4, len - 4);
#endif
    default:
        return put_text(task, HG_REPLY_STRING, text, len);
    }
}

static void *put_array(const redisReadTask *task, size_t count)
{
    struct hg_resp *resp = task->privdata;
    if (count > ARRAY_COUNT_MAX) {
        resp->error = "an array has more than 1048576 items";
        return NULL;
    }
    int depth = 1;
    for (const redisReadTask *up = task->parent; up; up = up->parent)
        depth++;
    if (depth > NESTING_MAX) {
        resp->error = "arrays are nested deeper than 7";
        return NULL;
    }
    struct hg_reply *items = NULL;
    if (count > 0) {
        items = piece(resp, count * sizeof(*items));
        if (!items)
            return NULL;
    }
    return put(task, (struct hg_reply){.type = HG_REPLY_ARRAY, .items = items, .count = count});
}

static void *create_integer(const redisReadTask *task, long long value)
{
    return put(task, (struct hg_reply){.type = HG_REPLY_INTEGER, .integer = value});
}

static void *create_nil(const redisReadTask *task)
{
    return put(task, (struct hg_reply){.type = HG_REPLY_NIL});
}

static void free_nothing(void *object)
{
    (void)object; /* the arena's */
}

#if HIREDIS_MAJOR >= 1

/* We never ask for RESP3, but the reader knows it: maps, sets and pushes arrive as arrays, doubles and big numbers as
 * text. */
static void *create_array(const redisReadTask *task, size_t count)
{
#ifdef REDIS_REPLY_ATTR
    if (task->type == REDIS_REPLY_ATTR) {
        ((struct hg_resp *)task->privdata)->error = "a reply with attributes";
        return NULL;
    }
#endif
    return put_array(task, count);
}

static void *create_double(const redisReadTask *task, double value, char *text, size_t len)
{
    (void)value;
    return put_text(task, HG_REPLY_STRING, text, len);
}

static void *create_bool(const redisReadTask *task, int value)
{
    return create_integer(task, value != 0);
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createDouble = create_double,
    .createNil = create_nil,
    .createBool = create_bool,
    .freeObject = free_nothing,
};

#else

static void *create_array(const redisReadTask *task, int count)
{
    return put_array(task, (size_t)count);
}

static redisReplyObjectFunctions functions = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_nothing,
};

#endif

hg_result hg_resp_new(struct hg_resp **ret_resp)
{
    struct hg_resp *resp = calloc(1, sizeof(*resp));
    if (!resp)
        return HG_FAIL(NOMEM);
    hg_arena_init(&resp->arena, REPLY_BYTES_MAX, IDLE_BYTES_MAX);
    resp->reader = redisReaderCreateWithFunctions(&functions);
    if (!resp->reader) {
        free(resp);
        return HG_FAIL(NOMEM);
    }
    resp->reader->privdata = resp;
    resp->reader->maxbuf = IDLE_BYTES_MAX; /* its default makes it free and allocate its buffer at each feed */
    *ret_resp = resp;
    return HG_OK;
}

void hg_resp_free(struct hg_resp *resp)
{
    if (!resp)
        return;
    redisReaderFree(resp->reader);
    hg_arena_done(&resp->arena);
    free(resp);
}

bool hg_resp_is_between(const struct hg_resp *resp)
{
    const redisReader *reader = resp->reader;
#if HIREDIS_MAJOR >= 1
    const redisReadTask *root = reader->task[0];
#else
    const redisReadTask *root = &reader->rstack[0];
#endif
    /* Once it has looked for a reply in vain, the reader stands before an item whose type it does not know. */
    return reader->pos == reader->len && (reader->ridx < 0 || (reader->ridx == 0 && root->type < 0));
}

/* What the reader could not use yet begins with a line of some kind, and grows until that item is whole. */
static const char *check_rest(const struct hg_resp *resp)
{
    size_t len = resp->reader->len - resp->reader->pos;
    if (len > BUFFER_BYTES_MAX)
        return "a string is larger than 512 MiB";
    if (len > LINE_BYTES_MAX && !memchr(resp->reader->buf + resp->reader->pos, '\n', LINE_BYTES_MAX))
        return "a line is longer than 64 KiB";
    return NULL;
}

static const char *why_refused(const struct hg_resp *resp)
{
    if (resp->error)
        return resp->error;
    return resp->reader->err == REDIS_ERR_OOM ? "out of memory" : resp->reader->errstr;
}

bool hg_resp_feed(struct hg_resp *resp, struct hg_slice bytes,
                  bool (*reply)(void *context, const struct hg_reply *reply), void *context, const char **reterr)
{
    HG_ASSERT(!resp->stopped);
    while (bytes.len > 0) {
        struct hg_slice chunk = hg_slice_first(bytes, FEED_BYTES);
        bytes = hg_slice_from(bytes, chunk.len);
        void *object = NULL;
        int status = redisReaderFeed(resp->reader, chunk.ptr, chunk.len);
        while (status == REDIS_OK && (status = redisReaderGetReply(resp->reader, &object)) == REDIS_OK && object) {
            bool more = reply(context, object);
            hg_arena_reset(&resp->arena);
            object = NULL;
            if (!more) {
                resp->stopped = true;
                return true;
            }
        }
        const char *error = status == REDIS_OK ? check_rest(resp) : why_refused(resp);
        if (error) {
            resp->stopped = true;
            *reterr = error;
            return false;
        }
    }
    return true;
}
