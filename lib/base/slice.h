/* slice.h – borrowed bytes: pointer and length, valid for the call they are passed to unless a header says longer.
 * Not terminated by NUL. The empty slice may have a null pointer. Calls out: none. */
#ifndef HG_BASE_SLICE_H
#define HG_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct hg_slice {
    const char *ptr;
    size_t len;
};

#define HG_SLICE_NULL       ((struct hg_slice){NULL, 0})
#define HG_LIT(literal)     ((struct hg_slice){"" literal, sizeof(literal) - 1})
#define HG_SLICE_ARG(slice) (int)(slice).len, (slice).ptr ? (slice).ptr : "" /* for "%.*s" */

static inline struct hg_slice hg_slice(const void *ptr, size_t len)
{
    return (struct hg_slice){ptr, len};
}

static inline struct hg_slice hg_slice_str(const char *text)
{
    return (struct hg_slice){text, strlen(text)};
}

static inline bool hg_slice_eq(struct hg_slice a, struct hg_slice b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool hg_slice_is(struct hg_slice a, const char *text)
{
    return hg_slice_eq(a, hg_slice_str(text));
}

static inline bool hg_slice_starts(struct hg_slice a, struct hg_slice prefix)
{
    return a.len >= prefix.len && (prefix.len == 0 || memcmp(a.ptr, prefix.ptr, prefix.len) == 0);
}

/* The bytes from `from` (clamped) to the end. */
static inline struct hg_slice hg_slice_from(struct hg_slice a, size_t from)
{
    if (from > a.len)
        from = a.len;
    return (struct hg_slice){a.ptr ? a.ptr + from : NULL, a.len - from};
}

static inline struct hg_slice hg_slice_first(struct hg_slice a, size_t len)
{
    return (struct hg_slice){a.ptr, len < a.len ? len : a.len};
}

#endif
