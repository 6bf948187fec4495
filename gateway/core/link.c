#include "core/link.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/request.h"
#include "core/state.h"

static struct hg_link *get(const struct hg_core *core, uint32_t link)
{
    HG_ASSERT(link < HG_LINK_COUNT_MAX);
    return core->links.items[link];
}

const char *hg_link_name(uint32_t link)
{
    static const char *const names[] = {"listener", "commander", "replay", "replicas", "fsync", "reader"};
    return names[link < HG_LINK_READER ? link : HG_LINK_READER];
}

/* How long nothing may come although something was asked. */
static hg_dur patience(const struct hg_core *core, uint32_t link)
{
    hg_dur canary = hg_ms(core->config->canary_ms);
    if (link >= HG_LINK_READER)
        return hg_us(canary.us + hg_reader_block(core).us);
    if (link == HG_LINK_REPLICAS || link == HG_LINK_FSYNC)
        return hg_us(canary.us + hg_ms(core->config->durability_timeout_ms).us);
    return canary;
}

static void open_link(struct hg_core *core, uint32_t link)
{
    get(core, link)->state = HG_LINK_OPENING;
    core->ports.redis_open(core->ports.context, link);
}

void hg_link_want(struct hg_core *core, uint32_t link)
{
    struct hg_link *l = get(core, link);
    if (!l) {
        l = core->links.items[link] = hg_core_alloc(sizeof(*l));
        hg_backoff_init(&l->backoff, hg_ms(core->config->redis_backoff_min_ms),
                        hg_ms(core->config->redis_backoff_max_ms));
        if (link >= core->links.count)
            core->links.count = link + 1;
    }
    if (l->state == HG_LINK_CLOSED)
        open_link(core, link);
}

static void free_requests(struct hg_link *l)
{
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&l->requests)))
        free(HG_CONTAINER(node, struct hg_request, node));
}

void hg_link_drop(struct hg_core *core, uint32_t link)
{
    struct hg_link *l = get(core, link);
    if (!l || l->state == HG_LINK_CLOSED)
        return;
    l->state = HG_LINK_CLOSED;
    free_requests(l);
    core->ports.redis_close(core->ports.context, link);
}

bool hg_link_is_up(const struct hg_core *core, uint32_t link)
{
    const struct hg_link *l = get(core, link);
    return l && l->state == HG_LINK_UP;
}

const char *hg_link_trouble(const struct hg_core *core, uint32_t link)
{
    const struct hg_link *l = get(core, link);
    return l && l->trouble ? l->trouble : "not connected to Redis yet";
}

struct hg_request *hg_link_expect(struct hg_core *core, uint32_t link, enum hg_request_kind kind, void *object)
{
    struct hg_link *l = get(core, link);
    HG_ASSERT(l && l->state == HG_LINK_UP);
    if (l->requests.count == 0)
        l->progress = core->now;
    struct hg_request *request = hg_core_alloc(sizeof(*request));
    request->token = ++core->links.next_token;
    request->kind = kind;
    request->object = object;
    hg_list_push_back(&l->requests, &request->node);
    return request;
}

struct hg_request *hg_link_send(struct hg_core *core, uint32_t link, enum hg_request_kind kind, void *object,
                                const struct hg_slice *argv, size_t argc)
{
    struct hg_request *request = hg_link_expect(core, link, kind, object);
    core->ports.redis_command(core->ports.context, link, request->token, argv, argc);
    core->stats.redis_commands++;
    return request;
}

void hg_link_heard(struct hg_core *core, uint32_t link)
{
    get(core, link)->progress = core->now;
}

void hg_link_answered(struct hg_core *core, uint32_t link, const struct hg_reply *reply)
{
    struct hg_link *l = get(core, link);
    l->progress = core->now;
    struct hg_list_node *node = hg_list_pop_front(&l->requests);
    if (!node) {
        hg_link_lost(core, link, HG_LIT("an answer came that nobody asked for"), true);
        return;
    }
    struct hg_request *request = HG_CONTAINER(node, struct hg_request, node);
    hg_request_done(core, link, request, reply);
    free(request);
}

