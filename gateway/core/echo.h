/* echo.h – sessions that do not want back what they emitted themselves.
 *
 * An event that was emitted with "echo": false stands in its stream with the name of its session beside it, in the
 * field `except`; every gateway that delivers it leaves that session out. A session that comes back after a lost
 * connection says hello with its earlier name and is taken for that one here (never for what is carried beside events:
 * the name is the client's word). Names are compared as 64-bit keyed hashes, which nobody can steer. Ownership: a
 * session holds its echo, sessions of the same name share it. */
#ifndef HG_CORE_ECHO_H
#define HG_CORE_ECHO_H

#include "base/map.h"
#include "core/reply.h"
#include "wire/session_name.h"

struct hg_core;
struct hg_session;

struct hg_echo {
    struct hg_map_node by_hash; /* sessions->echoes */
    uint64_t hash;
    struct hg_session_name name;
    uint32_t sessions;
};

/* From now on it gets nothing that carries its name. */
void hg_echo_mute(struct hg_core *core, struct hg_session *session);
/* It goes on as the session of this name. */
void hg_echo_hello(struct hg_core *core, struct hg_session *session, struct hg_session_name name);
void hg_echo_leave(struct hg_core *core, struct hg_session *session);

/* Whom an entry is not for; 0: it is for all. */
uint64_t hg_echo_of_entry(const struct hg_core *core, const struct hg_entry *entry);
/* Whether any session here is meant. */
bool hg_echo_is_here(const struct hg_core *core, uint64_t except);
bool hg_echo_is_own(const struct hg_session *session, uint64_t except);

#endif
