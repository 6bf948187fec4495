#include "core/limiter.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"

#define FORGET_AT_ONCE 8 /* full buckets that one event forgets at most */

struct bucket {
    struct hg_map_node by_name;
    struct hg_list_node by_use;
    struct hg_bucket bucket;
    char name[];
};

void hg_limiter_init(struct hg_core *core)
{
    hg_map_init(&core->emitter.limiter.buckets, core->hash_key);
}

static void forget(struct hg_limiter *limiter, struct bucket *bucket)
{
    hg_map_remove(&limiter->buckets, &bucket->by_name);
    hg_list_remove(&limiter->by_use, &bucket->by_use);
    free(bucket);
}

void hg_limiter_done(struct hg_core *core)
{
    struct hg_limiter *limiter = &core->emitter.limiter;
    while (limiter->by_use.first)
        forget(limiter, HG_CONTAINER(limiter->by_use.first, struct bucket, by_use));
    hg_map_done(&limiter->buckets);
}

static void fill_new(const struct hg_core *core, struct hg_bucket *bucket, uint64_t rate)
{
    hg_bucket_init(bucket, rate, hg_bucket_burst_of(rate, hg_ms(core->config->emit_burst_ms)), core->now);
}

/* Before any bucket is looked for: what is found afterwards stays until the next event. */
static void forget_full(struct hg_core *core)
{
    struct hg_limiter *limiter = &core->emitter.limiter;
    for (int i = 0; i < FORGET_AT_ONCE && limiter->by_use.first; i++) {
        struct bucket *oldest = HG_CONTAINER(limiter->by_use.first, struct bucket, by_use);
        if (!hg_bucket_is_full(&oldest->bucket, core->now))
            break;
        forget(limiter, oldest);
    }
}

/* The bucket of a name; a name says what kind it is by its first byte. */
static struct hg_bucket *find(struct hg_core *core, struct hg_slice name, uint64_t rate)
{
    struct hg_limiter *limiter = &core->emitter.limiter;
    struct hg_map_node *node = hg_map_find(&limiter->buckets, name);
    struct bucket *bucket;
    if (node) {
        bucket = HG_CONTAINER(node, struct bucket, by_name);
        hg_list_remove(&limiter->by_use, &bucket->by_use);
    } else {
        bucket = hg_core_alloc(sizeof(*bucket) + name.len);
        memcpy(bucket->name, name.ptr, name.len);
        fill_new(core, &bucket->bucket, rate);
        (void)hg_core_must(hg_map_insert(&limiter->buckets, &bucket->by_name, hg_slice(bucket->name, name.len)));
    }
    hg_list_push_back(&limiter->by_use, &bucket->by_use);
    return &bucket->bucket;
}

static struct hg_slice principal_of(struct hg_core *core, const struct hg_session *session)
{
    char peer[HG_PEER_BYTES_MAX];
    hg_buf_clear(&core->key);
    hg_buf_put_char(&core->key, 'a');
    hg_buf_put(&core->key, hg_session_peer(core, session, peer));
    return hg_buf_slice(&core->key);
}

static struct hg_slice topic_name(struct hg_core *core, struct hg_slice topic)
{
    hg_buf_clear(&core->key);
    hg_buf_put_char(&core->key, 't');
    hg_buf_put(&core->key, topic);
    return hg_buf_slice(&core->key);
}

bool hg_limiter_take(struct hg_core *core, struct hg_session *session, const struct hg_rule *rule,
                     struct hg_slice topic, const char **reterr_limit, hg_dur *reterr_wait)
{
    const struct hg_config *config = core->config;
    struct {
        const char *limit;
        struct hg_bucket *bucket;
    } wanted[3];
    size_t count = 0;
    forget_full(core);
    if (config->emit_rate_session > 0) {
        if (!session->rate) {
            session->rate = hg_core_alloc(sizeof(*session->rate));
            fill_new(core, session->rate, config->emit_rate_session);
        }
        wanted[count].limit = "emit_rate_session";
        wanted[count++].bucket = session->rate;
    }
    if (config->emit_rate_principal > 0) {
        wanted[count].limit = "emit_rate_principal";
        wanted[count++].bucket = find(core, principal_of(core, session), config->emit_rate_principal);
    }
    if (rule->emit_rate > 0) {
        wanted[count].limit = "emit_rate";
        wanted[count++].bucket = find(core, topic_name(core, topic), rule->emit_rate);
    }
    for (size_t i = 0; i < count; i++)
        if (!hg_bucket_has(wanted[i].bucket, core->now, reterr_wait)) {
            *reterr_limit = wanted[i].limit;
            return false;
        }
    for (size_t i = 0; i < count; i++)
        HG_ASSERT(hg_bucket_take(wanted[i].bucket, core->now, reterr_wait));
    return true;
}
