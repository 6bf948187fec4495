#include "filter/value.h"

#include "base/assert.h"

#define DIGITS_MAX   18
#define EXPONENT_MAX 400

typedef __int128 wide;

/* clang-format off */
static const int64_t power[] = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000, 10000000000, 100000000000, 1000000000000,
    10000000000000, 100000000000000, 1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000,
};
/* clang-format on */

const char *hg_value_error_name(enum hg_value_error error)
{
    static const char *const names[] = {
        [HG_VALUE_OK] = "",
        [HG_VALUE_MATH] = "math",
        [HG_VALUE_CAST] = "cast",
        [HG_VALUE_MISSING] = "missingAttribute",
        [HG_VALUE_NO_FUNCTION] = "missingFunction",
        [HG_VALUE_EVALUATION] = "functionEvaluation",
    };
    return names[error];
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Brings number × 10^exponent into our form. False when it lies out of range. */
static bool settle(wide number, int exponent, struct hg_value *ret_value)
{
    wide magnitude = number < 0 ? -number : number;
    if (number == 0) {
        *ret_value = hg_value_int(0);
        return true;
    }
    while (magnitude % 10 == 0) {
        magnitude /= 10;
        exponent++;
    }
    /* Whole and within 64 bits? */
    wide whole = magnitude;
    int left = exponent;
    for (; left > 0 && whole <= INT64_MAX; left--)
        whole *= 10;
    if (left == 0 && (number < 0 ? -whole >= INT64_MIN : whole <= INT64_MAX)) {
        *ret_value = hg_value_int((int64_t)(number < 0 ? -whole : whole));
        return true;
    }
    if (magnitude >= power[DIGITS_MAX]) {
        wide last = 0;
        while (magnitude >= power[DIGITS_MAX]) {
            last = magnitude % 10;
            magnitude /= 10;
            exponent++;
        }
        /* Only the last digit that fell decides: what fell before it cannot lift a 4 over the half. */
        if (last >= 5)
            magnitude++;
        return settle(number < 0 ? -magnitude : magnitude, exponent, ret_value);
    }
    if (exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
        return false;
    *ret_value = (struct hg_value){.type = HG_VALUE_DECIMAL,
                                   .exponent = (int16_t)exponent,
                                   .number = (int64_t)(number < 0 ? -magnitude : magnitude)};
    return true;
}

bool hg_number_parse_int(struct hg_slice text, int64_t *ret_number)
{
    size_t at = text.len > 1 && (text.ptr[0] == '-' || text.ptr[0] == '+');
    bool negative = at > 0 && text.ptr[0] == '-';
    int64_t number = 0;
    if (text.len == 0)
        return false;
    for (; at < text.len; at++) {
        if (!is_digit(text.ptr[at]))
            return false;
        int digit = text.ptr[at] - '0';
        if (__builtin_mul_overflow(number, 10, &number) ||
            __builtin_add_overflow(number, negative ? -digit : digit, &number))
            return false;
    }
    *ret_number = number;
    return true;
}

bool hg_number_parse(struct hg_slice text, struct hg_value *ret_value)
{
    int64_t whole;
    if (text.len == 0)
        return false;
    if (hg_number_parse_int(text, &whole)) {
        *ret_value = hg_value_int(whole);
        return true;
    }
    const char *at = text.ptr, *end = text.ptr + text.len;
    bool negative = at < end && *at == '-';
    if (at < end && (*at == '-' || *at == '+'))
        at++;
    /* Nineteen digits are kept, so that the one that rounds is among them; the others only move the exponent. */
    wide number = 0;
    int exponent = 0;
    bool digits = false;
    for (bool fraction = false; at < end && (is_digit(*at) || (*at == '.' && !fraction && digits)); at++) {
        if (*at == '.') {
            fraction = true;
            if (at + 1 == end || !is_digit(at[1]))
                return false;
            continue;
        }
        digits = true;
        if (number < power[DIGITS_MAX]) {
            number = number * 10 + (*at - '0');
            exponent -= fraction;
        } else {
            exponent += !fraction;
        }
        if (exponent > 1000000 || exponent < -1000000)
            return false;
    }
    if (!digits)
        return false;
    if (at < end && (*at == 'e' || *at == 'E')) {
        int64_t given = 0;
        at++;
        bool down = at < end && *at == '-';
        if (at < end && (*at == '-' || *at == '+'))
            at++;
        if (at == end)
            return false;
        for (; at < end && is_digit(*at); at++)
            given = given < 10000000 ? given * 10 + (*at - '0') : given;
        exponent += (int)(down ? -given : given);
    }
    return at == end && settle(negative ? -number : number, exponent, ret_value);
}

static int digit_count(int64_t number)
{
    uint64_t magnitude = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
    int count = 1;
    while (count <= DIGITS_MAX && magnitude >= (uint64_t)power[count])
        count++;
    return count;
}

int hg_number_compare(struct hg_value a, struct hg_value b)
{
    if (a.type == HG_VALUE_INT && b.type == HG_VALUE_INT)
        return (a.number > b.number) - (a.number < b.number);
    int sign_a = (a.number > 0) - (a.number < 0), sign_b = (b.number > 0) - (b.number < 0);
    if (sign_a != sign_b || sign_a == 0)
        return (sign_a > sign_b) - (sign_a < sign_b);
    int size_a = digit_count(a.number) + a.exponent, size_b = digit_count(b.number) + b.exponent;
    if (size_a != size_b)
        return size_a > size_b ? sign_a : -sign_a;
    wide wide_a = a.number, wide_b = b.number;
    /* Of the same size and at most nineteen digits each: the exponents differ by eighteen at most. */
    if (a.exponent > b.exponent)
        wide_a *= power[a.exponent - b.exponent];
    else
        wide_b *= power[b.exponent - a.exponent];
    return (wide_a > wide_b) - (wide_a < wide_b);
}

static bool add(struct hg_value a, struct hg_value b, struct hg_value *ret_sum)
{
    if (a.number == 0 || b.number == 0) {
        *ret_sum = a.number == 0 ? b : a;
        return true;
    }
    if (a.exponent < b.exponent) {
        struct hg_value other = a;
        a = b;
        b = other;
    }
    int apart = a.exponent - b.exponent;
    if (apart <= DIGITS_MAX)
        return settle((wide)a.number * power[apart] + b.number, b.exponent, ret_sum);
    /* The smaller one begins behind the digits that are kept, or nearly. */
    int behind = apart - DIGITS_MAX;
    wide rest = behind <= DIGITS_MAX ? b.number / power[behind] : 0;
    return settle((wide)a.number * power[DIGITS_MAX] + rest, a.exponent - DIGITS_MAX, ret_sum);
}

static bool divide(struct hg_value a, struct hg_value b, struct hg_value *ret_quotient)
{
    if (b.number == 0)
        return false;
    if (a.type == HG_VALUE_INT && b.type == HG_VALUE_INT)
        return settle((wide)a.number / b.number, 0, ret_quotient);
    wide dividend = a.number;
    int exponent = a.exponent;
    /* As many digits as there is room for: 10^36 fits into 127 bits. */
    while (dividend != 0 && dividend > -(wide)power[DIGITS_MAX] * power[17] &&
           dividend < (wide)power[DIGITS_MAX] * power[17]) {
        dividend *= 10;
        exponent--;
    }
    return settle(dividend / b.number, exponent - b.exponent, ret_quotient);
}

static bool modulo(struct hg_value a, struct hg_value b, struct hg_value *ret_rest)
{
    if (b.number == 0)
        return false;
    int apart = a.exponent - b.exponent;
    if (apart > DIGITS_MAX || apart < -DIGITS_MAX)
        return false;
    wide wide_a = a.number, wide_b = b.number;
    if (apart > 0)
        wide_a *= power[apart];
    else
        wide_b *= power[-apart];
    return settle(wide_a % wide_b, apart > 0 ? b.exponent : a.exponent, ret_rest);
}

struct hg_value hg_number_calculate(char operation, struct hg_value a, struct hg_value b)
{
    struct hg_value result;
    bool ok = false;
    switch (operation) {
    case '+':
        ok = add(a, b, &result);
        break;
    case '-':
        /* The least whole number has no opposite of 64 bits; settle() then makes it a decimal. */
        if (a.type == HG_VALUE_INT && b.type == HG_VALUE_INT)
            ok = settle((wide)a.number - b.number, 0, &result);
        else
            ok = settle(-(wide)b.number, b.exponent, &b) && add(a, b, &result);
        break;
    case '*':
        ok = settle((wide)a.number * b.number, a.exponent + b.exponent, &result);
        break;
    case '/':
        ok = divide(a, b, &result);
        break;
    case '%':
        ok = modulo(a, b, &result);
        break;
    default:
        HG_UNREACHABLE();
    }
    return ok ? result : hg_value_fail(HG_VALUE_INT, HG_VALUE_MATH);
}

struct hg_value hg_number_truncate(struct hg_value number)
{
    if (number.type == HG_VALUE_INT)
        return number;
    if (number.exponent >= 0) /* else it would be INT already */
        return hg_value_fail(HG_VALUE_INT, HG_VALUE_CAST);
    return hg_value_int(number.exponent < -DIGITS_MAX ? 0 : number.number / power[-number.exponent]);
}

static size_t put_digits(uint64_t magnitude, char *out)
{
    char back[20];
    size_t count = 0, len = 0;
    do {
        back[count++] = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude > 0);
    while (count > 0)
        out[len++] = back[--count];
    return len;
}

size_t hg_number_format(struct hg_value number, char out[HG_NUMBER_TEXT_MAX])
{
    char digits[20];
    size_t len = 0,
           count = put_digits(number.number < 0 ? 0 - (uint64_t)number.number : (uint64_t)number.number, digits);
    if (number.number < 0)
        out[len++] = '-';
    int point = (int)count + number.exponent; /* digits in front of it */
    if (number.type == HG_VALUE_INT || (number.exponent < 0 && point > 0)) {
        size_t front = number.type == HG_VALUE_INT ? count : (size_t)point;
        memcpy(out + len, digits, front);
        len += front;
        if (front < count) {
            out[len++] = '.';
            memcpy(out + len, digits + front, count - front);
            len += count - front;
        }
    } else if (number.exponent < 0 && point > -6) {
        out[len++] = '0';
        out[len++] = '.';
        for (; point < 0; point++)
            out[len++] = '0';
        memcpy(out + len, digits, count);
        len += count;
    } else {
        out[len++] = digits[0];
        if (count > 1) {
            out[len++] = '.';
            memcpy(out + len, digits + 1, count - 1);
            len += count - 1;
        }
        out[len++] = 'e';
        int exponent = point - 1;
        if (exponent < 0)
            out[len++] = '-';
        len += put_digits((uint64_t)(exponent < 0 ? -exponent : exponent), out + len);
    }
    return len;
}
