#include "core/uplink.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/dedupe.h"
#include "core/idmp.h"
#include "core/state.h"

#define REFUSED_PAUSE_MS 500u
#define TROUBLE_PAUSE_MS 10000u /* a client that emits well and badly by turns does not fill the log */
#define IDMP_SINCE       80602u /* 8.6.2: the versions before lose what they remember over a restart */

static const uint32_t links[HG_DURABILITY__COUNT] = {
    [HG_DURABILITY_MEMORY] = HG_LINK_COMMANDER,
    [HG_DURABILITY_REPLICAS] = HG_LINK_REPLICAS,
    [HG_DURABILITY_FSYNC] = HG_LINK_FSYNC,
};

struct hg_durability hg_rule_durability(const struct hg_rule *rule)
{
    struct hg_durability durability;
    HG_ASSERT(hg_ok(hg_durability_parse(hg_slice_str(rule->durability), &durability, NULL)));
    return durability;
}

void hg_uplinks_init(struct hg_core *core)
{
    const struct hg_config *config = core->config;
    core->uplinks.function = hg_dedupe_name();
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        struct hg_uplink *uplink = &core->uplinks.items[i];
        uplink->link = links[i];
        uplink->down = true;
        hg_map_init(&uplink->told_streams, core->hash_key);
        hg_breaker_init(&uplink->breaker, (unsigned)config->breaker_failures, hg_ms(config->breaker_open_min_ms),
                        hg_ms(config->breaker_open_max_ms));
        hg_backoff_init(&uplink->backoff, hg_ms(config->emit_backoff_min_ms), hg_ms(config->emit_backoff_max_ms));
    }
    for (size_t i = 0; i < config->rule_count; i++) {
        const struct hg_rule *rule = &config->rules[i];
        if (!rule->emit || rule->source == HG_SOURCE_CHANNEL)
            continue;
        core->uplinks.items[hg_rule_durability(rule).kind].used = true;
        if (rule->dead_letter[0])
            core->uplinks.items[HG_DURABILITY_MEMORY].used = true;
    }
}

void hg_uplinks_start(struct hg_core *core)
{
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        struct hg_uplink *uplink = &core->uplinks.items[i];
        uplink->down_since = core->now;
        if (uplink->used)
            hg_link_want(core, uplink->link);
    }
}

void hg_uplinks_done(struct hg_core *core)
{
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        struct hg_uplink *uplink = &core->uplinks.items[i];
        HG_ASSERT(uplink->ready.count == 0);
        hg_idmp_forget(uplink);
        hg_map_done(&uplink->told_streams);
        free(uplink->sha);
        free(uplink->trouble);
        free(uplink->told);
        free(uplink->idmp_trouble);
    }
}

struct hg_uplink *hg_uplink_find(struct hg_core *core, uint32_t link)
{
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++)
        if (core->uplinks.items[i].link == link)
            return core->uplinks.items[i].used ? &core->uplinks.items[i] : NULL;
    return NULL;
}

static void count_failure(struct hg_core *core, struct hg_uplink *uplink)
{
    if (!hg_breaker_failure(&uplink->breaker, core->now, &core->prng))
        return;
    if (uplink->breaker.backoff.attempts > 1)
        return; /* a trial failed: it is the same outage */
    core->stats.breaker_openings++;
    hg_core_log(core, HG_LOG_WARNING, "emits on the link '%s' are refused until Redis is back",
                hg_link_name(uplink->link));
}

/* ---- what the server offers -------------------------------------------------------------------------------------- */

static void load_script(struct hg_core *core, struct hg_uplink *uplink)
{
    const struct hg_slice argv[] = {HG_LIT("SCRIPT"), HG_LIT("LOAD"), hg_dedupe_script()};
    uplink->scripting = HG_SCRIPTING_ASKING;
    hg_link_send(core, uplink->link, HG_REQUEST_SCRIPT, uplink, argv, 3);
}

static void load(struct hg_core *core, struct hg_uplink *uplink)
{
    if (uplink->no_functions) {
        load_script(core, uplink);
        return;
    }
    hg_buf_clear(&core->text);
    hg_dedupe_put_library(&core->text);
    (void)hg_core_must(hg_buf_result(&core->text));
    const struct hg_slice argv[] = {HG_LIT("FUNCTION"), HG_LIT("LOAD"), hg_buf_slice(&core->text)};
    uplink->scripting = HG_SCRIPTING_ASKING;
    hg_link_send(core, uplink->link, HG_REQUEST_FUNCTION, uplink, argv, 3);
}

