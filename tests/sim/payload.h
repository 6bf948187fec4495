/* payload.h – what publishers send, made so that the oracle can tell from the bytes which one it is: topic and number
 * stand in it as "#topic#number#". Kinds differ in how the gateway must show them. Ownership: bytes are in the run's
 * arena. Calls out: none. */
#ifndef HG_SIM_PAYLOAD_H
#define HG_SIM_PAYLOAD_H

#include <jansson.h>

#include "sim/env.h"
#include "sim/filter.h"

enum sim_payload_kind { SIM_PAYLOAD_JSON, SIM_PAYLOAD_TEXT, SIM_PAYLOAD_BYTES, SIM_PAYLOAD_FIELDS };

struct sim_payload {
    enum sim_payload_kind kind;
    struct hg_slice bytes;  /* FIELDS: the object that the fields become */
    struct sim_facts facts; /* what filters find in it */
};

/* FIELDS is made only with `fields`. */
struct sim_payload sim_payload_make(struct sim_env *env, const char *topic, uint64_t number, bool fields);
/* Fields of the entry that carries it: name, value, …; `ret_fields` has room for 8. Returns how many slices. */
size_t sim_payload_fields(struct sim_env *env, const struct sim_payload *payload, const char *payload_field,
                          struct hg_slice *ret_fields);
/* Whether an event message shows it: `text` is the whole message, `message` the same parsed. */
bool sim_payload_is_shown(const struct sim_payload *payload, struct hg_slice text, const json_t *message);
/* The number that an event message shows for `topic`; false when there is none. */
bool sim_payload_number(const json_t *message, struct hg_slice text, const char *topic, uint64_t *ret_number);

#endif
