/* fuzz_redis_url.c – a URL is accepted with a host or a path, or refused with a phrase; what is shown of it holds no
 * password. */
#include <stdint.h>
#include <stdlib.h>

#include "base/assert.h"
#include "config/listen.h"
#include "config/redis_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct hg_slice text = hg_slice(data, size);
    struct hg_redis_url url, masked_url;
    struct hg_buf masked;
    const char *why = NULL;
    hg_buf_init(&masked, size + 4);
    hg_redis_url_mask(text, &masked);
    HG_ASSERT(hg_ok(hg_buf_result(&masked)));
    if (hg_ok(hg_redis_url_parse(text, &url, &why))) {
        HG_ASSERT(!url.host != !url.path);
        HG_ASSERT(url.path || url.port > 0);
        HG_ASSERT(!url.path || url.path[0] == '/');
        /* The masked URL is the same but for the password. */
        HG_ASSERT(hg_ok(hg_redis_url_parse(hg_buf_slice(&masked), &masked_url, NULL)));
        if (url.password && url.password[0] != '\0')
            HG_ASSERT(strcmp(masked_url.password, "***") == 0);
        HG_ASSERT(!url.host || strcmp(url.host, masked_url.host) == 0);
        HG_ASSERT(!url.path || strcmp(url.path, masked_url.path) == 0);
        HG_ASSERT(!url.user || strcmp(url.user, masked_url.user) == 0);
        HG_ASSERT(url.db == masked_url.db && url.port == masked_url.port);
        hg_redis_url_done(&url);
        hg_redis_url_done(&masked_url);
    } else {
        HG_ASSERT(why);
    }
    hg_buf_done(&masked);

    struct hg_listen listen;
    why = NULL;
    HG_ASSERT(hg_ok(hg_listen_parse(text, &listen, &why)) || why);
    return 0;
}
