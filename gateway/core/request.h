/* request.h – who is told of an answer, and of a link that came or went. The one switch over the kinds of requests. */
#ifndef HG_CORE_REQUEST_H
#define HG_CORE_REQUEST_H

#include "core/link.h"

/* `reply` NULL: the link was lost first; whether Redis did it is unknown. */
void hg_request_done(struct hg_core *core, uint32_t link, const struct hg_request *request,
                     const struct hg_reply *reply);
/* A push on the listener that answers no request: a message. False: it is none. */
bool hg_request_push(struct hg_core *core, const struct hg_reply *reply);
void hg_request_link_up(struct hg_core *core, uint32_t link);
void hg_request_link_lost(struct hg_core *core, uint32_t link);

#endif
