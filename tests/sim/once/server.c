#include "sim/once/server.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "sim/once/world.h"
#include "stream/cursor.h"

static struct hg_slice key_of(struct once_world *world, const struct once_topic *topic)
{
    const char *key = world->options.rules[topic->rule].key;
    const char *hole = strstr(key, "{topic}");

    return sim_arena_printf(&world->env.arena, "%.*s%s%s", (int)(hole - key), key, topic->name, hole + 7);
}

static void keep(struct once_stream *stream)
{
    *SIM_PUSH(stream->journal, stream->journal_count, stream->journal_capacity) = stream->state;
}

void once_server_init(struct once_server *server, struct once_world *world)
{
    const struct once_options *o = &world->options;

    *server = (struct once_server){.world = world};
    server->wall_ms = 1700000000000 + sim_below(&world->env, 1000000);
    for (int i = 0; i < ONCE_STREAMS; i++) {
        server->streams[i].topic = i;
        server->streams[i].key = key_of(world, &once_topics[i]);
        server->streams[i].state.idmp_seconds = server->streams[i].state.idmp_ids = 100;
        keep(&server->streams[i]);
    }
    for (size_t i = 0; i < ONCE_REPLICAS; i++)
        server->replicas[i].lag_us = 1 + sim_below(&world->env, o->lag_us);
    server->disk.lag_us = 1 + sim_below(&world->env, o->disk_us);
}

void once_server_done(struct once_server *server)
{
    for (int i = 0; i < ONCE_STREAMS; i++) {
        free(server->streams[i].entries);
        free(server->streams[i].log);
        free(server->streams[i].journal);
        free(server->streams[i].newest);
    }
    free(server->writes);
    free(server->functions.items);
    free(server->scripts.items);
}

bool once_names_has(const struct once_names *names, struct hg_slice name)
{
    for (size_t i = 0; i < names->count; i++)
        if (hg_slice_eq(names->items[i], name))
            return true;
    return false;
}

void once_names_put(struct once_names *names, struct sim_arena *arena, struct hg_slice name)
{
    if (!once_names_has(names, name))
        *SIM_PUSH(names->items, names->count, names->capacity) = sim_arena_copy(arena, name);
}

uint64_t once_server_clock(const struct once_server *server)
{
    return server->wall_ms + server->world->env.now.us / 1000;
}

struct once_stream *once_server_stream(struct once_server *server, struct hg_slice key)
{
    for (int i = 0; i < ONCE_STREAMS; i++)
        if (hg_slice_eq(server->streams[i].key, key))
            return &server->streams[i];
    return NULL;
}

struct once_entry *once_server_append(struct once_server *server, struct once_stream *stream,
                                      const struct hg_slice *fields, size_t field_count, uint64_t maxlen)
{
    struct sim_env *env = &server->world->env;
    struct hg_slice *copies = sim_arena_get(&env->arena, field_count * sizeof *copies);
    struct once_state *state = &stream->state;
    hg_stream_id id = {once_server_clock(server), 0};

    for (size_t i = 0; i < field_count; i++)
        copies[i] = sim_arena_copy(&env->arena, fields[i]);
    if (id.ms <= state->last_id.ms)
        id = (hg_stream_id){state->last_id.ms, state->last_id.seq + 1};
    state->last_id = id;
    state->there = true;
    struct once_entry *entry = SIM_PUSH(stream->entries, stream->entry_count, stream->entry_capacity);
    *entry = (struct once_entry){
        .id = id,
        .fields = copies,
        .field_count = field_count,
        .fingerprint = hg_fingerprint(copies, field_count),
        .number = server->write_count + 1,
        .at = env->now,
        .forward_ms = server->forward_ms,
    };
    *SIM_PUSH(stream->log, state->count, stream->log_capacity) = stream->entry_count - 1;
    if (maxlen > 0)
        once_server_trim(server, stream, maxlen);
    SIM_TRACE(env, "redis: %.*s gets entry %zu: %" PRIu64 "-%" PRIu64, HG_SLICE_ARG(stream->key),
              stream->entry_count - 1, id.ms, id.seq);
    return entry;
}

void once_server_trim(struct once_server *server, struct once_stream *stream, uint64_t maxlen)
{
    /* "About": as many more as Redis pleases. */
    size_t most = (size_t)maxlen + (size_t)sim_below(&server->world->env, 3);

    while (stream->state.count - stream->state.first > most)
        stream->entries[stream->log[stream->state.first++]].trimmed = true;
}

bool once_server_idmp_find(const struct once_server *server, const struct once_stream *stream, struct hg_slice producer,
                           struct hg_slice id, size_t *ret_entry)
{
    uint64_t now = once_server_clock(server), ids = 0;

    for (const struct once_idmp *i = stream->state.idmp; i && ids < stream->state.idmp_ids; i = i->next) {
        if (!hg_slice_eq(i->producer, producer))
            continue;
        ids++;
        if (hg_slice_eq(i->id, id) && (now < i->at_ms || now - i->at_ms < stream->state.idmp_seconds * 1000)) {
            *ret_entry = i->entry;
            return true;
        }
    }
    return false;
}

