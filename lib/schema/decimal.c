#include "schema/decimal.h"

#include "base/assert.h"

__extension__ typedef unsigned __int128 wide;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The exponent behind `e`; false when it is out of bounds. */
static bool read_exponent(const char *at, const char *end, int64_t *ret_exponent)
{
    bool negative = *at == '-';
    int64_t exponent = 0;
    if (*at == '-' || *at == '+')
        at++;
    for (; at < end; at++) {
        exponent = exponent * 10 + (*at - '0');
        if (exponent > HG_DECIMAL_EXPONENT_MAX)
            return false;
    }
    *ret_exponent = negative ? -exponent : exponent;
    return true;
}

bool hg_decimal_read(struct hg_slice text, struct hg_decimal *ret_number)
{
    const char *at = text.ptr, *end = text.ptr + text.len;
    struct hg_decimal n = {.negative = *at == '-'};
    int64_t exponent = 0, past_last = 0; /* digits behind the last significant one that stand in front of the point */
    bool point = false;

    for (at += n.negative; at < end && *at != 'e' && *at != 'E'; at++) {
        if (*at == '.') {
            point = true;
            continue;
        }
        exponent -= point;
        if (*at != '0') {
            if (!n.from)
                n.from = at;
            n.end = at + 1;
            n.exponent = exponent;
            past_last = 0;
        } else if (!point) {
            past_last++;
        }
    }
    int64_t written = 0;
    if (at < end && !read_exponent(at + 1, end, &written))
        return false;
    if (!n.from) {
        *ret_number = (struct hg_decimal){.exponent = 0};
        return true;
    }
    bool inside = memchr(n.from, '.', (size_t)(n.end - n.from)) != NULL;
    n.digits = (uint64_t)(n.end - n.from) - inside;
    n.exponent += past_last + written;
    *ret_number = n;
    return true;
}

/* The next significant digit; 0 behind the last. */
static int take_digit(const char **at, const char *end)
{
    if (*at < end && **at == '.')
        ++*at;
    return *at < end ? *(*at)++ - '0' : 0;
}

static int compare_size(const struct hg_decimal *a, const struct hg_decimal *b)
{
    if (a->digits == 0 || b->digits == 0)
        return (a->digits > 0) - (b->digits > 0);
    int64_t a_top = a->exponent + (int64_t)a->digits, b_top = b->exponent + (int64_t)b->digits;
    if (a_top != b_top)
        return a_top < b_top ? -1 : 1;
    const char *x = a->from, *y = b->from;
    while (x < a->end || y < b->end) {
        int difference = take_digit(&x, a->end) - take_digit(&y, b->end);
        if (difference != 0)
            return difference;
    }
    return 0;
}

int hg_decimal_compare(const struct hg_decimal *a, const struct hg_decimal *b)
{
    if (a->negative != b->negative)
        return a->negative ? -1 : 1;
    return a->negative ? compare_size(b, a) : compare_size(a, b);
}

bool hg_decimal_is_whole(const struct hg_decimal *number)
{
    return number->digits == 0 || number->exponent >= 0;
}

bool hg_decimal_u64(const struct hg_decimal *number, uint64_t *ret_number)
{
    uint64_t value = 0;
    if (number->negative || !hg_decimal_is_whole(number) || (int64_t)number->digits + number->exponent > 20)
        return false;
    const char *at = number->from;
    for (uint64_t i = 0; i < number->digits + (uint64_t)number->exponent; i++) {
        wide next = (wide)value * 10 + (unsigned)take_digit(&at, number->end);
        if (next > UINT64_MAX)
            return false;
        value = (uint64_t)next;
    }
    *ret_number = value;
    return true;
}

/* 10^power modulo `modulus`. */
static uint64_t power_of_ten(uint64_t power, uint64_t modulus)
{
    wide result = 1 % modulus, base = 10 % modulus;
    for (; power > 0; power /= 2) {
        if (power % 2 == 1)
            result = result * base % modulus;
        base = base * base % modulus;
    }
    return (uint64_t)result;
}

bool hg_decimal_is_multiple(const struct hg_decimal *number, uint64_t digits, int64_t exponent)
{
    HG_ASSERT(digits > 0 && digits <= 1000000000000000000u);
    if (number->digits == 0)
        return true;
    while (digits % 10 == 0) {
        digits /= 10;
        exponent++;
    }
    /* The last significant digit is not 0, so nothing finer than it divides it. */
    if (number->exponent < exponent)
        return false;
    uint64_t rest = 0;
    for (const char *at = number->from; at < number->end; at++)
        if (is_digit(*at))
            rest = (rest * 10 + (uint64_t)(*at - '0')) % digits;
    wide product = (wide)rest * power_of_ten((uint64_t)(number->exponent - exponent), digits);
    return product % digits == 0;
}
