/* door.h – what an event must be to be let into a topic: required attributes, allowed types, the schema.
 *
 * Attributes go by either name (web/docs/protocol.md, Events): type or eventType, id or eventId, time or timestamp.
 * Ownership: a door borrows its rule and its schema. Calls out: none. */
#ifndef HG_CORE_DOOR_H
#define HG_CORE_DOOR_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

struct hg_schema;

struct hg_door {
    const struct hg_rule *rule;
    const struct hg_schema *schema; /* NULL: none */
};

/* `event`: valid JSON, its exact bytes. Errors: EVENT_INVALID with the place in `ret_pointer` (RFC 6901) and a sentence
 * in `message`; both are cleared first. */
HG_RESULT hg_door_check(const struct hg_door *door, struct hg_slice event, struct hg_buf *ret_pointer,
                        struct hg_buf *message);

#endif
