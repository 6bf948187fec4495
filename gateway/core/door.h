/* door.h – what an event must be to be let into a topic: required attributes, allowed types, the schema
 * (schema/schema.h).
 *
 * Attributes go by either name (web/docs/protocol.md, Events): type or eventType, id or eventId, time or timestamp.
 * Ownership: nothing is kept. Calls out: none. */
#ifndef HG_CORE_DOOR_H
#define HG_CORE_DOOR_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

/* `event`: valid JSON, its exact bytes. Errors: EVENT_INVALID with the place in `ret_pointer` (RFC 6901) and a sentence
 * in `message`; both are cleared first. */
HG_RESULT hg_door_check(const struct hg_rule *rule, struct hg_slice event, struct hg_buf *ret_pointer,
                        struct hg_buf *message);

#endif
