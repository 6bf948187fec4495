/* history.h – what of a stream is in memory: its newest entries, and what was read of older ones for clients that
 * asked.
 *
 * Pages hold entries in the form in which every client gets them. A page says from which id to which it holds all that
 * the stream held, so that what is missing between two pages is known to be missing; entries that the reader brings go
 * to the last page, entries that a replay reads from Redis make pages of their own, for all who want them. Bounds:
 * history_bytes_max a stream, log_bytes_total_max with all logs, history_ms; the oldest go first, and what was not
 * handed to the groups yet stays. Ownership: a source owns its history. */
#ifndef HG_CORE_HISTORY_H
#define HG_CORE_HISTORY_H

#include "base/buf.h"
#include "base/list.h"
#include "base/time.h"
#include "core/reply.h"
#include "stream/continuity.h"
#include "stream/cursor.h"
#include "wire/gap.h"

struct hg_core;
struct hg_request;
struct hg_source;

/* One entry. */
struct hg_past {
    hg_stream_id id;
    uint32_t fingerprint;
    uint64_t except; /* whom it is not for (echo.h) */
    uint32_t end;    /* of its tail in page->tails; it begins where the one before ends */
    uint32_t json;   /* bytes of the event's JSON, which end one byte before the tail does; 0: no JSON */
    uint32_t missed; /* by `hole`; 0: not known */
    uint8_t hole;    /* enum hg_continuity: what was missed in front of it */
    bool fits; /* false: larger than event_bytes_max; its tail is its JSON, as far as it is known to be in one field */
};

/* Which entries of a page pass a group's filter, as far as somebody asked: clients that come back together ask the
 * same.
 */
#define HG_PAGE_SIEVES 64u
struct hg_sieve {
    uint64_t group; /* its number; 0: free */
    uint8_t *known; /* one an entry: 0 not asked yet, else 1 + whether it passes */
    size_t capacity;
};

struct hg_page {
    struct hg_list_node in_history; /* by id */
    struct hg_list_node in_age;     /* histories->by_age, oldest first */
    struct hg_history *history;
    hg_stream_id from, to;  /* both included */
    struct hg_place before; /* the entry in front of `from`, if proven */
    struct hg_buf tails;
    struct hg_past *entries;
    size_t count, capacity, held; /* held: bytes of memory */
    hg_time made_at;
    struct hg_sieve *sieves; /* HG_PAGE_SIEVES, by the group's number; NULL: nobody asked yet */
};

/* What Redis says was missed, as a gap of the protocol. Not for WHOLE. */
enum hg_gap hg_gap_of(enum hg_continuity kind);

struct hg_history {
    struct hg_source *source;
    struct hg_list pages;
    uint64_t bytes;
    struct hg_list_node full; /* histories->full: bytes > history_bytes_max */
};

struct hg_histories {
    struct hg_list by_age, full;
};

void hg_history_init(struct hg_history *history, struct hg_source *source);
/* Forgets all. */
void hg_history_clear(struct hg_core *core, struct hg_history *history);
/* Forgets all behind a place that nobody has read further than. */
void hg_history_cut(struct hg_core *core, struct hg_history *history, hg_stream_id place);

/* The reader brought the entry behind `before`. */
void hg_history_append(struct hg_core *core, struct hg_history *history, struct hg_place before,
                       const struct hg_entry *entry);
/* `count` entries were read, which are all that the stream holds from `from` to `to`; entries[i × step] in the order of
 * their ids. What is known already is left out. False: one has an unexpected shape; those before it are taken. */
bool hg_history_insert(struct hg_core *core, struct hg_history *history, hg_stream_id from, hg_stream_id to,
                       const struct hg_reply *entries, size_t count, ptrdiff_t step);
/* Something was missed in front of the first entry behind the place, of those in memory or else of those to come: for
 * all who replay over it. Added to what was missed there before. */
void hg_history_note_hole(struct hg_history *history, hg_stream_id place, struct hg_verdict verdict);
/* The first entry behind the place that is in memory, or NULL. */
struct hg_past *hg_history_behind(const struct hg_history *history, hg_stream_id place);
/* The page that knows of the id, or NULL. */
struct hg_page *hg_history_page(const struct hg_history *history, hg_stream_id id);
/* The page that goes on where this one ends; NULL when that is not known. */
struct hg_page *hg_page_after(const struct hg_page *page);
/* The first entry of the page with an id not below; page->count when there is none. */
size_t hg_page_seek(const struct hg_page *page, hg_stream_id id);
/* Where it is noted whether an entry passes the filter of the group with this number. */
uint8_t *hg_page_sieve(struct hg_core *core, struct hg_page *page, uint64_t group, size_t index);
struct hg_slice hg_page_tail(const struct hg_page *page, size_t index);
struct hg_slice hg_page_json(const struct hg_page *page, size_t index);
/* What is known of the entry at a place. */
enum hg_known { HG_KNOWN_NOTHING, HG_KNOWN_THERE, HG_KNOWN_OTHER /* another fingerprint */, HG_KNOWN_ABSENT };
enum hg_known hg_history_knows(const struct hg_history *history, struct hg_place place);
/* The last page that ends before the id, or NULL. */
struct hg_page *hg_history_below(const struct hg_history *history, hg_stream_id id);
/* From the id on: up to where something is unknown, `limit` at most. */
hg_stream_id hg_history_unknown_to(const struct hg_history *history, hg_stream_id id, hg_stream_id limit);
/* The first page of all that leads to the newest entry without a hole; NULL when there is none. */
struct hg_page *hg_history_run(const struct hg_history *history);

/* Keeps histories and logs within their bounds, after sessions were flushed; false: nothing more can go. */
bool hg_histories_evict_oldest(struct hg_core *core);
void hg_histories_evict(struct hg_core *core);
hg_time hg_histories_deadline(const struct hg_core *core);
void hg_histories_validate(const struct hg_core *core);

#endif
