/* tls.h – what makes a listener speak TLS: the certificate, how it is renewed, and the keys of session tickets. One for
 * the process: all adapters, on whatever thread, share it, so that a ticket is good with each and a new certificate is
 * there for all at once.
 *
 * Connections go on with what they began with; new ones get what is here now. Ownership: outlives the adapters that
 * were given it. Errors: BAD_REQUEST with one line, "SETTING: PATH: what is wrong there"; NOMEM, INTERNAL. Calls out:
 * none; it is locked within each call, so any thread may call at any time. */
#ifndef HG_WS_TLS_H
#define HG_WS_TLS_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/error.h"
#include "base/time.h"
#include "core/ports.h"

struct hg_ws_tls;

struct hg_ws_tls_config {
    const char *certificate, *key; /* PEM files; copied */
    bool only_1_3;                 /* else 1.2 too */
    hg_dur look_every;             /* how often hg_ws_tls_tick() looks at the files */
};

/* Reads the files. */
HG_RESULT hg_ws_tls_new(const struct hg_ws_tls_config *config, struct hg_ws_tls **ret_tls, struct hg_buf *reterr);
/* Accepts NULL. */
void hg_ws_tls_free(struct hg_ws_tls *tls);
/* A phrase for the log about what is served, and how loud it should be said. */
enum hg_log_level hg_ws_tls_describe(struct hg_ws_tls *tls, struct hg_buf *into);
/* Reads both files now. After an error what was served before is served on. */
HG_RESULT hg_ws_tls_reload(struct hg_ws_tls *tls, struct hg_buf *reterr);
/* From each adapter's slow timer: reads changed files, and renews ticket keys. True: `ret_line` has something for the
 * log. Files that cannot be served are told once, and read again when they change again. */
bool hg_ws_tls_tick(struct hg_ws_tls *tls, hg_time now, enum hg_log_level *ret_level, struct hg_buf *ret_line);

#endif