void once_server_idmp_put(struct once_server *server, struct once_stream *stream, struct hg_slice producer,
                          struct hg_slice id, size_t entry)
{
    struct sim_arena *arena = &server->world->env.arena;
    struct once_idmp *idmp = sim_arena_get(arena, sizeof *idmp);

    *idmp = (struct once_idmp){stream->state.idmp, sim_arena_copy(arena, producer), sim_arena_copy(arena, id), entry,
                               once_server_clock(server)};
    stream->state.idmp = idmp;
}

uint64_t once_server_wrote(struct once_server *server, struct once_stream *stream)
{
    *SIM_PUSH(server->writes, server->write_count, server->write_capacity) = server->world->env.now;
    stream->state.number = server->write_count;
    keep(stream);
    return server->write_count;
}

uint64_t once_server_reached(struct once_server *server, struct once_copy *copy)
{
    uint64_t now = server->world->env.now.us;

    while (copy->number < server->write_count && server->writes[copy->number].us + copy->lag_us <= now)
        copy->number++;
    return copy->number;
}

uint64_t once_server_replicas(struct once_server *server, uint64_t number)
{
    uint64_t count = 0;

    for (size_t i = 0; i < server->world->options.replicas; i++)
        count += once_server_reached(server, &server->replicas[i]) >= number;
    return count;
}

hg_time once_server_reaches_at(const struct once_server *server, const struct once_copy *copy, uint64_t number)
{
    return number == 0 ? server->world->env.now : hg_time_add(server->writes[number - 1], hg_us(copy->lag_us));
}

struct once_entry *once_stream_find(const struct once_stream *stream, hg_stream_id id, uint32_t fingerprint)
{
    for (size_t i = stream->entry_count; i > 0; i--) {
        struct once_entry *entry = &stream->entries[i - 1];
        if (hg_stream_id_cmp(entry->id, id) == 0 && entry->fingerprint == fingerprint)
            return entry;
    }
    return NULL;
}

/* ---- faults ------------------------------------------------------------------------------------------------------ */

/* All that was written since is as if it had never been. */
static void go_back(struct once_server *server, uint64_t number)
{
    struct sim_env *env = &server->world->env;

    for (int i = 0; i < ONCE_STREAMS; i++) {
        struct once_stream *stream = &server->streams[i];
        size_t lost = 0;

        for (size_t k = 0; k < stream->entry_count; k++) {
            struct once_entry *entry = &stream->entries[k];
            uint64_t replicas = once_server_replicas(server, entry->number);
            if (entry->lost)
                continue;
            entry->replicas = replicas > entry->replicas ? replicas : entry->replicas;
            entry->on_disk = entry->on_disk || once_server_reached(server, &server->disk) >= entry->number;
            entry->lost = entry->number > number;
            lost += entry->lost;
        }
        while (stream->journal[stream->journal_count - 1].number > number)
            stream->journal_count--;
        stream->state = stream->journal[stream->journal_count - 1];
        for (size_t k = stream->state.first; k < stream->state.count; k++)
            stream->entries[stream->log[k]].trimmed = false;
        if (lost > 0)
            SIM_TRACE(env, "redis: %.*s loses %zu entries", HG_SLICE_ARG(stream->key), lost);
    }
    server->write_count = number;
    for (size_t i = 0; i < ONCE_REPLICAS; i++)
        if (server->replicas[i].number > number)
            server->replicas[i].number = number;
    if (server->disk.number > number)
        server->disk.number = number;
}

void once_server_restart(struct once_server *server, hg_dur away, hg_dur loading)
{
    struct once_world *world = server->world;

    SIM_TRACE(&world->env, "redis: restarts");
    once_links_die(world);
    server->scripts.count = 0;
    if (world->options.amnesia)
        server->functions.count = 0;
    server->down_until = hg_time_add(world->env.now, away);
    server->loading_until = hg_time_add(server->down_until, loading);
}

void once_server_cut_power(struct once_server *server, hg_dur away, hg_dur loading)
{
    struct sim_env *env = &server->world->env;
    uint64_t number = once_server_reached(server, &server->disk);

    once_server_restart(server, away, loading);
    /* Without a file of its own it goes back to a dump, which may be old. */
    if (!server->world->options.disk)
        number = sim_below(env, number + 1);
    SIM_TRACE(env, "redis: the power was cut; write %" PRIu64 " was the last on disk", number);
    go_back(server, number);
}

void once_server_fail_over(struct once_server *server, size_t replica, hg_dur away)
{
    struct sim_env *env = &server->world->env;

    once_server_restart(server, away, hg_us(0));
    /* What links that died had executed at last is not with the replica yet. */
    uint64_t number = once_server_reached(server, &server->replicas[replica]);
    SIM_TRACE(env, "redis: replica %zu takes over; write %" PRIu64 " was the last it had", replica, number);
    go_back(server, number);
}

void once_server_set_clock(struct once_server *server, int64_t by_ms)
{
    SIM_TRACE(&server->world->env, "redis: its clock is set by %" PRId64 " ms", by_ms);
    server->wall_ms += (uint64_t)by_ms;
    if (by_ms > 0)
        server->forward_ms += (uint64_t)by_ms;
}
