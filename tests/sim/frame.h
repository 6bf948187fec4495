/* frame.h – takes apart what a gateway writes to a socket: WebSocket frames (RFC 6455, section 5) as a server may send
 * them. Whatever a server may not send ends the run. Ownership: the payload is a part of `bytes`. Calls out: none. */
#ifndef HG_SIM_FRAME_H
#define HG_SIM_FRAME_H

#include "sim/env.h"

struct sim_frame {
    bool ping;     /* else a text message */
    bool deflated; /* it came so (RFC 7692) */
    struct hg_slice payload;
};

/* The first frame of `*bytes`, which must not be empty; takes it off them. `deflates`: permessage-deflate was agreed;
 * a message that came deflated is inflated, and lies in the run's arena. */
struct sim_frame sim_frame_next(struct sim_env *env, struct hg_slice *bytes, bool deflates);

#endif
