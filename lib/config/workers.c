#include "config/workers.h"

#include "config/host.h"

hg_result hg_workers_parse(struct hg_slice text, unsigned *ret_workers, const char **reterr_why)
{
    uint32_t workers;
    if (hg_slice_is(text, "auto")) {
        *ret_workers = 0;
        return HG_OK;
    }
    bool digits = text.len > 0;
    for (size_t i = 0; i < text.len; i++)
        digits = digits && text.ptr[i] >= '0' && text.ptr[i] <= '9';
    if (digits && text.ptr[0] != '0' && hg_host_number(text, HG_WORKERS_MAX, &workers)) {
        *ret_workers = workers;
        return HG_OK;
    }
    if (reterr_why)
        *reterr_why = digits ? "is not from 1 to 64" : "is neither auto nor a whole number";
    return HG_FAIL(SYNTAX);
}

void hg_workers_share(const struct hg_config *whole, unsigned workers, struct hg_config *ret_share)
{
    *ret_share = *whole;
    ret_share->log_bytes_total_max = whole->log_bytes_total_max / workers;
    ret_share->history_bytes_max = whole->history_bytes_max / workers;
    ret_share->emits_bytes_max = whole->emits_bytes_max / workers;
    ret_share->memory_bytes_max = whole->memory_bytes_max / workers;
    ret_share->handshakes_max = (whole->handshakes_max + workers - 1) / workers;
    ret_share->emits_max = (whole->emits_max + workers - 1) / workers; /* at least one each */
}

static hg_result refuse(const char *less_name, uint64_t less, const char *more_name, uint64_t more, unsigned workers,
                        struct hg_buf *reterr)
{
    hg_buf_clear(reterr);
    hg_buf_printf(reterr,
                  "%s: found %llu: each worker has its share of %s; allowed: at most that share, which is %llu with %u "
                  "workers",
                  less_name, (unsigned long long)less, more_name, (unsigned long long)more, workers);
    return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
}

hg_result hg_workers_check(const struct hg_config *whole, unsigned workers, struct hg_buf *reterr)
{
    struct hg_config share;
    hg_workers_share(whole, workers, &share);
    if (share.log_bytes_max > share.log_bytes_total_max)
        return refuse("log_bytes_max", share.log_bytes_max, "log_bytes_total_max", share.log_bytes_total_max, workers,
                      reterr);
    if (share.event_bytes_max > share.emits_bytes_max)
        return refuse("event_bytes_max", share.event_bytes_max, "emits_bytes_max", share.emits_bytes_max, workers,
                      reterr);
    return HG_OK;
}