void hg_uplink_up(struct hg_core *core, struct hg_uplink *uplink)
{
    const struct hg_slice argv[] = {HG_LIT("INFO"), HG_LIT("server")};
    uplink->down = false;
    uplink->no_functions = uplink->idmp = false;
    uplink->server[0] = '\0';
    hg_breaker_try_now(&uplink->breaker, core->now);
    hg_link_send(core, uplink->link, HG_REQUEST_SERVER, uplink, argv, 2);
    load(core, uplink);
}

void hg_uplink_lost(struct hg_core *core, struct hg_uplink *uplink)
{
    uplink->scripting = HG_SCRIPTING_UNKNOWN;
    uplink->retry_at = core->now;
    hg_idmp_forget(uplink);
    if (!uplink->down)
        uplink->down_since = core->now;
    uplink->down = true;
    count_failure(core, uplink);
}

/* The value of a line "name:value" of INFO; empty when there is none. */
static struct hg_slice info_of(struct hg_slice info, const char *name)
{
    size_t len = strlen(name);
    while (info.len > 0) {
        const char *end = memchr(info.ptr, '\n', info.len);
        struct hg_slice line = hg_slice_first(info, end ? (size_t)(end - info.ptr) : info.len);
        info = hg_slice_from(info, end ? line.len + 1 : line.len);
        if (line.len > len && memcmp(line.ptr, name, len) == 0 && line.ptr[len] == ':') {
            struct hg_slice value = hg_slice_from(line, len + 1);
            while (value.len > 0 && value.ptr[value.len - 1] == '\r')
                value.len--;
            return value;
        }
    }
    return HG_SLICE_NULL;
}

/* "8.6.2" as 80602; 0 when it is no such text. */
static uint32_t version_number(struct hg_slice version)
{
    uint32_t parts[3] = {0};
    size_t part = 0;
    for (size_t i = 0; i < version.len && part < 3; i++) {
        char c = version.ptr[i];
        if (c == '.')
            part++;
        else if (c >= '0' && c <= '9' && parts[part] < 1000)
            parts[part] = parts[part] * 10 + (uint32_t)(c - '0');
        else
            break;
    }
    return parts[0] * 10000 + parts[1] * 100 + parts[2];
}

void hg_uplink_server(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    (void)core;
    if (!reply || reply->type != HG_REPLY_STRING)
        return; /* not allowed: it will show what it can do */
    struct hg_slice valkey = info_of(reply->text, "valkey_version"), redis = info_of(reply->text, "redis_version"),
                    version = valkey.len > 0 ? valkey : redis;
    if (version.len == 0 || version.len > 24)
        return;
    for (size_t i = 0; i < version.len; i++)
        if (version.ptr[i] <= ' ' || version.ptr[i] >= 0x7f)
            return;
    snprintf(uplink->server, sizeof(uplink->server), "%s %.*s", valkey.len > 0 ? "Valkey" : "Redis",
             HG_SLICE_ARG(version));
    uplink->idmp = valkey.len == 0 && version_number(redis) >= IDMP_SINCE;
}

/* Said once each time it changes. */
static void tell(struct hg_core *core, struct hg_uplink *uplink, enum hg_log_level level, const char *how)
{
    if (uplink->told && strcmp(uplink->told, how) == 0)
        return;
    hg_core_log(core, level, "emits on the link '%s' to %s: %s", hg_link_name(uplink->link),
                uplink->server[0] ? uplink->server : "Redis", how);
    free(uplink->told);
    uplink->told = hg_core_copy(hg_slice_str(how));
}

static void tell_ready(struct hg_core *core, struct hg_uplink *uplink)
{
    char how[160];
    const char *by = uplink->scripting == HG_SCRIPTING_FUNCTION ? "the Function" : "the script";
    snprintf(how, sizeof(how), "%sonce each by %s %s", uplink->idmp ? "once each by XADD IDMP where it can, else " : "",
             by, core->uplinks.function);
    tell(core, uplink, HG_LOG_INFO, how);
}

static void pause_asking(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    uplink->scripting = HG_SCRIPTING_UNKNOWN;
    uplink->retry_at = hg_time_add(core->now, hg_ms(REFUSED_PAUSE_MS));
    hg_uplink_trouble(core, uplink, hg_core_words(core, reply));
    count_failure(core, uplink);
    /* A server that became a replica keeps its connections. Without emits a replica does as well. */
    if (hg_reply_is_error(reply, "READONLY") && uplink->ready.count > 0)
        hg_link_lost(core, uplink->link, HG_LIT("the server is a replica now"), true);
}

