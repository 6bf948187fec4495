#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"

void hg_buf_init(struct hg_buf *buf, size_t max)
{
    HG_ASSERT(max > 0);
    *buf = (struct hg_buf){.max = max};
}

void hg_buf_done(struct hg_buf *buf)
{
    free(buf->ptr);
    hg_buf_init(buf, buf->max);
}

void hg_buf_clear(struct hg_buf *buf)
{
    buf->len = 0;
    buf->error = HG_ERR_OK;
}

void hg_buf_reset(struct hg_buf *buf, size_t keep)
{
    if (buf->capacity > keep)
        hg_buf_done(buf);
    else
        hg_buf_clear(buf);
}

void hg_buf_trim(struct hg_buf *buf)
{
    if (buf->len == buf->capacity || buf->len == 0)
        return;
    char *ptr = realloc(buf->ptr, buf->len);
    if (!ptr)
        return;
    buf->ptr = ptr;
    buf->capacity = buf->len;
}

char *hg_buf_reserve(struct hg_buf *buf, size_t len)
{
    HG_ASSERT(buf->max > 0);
    if (buf->error != HG_ERR_OK)
        return NULL;
    if (len > buf->max || buf->len > buf->max - len) {
        buf->error = HG_ERR_TOO_BIG;
        return NULL;
    }
    size_t need = buf->len + len;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity < 64 ? 64 : buf->capacity;
        while (capacity < need)
            capacity = capacity > buf->max / 2 ? buf->max : capacity * 2;
        if (capacity < need)
            capacity = need;
        char *ptr = realloc(buf->ptr, capacity);
        if (!ptr) {
            buf->error = HG_ERR_NOMEM;
            return NULL;
        }
        buf->ptr = ptr;
        buf->capacity = capacity;
    }
    return buf->ptr + buf->len;
}

void hg_buf_put(struct hg_buf *buf, struct hg_slice bytes)
{
    if (bytes.len == 0)
        return;
    /* A frame is built by many small puts, nearly all of which find room. */
    bool roomy = buf->error == HG_ERR_OK && bytes.len <= buf->capacity - buf->len && bytes.len <= buf->max - buf->len;
    char *to = roomy ? buf->ptr + buf->len : hg_buf_reserve(buf, bytes.len);
    if (to) {
        memcpy(to, bytes.ptr, bytes.len);
        buf->len += bytes.len;
    }
}

void hg_buf_put_str(struct hg_buf *buf, const char *text)
{
    hg_buf_put(buf, hg_slice_str(text));
}

void hg_buf_put_char(struct hg_buf *buf, char c)
{
    hg_buf_put(buf, hg_slice(&c, 1));
}

void hg_buf_put_u64(struct hg_buf *buf, uint64_t number)
{
    char digits[20], *at = digits + sizeof(digits);
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    hg_buf_put(buf, hg_slice(at, (size_t)(digits + sizeof(digits) - at)));
}

void hg_buf_put_i64(struct hg_buf *buf, int64_t number)
{
    if (number < 0)
        hg_buf_put_char(buf, '-');
    hg_buf_put_u64(buf, number < 0 ? 0 - (uint64_t)number : (uint64_t)number);
}

void hg_buf_printf(struct hg_buf *buf, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    HG_ASSERT(len >= 0);
    char *to = hg_buf_reserve(buf, (size_t)len + 1);
    if (to) {
        vsnprintf(to, (size_t)len + 1, format, again);
        buf->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

void hg_buf_truncate(struct hg_buf *buf, size_t len)
{
    HG_ASSERT(len <= buf->len);
    buf->len = len;
    buf->error = HG_ERR_OK;
}

void hg_buf_consume(struct hg_buf *buf, size_t len)
{
    HG_ASSERT(len <= buf->len);
    if (len > 0 && len < buf->len)
        memmove(buf->ptr, buf->ptr + len, buf->len - len);
    buf->len -= len;
}

hg_result hg_buf_result(const struct hg_buf *buf)
{
    return (hg_result){buf->error};
}
