/* box.h – the streams of dead letters that a command is about, and the letters in them.
 *
 * Ownership: hg_box_done() frees all; what it was opened with must outlive it. A page is valid until the
 * next call. Errors: false, with a sentence in `why`. Blocks: each call on Redis, for redis_timeout_ms at most. Calls
 * out: none. */
#ifndef HG_DEADLETTER_BOX_H
#define HG_DEADLETTER_BOX_H

#include "config/config.h"
#include "deadletter/letter.h"
#include "redis/blocking.h"

#define HG_BOX_PAGE_MAX 128

struct hg_redis_url;

struct hg_box {
    const struct hg_config *config;
    struct hg_blocking *redis;
    struct hg_slice topic; /* letters of others are passed over; empty: none are */
    char **streams;        /* in order of their names */
    size_t count;
    char why[512];
    bool is_usage; /* the command line is wrong, not Redis */
};

/* `topic` and `key` may be NULL; with neither all streams are meant that the topic rules name. */
bool hg_box_open(const struct hg_config *config, const struct hg_redis_url *url, const char *topic, const char *key,
                 struct hg_box *ret_box);
void hg_box_done(struct hg_box *box);

/* The first rule that matches; NULL: none. */
const struct hg_rule *hg_box_rule(const struct hg_box *box, struct hg_slice topic);

struct hg_box_info {
    uint64_t length;
    hg_stream_id oldest, newest; /* length > 0 */
};
bool hg_box_info(struct hg_box *box, const char *stream, struct hg_box_info *ret_info);

struct hg_box_page {
    struct hg_letter letters[HG_BOX_PAGE_MAX];
    size_t count;
    size_t strangers;  /* entries that are no dead letters */
    bool more;         /* there may be more */
    hg_stream_id next; /* beginning here */
};
/* Looks at `most` entries at most from `from` to `to`; backwards: from `from` down to `to`. */
bool hg_box_read(struct hg_box *box, const char *stream, hg_stream_id from, hg_stream_id to, size_t most,
                 bool backwards, struct hg_box_page *ret_page);
/* As many as are sensible at a time, for events may be large. */
size_t hg_box_page_size(const struct hg_box *box);

/* Takes letters out; how many were there. At most HG_BOX_PAGE_MAX. */
bool hg_box_remove(struct hg_box *box, const char *stream, const hg_stream_id *entries, size_t count,
                   size_t *ret_removed);

/* Say in `why` what went wrong: in words, by what a call on box->redis failed, or what Redis refused. Always false. */
bool hg_box_fail(struct hg_box *box, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool hg_box_failed(struct hg_box *box, const struct hg_phrase *phrase);
bool hg_box_refused(struct hg_box *box, const char *what, const struct hg_reply *error);

#endif