static bool says(const struct hg_reply *reply, const char *words)
{
    return reply->type == HG_REPLY_ERROR && memmem(reply->text.ptr, reply->text.len, words, strlen(words));
}

void hg_uplink_function(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    uplink->scripting = HG_SCRIPTING_UNKNOWN;
    if (!reply)
        return;
    if (reply->type == HG_REPLY_STRING || reply->type == HG_REPLY_STATUS || says(reply, "already exists")) {
        uplink->scripting = HG_SCRIPTING_FUNCTION;
        tell_ready(core, uplink);
    } else if (hg_reply_is_denial(reply) || hg_reply_is_error(reply, "ERR")) {
        /* Not known, not permitted, or not offered in whatever words of a service that is not quite Redis. */
        uplink->no_functions = true;
        load_script(core, uplink);
    } else {
        pause_asking(core, uplink, reply);
    }
}

void hg_uplink_script(struct hg_core *core, struct hg_uplink *uplink, const struct hg_reply *reply)
{
    uplink->scripting = HG_SCRIPTING_UNKNOWN;
    if (!reply)
        return;
    if (reply->type == HG_REPLY_STRING && reply->text.len == 40) {
        free(uplink->sha);
        uplink->sha = hg_core_copy(reply->text);
        uplink->scripting = HG_SCRIPTING_SCRIPT;
        tell_ready(core, uplink);
    } else if (hg_reply_is_denial(reply)) {
        uplink->scripting = HG_SCRIPTING_DENIED;
        tell(core, uplink, HG_LOG_WARNING,
             uplink->idmp
                 ? "once each by XADD IDMP; topics that it cannot serve are refused, for Redis allows no script"
                 : "refused, for Redis allows no script: grant its user +fcall +function|load, or +evalsha "
                   "+script|load, and the keys headgate:dedupe:*; or set \"dedupe\": \"best_effort\" for the topics");
    } else {
        pause_asking(core, uplink, reply);
    }
}

void hg_uplink_not_by_idmp(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words)
{
    if (uplink->idmp_trouble && hg_slice_is(words, uplink->idmp_trouble))
        return;
    hg_core_log(core, HG_LOG_WARNING,
                "events go another way than by XADD IDMP, which takes +multi +exec +watch +unwatch +xinfo|stream "
                "+xcfgset +xgroup +xlen +xadd +xtrim: redis has %.*s",
                HG_SLICE_ARG(words));
    free(uplink->idmp_trouble);
    uplink->idmp_trouble = hg_core_copy(words);
}

void hg_uplink_forgot(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words)
{
    if (uplink->scripting == HG_SCRIPTING_ASKING || !hg_link_is_up(core, uplink->link))
        return;
    /* A server that never has what it took, as one of several behind a proxy, is not asked without pause. */
    if (uplink->forgotten)
        hg_uplink_rest(core, uplink, words);
    uplink->forgotten = true;
    load(core, uplink);
}

void hg_uplink_denied(struct hg_core *core, struct hg_uplink *uplink)
{
    if (uplink->scripting == HG_SCRIPTING_FUNCTION) {
        uplink->no_functions = true;
        load_script(core, uplink);
    } else if (uplink->scripting == HG_SCRIPTING_SCRIPT) {
        const struct hg_reply reply = {.type = HG_REPLY_ERROR, .text = HG_LIT("NOPERM EVALSHA")};
        hg_uplink_script(core, uplink, &reply);
    }
}

/* ---- whether it is worth trying ---------------------------------------------------------------------------------- */

void hg_uplink_trouble(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words)
{
    bool again = uplink->trouble && hg_slice_is(words, uplink->trouble);
    hg_time pause = hg_time_add(uplink->trouble_said, hg_ms(TROUBLE_PAUSE_MS));
    if (again && (!uplink->trouble_over || hg_time_before(core->now, pause)))
        return;
    uplink->trouble_over = false;
    uplink->trouble_said = core->now;
    hg_core_log(core, HG_LOG_WARNING, "redis refuses emits: %.*s", HG_SLICE_ARG(words));
    free(uplink->trouble);
    uplink->trouble = hg_core_copy(words);
}

void hg_uplink_answered(struct hg_core *core, struct hg_uplink *uplink)
{
    if (hg_breaker_success(&uplink->breaker))
        hg_core_log(core, HG_LOG_INFO, "emits on the link '%s' go through again", hg_link_name(uplink->link));
}

