/* stream.h – a stream as Redis keeps it, stupidly: for tests that answer a core by hand. Answers are in RESP2.
 *
 * Entries have ids <ms>-0 and one field "event", and perhaps "except". Ownership: all but payloads within the struct;
 * nothing to free. */
#ifndef HGT_SUPPORT_STREAM_H
#define HGT_SUPPORT_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "stream/id.h"

#define HGT_ENTRIES_MAX 1024

struct hgt_stream {
    char name[32];
    bool exists;
    bool old;     /* XINFO as Redis 5 answers it: nothing is counted */
    bool no_info; /* XINFO is refused */
    bool no_read; /* XRANGE and XREVRANGE are refused */
    unsigned count;
    struct hgt_entry {
        uint64_t ms;
        const char *payload; /* borrowed; NULL: its number */
        const char *except;  /* borrowed; the field of that name, NULL: none */
    } entries[HGT_ENTRIES_MAX];
    uint64_t added, last_generated, max_deleted;
};

void hgt_stream_add(struct hgt_stream *stream, uint64_t ms, const char *payload);
/* One that is not for the session of this name. */
void hgt_stream_add_except(struct hgt_stream *stream, uint64_t ms, const char *except);
/* Entries `from` to `to`, each with its number as payload. */
void hgt_stream_fill(struct hgt_stream *stream, uint64_t from, uint64_t to);
/* XTRIM MAXLEN, XDEL, DEL. */
void hgt_stream_trim(struct hgt_stream *stream, unsigned maxlen);
void hgt_stream_del(struct hgt_stream *stream, uint64_t ms);
void hgt_stream_drop(struct hgt_stream *stream);
/* What a replica that did not get the newest entries has: all up to `ms`. */
void hgt_stream_lose(struct hgt_stream *stream, uint64_t ms);

/* The answers to XINFO STREAM, X(REV)RANGE and, for this stream's part, XREAD; false: XREAD has nothing to bring. */
void hgt_stream_info(const struct hgt_stream *stream, struct hg_buf *resp);
void hgt_stream_range(const struct hgt_stream *stream, hg_stream_id low, hg_stream_id high, uint64_t count,
                      bool backwards, struct hg_buf *resp);
bool hgt_stream_read(const struct hgt_stream *stream, hg_stream_id after, uint64_t count, struct hg_buf *resp);

#endif
