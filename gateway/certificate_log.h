/* certificate_log.h – what the log says of the certificate: which one is served, and what became of SIGHUP.
 * Ownership: nothing is kept. */
#ifndef HG_CERTIFICATE_LOG_H
#define HG_CERTIFICATE_LOG_H

#include "logger.h"
#include "ws/tls.h"

/* `tls` NULL: nothing is said. */
void hg_certificate_tell(struct hg_ws_tls *tls, const struct hg_logger *logger);
/* SIGHUP: reads certificate and key again, and says what came of it. `tls` NULL: says that there is none. */
void hg_certificate_reload(struct hg_ws_tls *tls, const struct hg_logger *logger);

#endif
