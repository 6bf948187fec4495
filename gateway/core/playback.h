/* playback.h – replay at a pace: pause, resume, seek, and when an entry is due.
 *
 * The first entry is due at once; from there on an entry is due when as much time has passed, times the speed, as lies
 * between the ids of the two. A paused subscription gets nothing, live or not; it goes on where it was. A seek to an
 * entry that another gateway has read, and this one has not yet, waits as a subscribe does; until it is answered the
 * subscription goes on where it is. Ownership: a subscription owns the seek that waits. */
#ifndef HG_CORE_PLAYBACK_H
#define HG_CORE_PLAYBACK_H

#include "core/session.h"

struct hg_interest;

/* A seek that waits. */
struct hg_seek {
    struct hg_list_node in_order;    /* sessions->seeks, by deadline */
    struct hg_list_node in_interest; /* interest->seeks */
    struct hg_sub *sub;
    struct hg_from from; /* its cursors are in `text` */
    hg_time asked_at, deadline;
    size_t ref_len;
    char text[]; /* ref, cursors */
};

void hg_session_pause(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
void hg_session_resume(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
void hg_session_seek(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
/* Begins those that may. */
void hg_seeks_check(struct hg_core *core, struct hg_interest *interest);
/* Those that have waited too long. */
void hg_seeks_tick(struct hg_core *core);
/* It is answered with the error, and freed. */
void hg_seek_refuse(struct hg_core *core, struct hg_seek *seek, enum hg_error error, struct hg_slice message);
/* It is not answered. */
void hg_seek_free(struct hg_seek *seek);
/* When an entry whose id has these milliseconds is due; not after now without a speed. */
hg_time hg_sub_due(struct hg_core *core, struct hg_sub *sub, uint64_t ms);

#endif
