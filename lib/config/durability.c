#include "config/durability.h"

#include "base/assert.h"

#include "config/host.h"

static hg_result refuse(const char *why, const char **reterr_why)
{
    if (reterr_why)
        *reterr_why = why;
    return HG_FAIL(SYNTAX);
}

hg_result hg_durability_parse(struct hg_slice text, struct hg_durability *ret_durability, const char **reterr_why)
{
    struct hg_slice prefix = HG_LIT("replicas:");
    uint32_t replicas = 0;
    if (hg_slice_is(text, "memory")) {
        *ret_durability = (struct hg_durability){HG_DURABILITY_MEMORY, 0};
    } else if (hg_slice_is(text, "fsync")) {
        *ret_durability = (struct hg_durability){HG_DURABILITY_FSYNC, 0};
    } else if (hg_slice_starts(text, prefix)) {
        struct hg_slice digits = hg_slice_from(text, prefix.len);
        if (!hg_host_number(digits, HG_DURABILITY_REPLICAS_MAX, &replicas) || digits.ptr[0] == '0')
            return refuse("has no number of replicas from 1 to 100", reterr_why);
        *ret_durability = (struct hg_durability){HG_DURABILITY_REPLICAS, replicas};
    } else {
        return refuse(hg_slice_is(text, "replicas") ? "has no number of replicas from 1 to 100" : "is not known",
                      reterr_why);
    }
    return HG_OK;
}

void hg_durability_put(struct hg_durability durability, struct hg_buf *into)
{
    switch (durability.kind) {
    case HG_DURABILITY_MEMORY:
        hg_buf_put_str(into, "memory");
        break;
    case HG_DURABILITY_REPLICAS:
        hg_buf_put_str(into, "replicas:");
        hg_buf_put_u64(into, durability.replicas);
        break;
    case HG_DURABILITY_FSYNC:
        hg_buf_put_str(into, "fsync");
        break;
    case HG_DURABILITY__COUNT:
        HG_UNREACHABLE();
    }
}
