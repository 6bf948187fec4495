/* fuzz_config.c – a configuration is accepted or refused with one line; what is accepted survives dump and parse. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "config/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct hg_buf *why)
{
    HG_ASSERT(why->len > 0);
    for (size_t i = 0; i < why->len; i++)
        HG_ASSERT((unsigned char)why->ptr[i] >= 0x20 && why->ptr[i] != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_config *config, *back;
    struct hg_buf why, dump, again;
    hg_buf_init(&why, 1 << 20);
    hg_buf_init(&dump, 1 << 24);
    hg_buf_init(&again, 1 << 24);
    if (hg_ok(hg_config_parse(HG_LIT("fuzz"), hg_slice(data, size), &config, &why))) {
        HG_ASSERT(why.len == 0);
        hg_config_dump(config, false, &dump);
        HG_ASSERT(hg_ok(hg_config_parse(HG_LIT("dump"), hg_buf_slice(&dump), &back, &why)));
        hg_config_dump(back, false, &again);
        HG_ASSERT(hg_slice_eq(hg_buf_slice(&dump), hg_buf_slice(&again)));
        if (!hg_ok(hg_config_check(config, &why)))
            check_line(&why);
        hg_buf_clear(&again);
        hg_config_dump(config, true, &again);
        hg_config_free(config);
        hg_config_free(back);
    } else {
        check_line(&why);
    }
    hg_buf_done(&why);
    hg_buf_done(&dump);
    hg_buf_done(&again);
    return 0;
}
