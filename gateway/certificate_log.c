#include "certificate_log.h"

#define LINE_BYTES_MAX 4096

static void tell(const char *before, struct hg_ws_tls *tls, const struct hg_logger *logger)
{
    struct hg_buf line;
    hg_buf_init(&line, LINE_BYTES_MAX);
    hg_buf_put_str(&line, before);
    enum hg_log_level level = hg_ws_tls_describe(tls, &line);
    hg_logger_put(logger, level, hg_buf_slice(&line));
    hg_buf_done(&line);
}

void hg_certificate_tell(struct hg_ws_tls *tls, const struct hg_logger *logger)
{
    if (tls)
        tell("serving ", tls, logger);
}

void hg_certificate_reload(struct hg_ws_tls *tls, const struct hg_logger *logger)
{
    struct hg_buf why;
    if (!tls) {
        hg_logger_printf(logger, HG_LOG_INFO, "SIGHUP: there is no certificate to read again");
        return;
    }
    hg_buf_init(&why, LINE_BYTES_MAX);
    if (hg_ok(hg_ws_tls_reload(tls, &why)))
        tell("SIGHUP: serving ", tls, logger);
    else
        hg_logger_printf(logger, HG_LOG_ERROR, "SIGHUP: %.*s; the old certificate is served on",
                         HG_SLICE_ARG(why.len > 0 ? hg_buf_slice(&why) : HG_LIT("memory is out")));
    hg_buf_done(&why);
}
