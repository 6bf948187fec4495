#include "core/request.h"

#include "base/assert.h"
#include "core/idmp.h"
#include "core/state.h"

void hg_request_done(struct hg_core *core, uint32_t link, const struct hg_request *request,
                     const struct hg_reply *reply)
{
    void *object = request->object;
    if (link == HG_LINK_LISTENER && reply && request->kind != HG_REQUEST_PING)
        hg_canary_noise(core);
    switch (request->kind) {
    case HG_REQUEST_SUBSCRIBE:
        if (object)
            hg_source_subscribed(core, object, reply);
        return;
    case HG_REQUEST_UNSUBSCRIBE:
    case HG_REQUEST_PING:
        return;
    case HG_REQUEST_CANARY:
        hg_canary_subscribed(core, reply);
        return;
    case HG_REQUEST_PUBLISH:
        hg_canary_published(core, reply);
        return;
    case HG_REQUEST_TYPE:
        if (object)
            hg_discovery_typed(core, object, reply);
        return;
    case HG_REQUEST_LOCATE:
        if (object)
            hg_source_located(core, object, reply);
        return;
    case HG_REQUEST_INSPECT:
        if (object)
            hg_source_inspected(core, object, reply);
        return;
    case HG_REQUEST_TIP:
        if (object)
            hg_source_tipped(core, object, reply);
        return;
    case HG_REQUEST_SCAN:
        hg_discovery_scanned(core, reply);
        return;
    case HG_REQUEST_SERVER:
        hg_uplink_server(core, object, reply);
        return;
    case HG_REQUEST_FUNCTION:
        hg_uplink_function(core, object, reply);
        return;
    case HG_REQUEST_SCRIPT:
        hg_uplink_script(core, object, reply);
        return;
    case HG_REQUEST_EMIT:
        if (object)
            hg_lane_answered(core, object, reply);
        return;
    case HG_REQUEST_WAIT:
        if (object)
            hg_lane_waited(core, object, reply);
        return;
    case HG_REQUEST_QUEUED:
        if (object)
            hg_lane_queued(object, reply);
        return;
    case HG_REQUEST_IDMP_QUEUED:
        hg_idmp_queued(object, reply);
        return;
    case HG_REQUEST_IDMP_STEP:
        hg_idmp_stepped(object, reply);
        return;
    case HG_REQUEST_IDMP_INFO:
        hg_idmp_informed(core, object, reply);
        return;
    case HG_REQUEST_IDMP_SET:
        hg_idmp_configured(core, object, reply);
        return;
    case HG_REQUEST_IDMP_EVENTS:
        hg_idmp_answered(core, object, reply);
        return;
    case HG_REQUEST_IDMP_ENTRY:
        hg_idmp_compared(core, object, reply);
        return;
    case HG_REQUEST_UNBLOCK:
        hg_reader_unblocked(core, object, reply);
        return;
    case HG_REQUEST_READ:
        hg_reader_read(core, object, reply);
        return;
    case HG_REQUEST_PROVE:
    case HG_REQUEST_JUDGE:
        hg_reader_proved(core, link, object, request->kind == HG_REQUEST_JUDGE, reply);
        return;
    case HG_REQUEST_PAGE:
        hg_replay_page(core, object, reply);
        return;
    case HG_REQUEST_VERDICT:
        if (object)
            hg_replay_verdict(core, object, reply);
        return;
    }
    HG_UNREACHABLE();
}

bool hg_request_push(struct hg_core *core, const struct hg_reply *reply)
{
    if (hg_reply_is_array(reply, 3) && hg_reply_is(&reply->items[0], "message")) {
        if (reply->items[1].type == HG_REPLY_STRING && reply->items[2].type == HG_REPLY_STRING &&
            !hg_canary_heard(core, reply->items[1].text, reply->items[2].text))
            hg_source_message(core, reply->items[1].text, reply->items[2].text);
        return true;
    }
    if (hg_reply_is_array(reply, 4) && hg_reply_is(&reply->items[0], "pmessage")) {
        if (reply->items[1].type == HG_REPLY_STRING && reply->items[2].type == HG_REPLY_STRING &&
            reply->items[3].type == HG_REPLY_STRING)
            hg_source_pattern_message(core, reply->items[1].text, reply->items[2].text, reply->items[3].text);
        return true;
    }
    return false;
}

void hg_request_link_up(struct hg_core *core, uint32_t link)
{
    struct hg_uplink *uplink = hg_uplink_find(core, link);
    if (uplink)
        hg_uplink_up(core, uplink);
    if (link == HG_LINK_LISTENER)
        hg_canary_listener_up(core);
    else if (link >= HG_LINK_READER)
        hg_readers_link_up(core, link);
}

void hg_request_link_lost(struct hg_core *core, uint32_t link)
{
    struct hg_uplink *uplink = hg_uplink_find(core, link);
    if (uplink)
        hg_uplink_lost(core, uplink);
    if (link == HG_LINK_LISTENER) {
        hg_canary_listener_lost(core);
        hg_sources_listener_lost(core);
    } else if (link >= HG_LINK_READER) {
        hg_readers_link_lost(core, link);
    }
}
