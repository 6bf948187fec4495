/* playback.h – replay at a pace: pause, resume, seek, and when an entry is due.
 *
 * The first entry is due at once; from there on an entry is due when as much time has passed, times the speed, as lies
 * between the ids of the two. A paused subscription gets nothing, live or not; it goes on where it was. */
#ifndef HG_CORE_PLAYBACK_H
#define HG_CORE_PLAYBACK_H

#include "core/session.h"

void hg_session_pause(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
void hg_session_resume(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
void hg_session_seek(struct hg_core *core, struct hg_session *session, const struct hg_command *command);
/* When an entry whose id has these milliseconds is due; not after now without a speed. */
hg_time hg_sub_due(struct hg_core *core, struct hg_sub *sub, uint64_t ms);

#endif
