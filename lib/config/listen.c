#include "config/listen.h"

#include "config/host.h"

static hg_result refuse(const char **reterr_why, const char *why)
{
    if (reterr_why)
        *reterr_why = why;
    return HG_FAIL(SYNTAX);
}

hg_result hg_listen_parse(struct hg_slice text, struct hg_listen *ret_listen, const char **reterr_why)
{
    size_t colon = text.len;
    while (colon > 0 && text.ptr[colon - 1] != ':')
        colon--;
    if (colon == 0)
        return refuse(reterr_why, "has no port");
    struct hg_slice host = hg_slice_first(text, colon - 1);
    uint32_t port;
    if (!hg_host_number(hg_slice_from(text, colon), UINT16_MAX, &port))
        return refuse(reterr_why, "has a port that is not a number from 0 to 65535");

    if (host.len > 0 && host.ptr[0] == '[') {
        if (host.len < 2 || host.ptr[host.len - 1] != ']')
            return refuse(reterr_why, "has no ] before its port");
        host = hg_slice(host.ptr + 1, host.len - 2);
        if (!hg_host_is_ipv6(host))
            return refuse(reterr_why, "has something else than an IPv6 address in brackets");
    } else if (hg_slice_is(host, "*")) {
        host = HG_SLICE_NULL;
    } else if (host.len > 0 && memchr(host.ptr, ':', host.len)) {
        return refuse(reterr_why, "has an IPv6 address without brackets, or something before the host");
    } else if (host.len > 0 && !hg_host_is_name(host)) {
        return refuse(reterr_why, "has a host that is neither a name nor an IP address");
    }

    *ret_listen = (struct hg_listen){.port = (uint16_t)port};
    if (host.len > 0)
        memcpy(ret_listen->host, host.ptr, host.len);
    return HG_OK;
}