void hg_link_up(struct hg_core *core, uint32_t link, uint64_t client_id)
{
    struct hg_link *l = get(core, link);
    HG_ASSERT(l && l->state == HG_LINK_OPENING);
    l->state = HG_LINK_UP;
    l->client_id = client_id;
    l->progress = core->now;
    l->up_at = core->now;
    if (l->trouble)
        hg_core_log(core, HG_LOG_INFO, "redis %s is back", hg_link_name(link));
    free(l->trouble);
    l->trouble = NULL;
    hg_request_link_up(core, link);
}

void hg_link_lost(struct hg_core *core, uint32_t link, struct hg_slice reason, bool close)
{
    struct hg_link *l = get(core, link);
    if (!l || l->state == HG_LINK_CLOSED || l->state == HG_LINK_WAITING)
        return;
    core->stats.redis_losses++;
    bool was_up = l->state == HG_LINK_UP;
    l->state = HG_LINK_WAITING;
    /* To be let in is no success yet: a link that is lost again at once would be opened again without a pause. */
    if (was_up && hg_time_reached(hg_time_add(l->up_at, l->backoff.max), core->now))
        hg_backoff_success(&l->backoff);
    hg_dur delay = hg_backoff_next(&l->backoff, &core->prng);
    l->reopen_at = hg_time_add(core->now, delay);
    /* Said once for each reason: a Redis that is away for an hour makes one line, not thousands. */
    if (!l->trouble || !hg_slice_is(reason, l->trouble)) {
        hg_core_log(core, HG_LOG_WARNING, "redis %s %s: %.*s; trying again", hg_link_name(link),
                    was_up ? "was lost" : "cannot be opened", HG_SLICE_ARG(reason));
        free(l->trouble);
        l->trouble = hg_core_copy(reason);
    }
    if (close)
        core->ports.redis_close(core->ports.context, link);

    struct hg_list lost = {0};
    struct hg_list_node *node;
    while ((node = hg_list_pop_front(&l->requests)))
        hg_list_push_back(&lost, node);
    while ((node = hg_list_pop_front(&lost))) {
        struct hg_request *request = HG_CONTAINER(node, struct hg_request, node);
        hg_request_done(core, link, request, NULL);
        free(request);
    }
    hg_request_link_lost(core, link);
}

static hg_time link_deadline(const struct hg_core *core, uint32_t link)
{
    const struct hg_link *l = get(core, link);
    if (!l)
        return HG_TIME_NEVER;
    if (l->state == HG_LINK_WAITING)
        return l->reopen_at;
    if (l->state != HG_LINK_UP)
        return HG_TIME_NEVER;
    if (l->requests.count > 0)
        return hg_time_add(l->progress, patience(core, link));
    /* The listener has a canary of its own, and a reader that asks nothing follows nothing. */
    bool pinged = link != HG_LINK_LISTENER && link < HG_LINK_READER;
    return pinged ? hg_time_add(l->progress, hg_ms(core->config->canary_ms)) : HG_TIME_NEVER;
}

void hg_link_ping(struct hg_core *core, uint32_t link)
{
    const struct hg_slice ping[] = {HG_LIT("PING")};
    if (get(core, link)->requests.count == 0)
        hg_link_send(core, link, HG_REQUEST_PING, NULL, ping, 1);
}

void hg_links_tick(struct hg_core *core)
{
    for (uint32_t link = 0; link < core->links.count; link++) {
        struct hg_link *l = get(core, link);
        if (!l || !hg_time_reached(link_deadline(core, link), core->now))
            continue;
        if (l->state == HG_LINK_WAITING)
            open_link(core, link);
        else if (l->requests.count > 0)
            hg_link_lost(core, link, HG_LIT("no answer within canary_ms"), true);
        else
            hg_link_ping(core, link);
    }
}

hg_time hg_links_deadline(const struct hg_core *core)
{
    hg_time deadline = HG_TIME_NEVER;
    for (uint32_t link = 0; link < core->links.count; link++)
        deadline = hg_time_min(deadline, link_deadline(core, link));
    return deadline;
}

void hg_links_done(struct hg_core *core)
{
    for (uint32_t link = 0; link < core->links.count; link++) {
        struct hg_link *l = get(core, link);
        if (!l)
            continue;
        free_requests(l);
        free(l->trouble);
        free(l);
    }
}