void hg_uplink_success(struct hg_core *core, struct hg_uplink *uplink)
{
    uplink->trouble_over = true;
    uplink->forgotten = false;
    hg_backoff_success(&uplink->backoff);
    hg_uplink_answered(core, uplink);
}

void hg_uplink_rest(struct hg_core *core, struct hg_uplink *uplink, struct hg_slice words)
{
    hg_uplink_trouble(core, uplink, words);
    /* Calls that were under way together fail together: that is one failure. */
    if (hg_time_before(core->now, uplink->rest_until))
        return;
    uplink->rest_until = hg_time_add(core->now, hg_backoff_next(&uplink->backoff, &core->prng));
    count_failure(core, uplink);
}

bool hg_uplink_admits(struct hg_core *core, struct hg_uplink *uplink, uint64_t *reterr_retry_ms)
{
    bool closed = uplink->breaker.state == HG_BREAKER_CLOSED;
    if (closed || (!uplink->down && hg_breaker_allows(&uplink->breaker, core->now)))
        return true;
    /* Spread, so that those who were refused together do not come back together. */
    uint64_t ms = hg_breaker_retry_in(&uplink->breaker, core->now).us / 1000;
    ms = ms > core->config->breaker_open_min_ms ? ms : core->config->breaker_open_min_ms;
    *reterr_retry_ms = ms + hg_prng_below(&core->prng, ms + 1);
    return false;
}

const char *hg_uplink_way(const struct hg_uplink *uplink)
{
    static const char *const ways[] = {
        [HG_SCRIPTING_UNKNOWN] = "",      [HG_SCRIPTING_ASKING] = "",     [HG_SCRIPTING_FUNCTION] = "function",
        [HG_SCRIPTING_SCRIPT] = "script", [HG_SCRIPTING_DENIED] = "none",
    };
    return uplink->idmp ? "idmp" : ways[uplink->scripting];
}

bool hg_uplink_is_ready(const struct hg_core *core, const struct hg_uplink *uplink)
{
    return hg_link_is_up(core, uplink->link) && !uplink->telling && hg_time_reached(uplink->rest_until, core->now) &&
           (uplink->scripting == HG_SCRIPTING_FUNCTION || uplink->scripting == HG_SCRIPTING_SCRIPT ||
            uplink->scripting == HG_SCRIPTING_DENIED);
}

static hg_time opens_at(const struct hg_core *core, const struct hg_uplink *uplink)
{
    if (!uplink->down)
        return HG_TIME_NEVER;
    switch (uplink->breaker.state) {
    case HG_BREAKER_CLOSED:
        return hg_time_add(uplink->down_since, hg_ms(core->config->breaker_open_min_ms));
    case HG_BREAKER_OPEN:
        return uplink->breaker.until;
    default:
        return core->now;
    }
}

static bool asks_again(const struct hg_core *core, const struct hg_uplink *uplink)
{
    return uplink->scripting == HG_SCRIPTING_UNKNOWN && hg_link_is_up(core, uplink->link);
}

void hg_uplinks_tick(struct hg_core *core)
{
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        struct hg_uplink *uplink = &core->uplinks.items[i];
        if (!uplink->used)
            continue;
        if (hg_time_reached(opens_at(core, uplink), core->now)) {
            /* Gone for long enough: whoever comes now would wait for nothing, and so would a trial. */
            hg_breaker_tick(&uplink->breaker, core->now);
            do
                count_failure(core, uplink);
            while (uplink->breaker.state == HG_BREAKER_CLOSED);
        }
        if (asks_again(core, uplink) && hg_time_reached(uplink->retry_at, core->now))
            load(core, uplink);
    }
}

hg_time hg_uplinks_deadline(const struct hg_core *core)
{
    hg_time deadline = HG_TIME_NEVER;
    for (size_t i = 0; i < HG_DURABILITY__COUNT; i++) {
        const struct hg_uplink *uplink = &core->uplinks.items[i];
        if (!uplink->used)
            continue;
        deadline = hg_time_min(deadline, opens_at(core, uplink));
        if (asks_again(core, uplink))
            deadline = hg_time_min(deadline, uplink->retry_at);
        if (uplink->ready.count > 0 && hg_time_before(core->now, uplink->rest_until))
            deadline = hg_time_min(deadline, uplink->rest_until);
    }
    return deadline;
}
