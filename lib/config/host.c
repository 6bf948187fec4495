#include "config/host.h"

static bool is_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

bool hg_host_is_name(struct hg_slice host)
{
    for (size_t i = 0; i < host.len; i++)
        if (!is_alnum(host.ptr[i]) && host.ptr[i] != '-' && host.ptr[i] != '_' && host.ptr[i] != '.')
            return false;
    return host.len > 0 && host.len <= HG_HOST_BYTES_MAX;
}

bool hg_host_is_ipv6(struct hg_slice host)
{
    size_t i = 0, colons = 0;
    for (; i < host.len && host.ptr[i] != '%'; i++) {
        if (host.ptr[i] == ':')
            colons++;
        else if (!is_hex(host.ptr[i]) && host.ptr[i] != '.')
            return false;
    }
    if (i < host.len && !hg_host_is_name(hg_slice_from(host, i + 1)))
        return false;
    return colons >= 2 && colons <= 8 && host.len <= HG_HOST_BYTES_MAX;
}

bool hg_host_number(struct hg_slice text, uint32_t most, uint32_t *ret_number)
{
    uint64_t number = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9')
            return false;
        number = number * 10 + (uint64_t)(text.ptr[i] - '0');
        if (number > most)
            return false;
    }
    if (text.len == 0)
        return false;
    *ret_number = (uint32_t)number;
    return true;
}
