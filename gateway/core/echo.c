#include "core/echo.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"

static struct hg_slice key_of(const uint64_t *hash)
{
    return hg_slice(hash, sizeof(*hash));
}

/* Never 0. */
static uint64_t hash_of(const struct hg_core *core, struct hg_slice name)
{
    return hg_hash_bytes(core->hash_key, name) | 1;
}

void hg_echo_leave(struct hg_core *core, struct hg_session *session)
{
    struct hg_echo *echo = session->echo;
    session->echo = NULL;
    if (!echo || --echo->sessions > 0)
        return;
    hg_map_remove(&core->sessions.echoes, &echo->by_hash);
    free(echo);
}

void hg_echo_hello(struct hg_core *core, struct hg_session *session, struct hg_session_name name)
{
    char text[HG_SESSION_NAME_BYTES];
    hg_session_name_write(name, text);
    uint64_t hash = hash_of(core, hg_slice(text, sizeof(text)));
    hg_echo_leave(core, session);
    struct hg_map_node *node = hg_map_find(&core->sessions.echoes, key_of(&hash));
    if (node) {
        session->echo = HG_CONTAINER(node, struct hg_echo, by_hash);
    } else {
        session->echo = hg_core_alloc(sizeof(*session->echo));
        session->echo->hash = hash;
        session->echo->name = name;
        (void)hg_core_must(
            hg_map_insert(&core->sessions.echoes, &session->echo->by_hash, key_of(&session->echo->hash)));
    }
    session->echo->sessions++;
}

void hg_echo_mute(struct hg_core *core, struct hg_session *session)
{
    if (!session->echo)
        hg_echo_hello(core, session, session->name);
}

uint64_t hg_echo_of_entry(const struct hg_core *core, const struct hg_entry *entry)
{
    for (size_t i = 0; i < entry->field_count; i += 2)
        if (hg_slice_is(entry->fields[i].text, "except"))
            return hash_of(core, entry->fields[i + 1].text);
    return 0;
}

bool hg_echo_is_here(const struct hg_core *core, uint64_t except)
{
    return except != 0 && core->sessions.echoes.count > 0 && hg_map_find(&core->sessions.echoes, key_of(&except));
}

bool hg_echo_is_own(const struct hg_session *session, uint64_t except)
{
    return except != 0 && session->echo && session->echo->hash == except;
}
