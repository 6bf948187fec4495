#include "wire/deflate_offer.h"

#include <string.h>

#include "base/assert.h"

enum { VALUE_BYTES_MAX = 2, BITS_LEAST = 8, BITS_MOST = 15 };

/* The parameters of RFC 7692, section 7.1; anything else, and anything twice, lets an offer fall. */
enum parameter { SERVER_NO_TAKEOVER = 1, CLIENT_NO_TAKEOVER = 2, SERVER_BITS = 4, CLIENT_BITS = 8, UNKNOWN = 0 };

/* One offer as it is read. */
struct offer {
    bool ours, acceptable;
    unsigned seen; /* enum parameter */
    unsigned server_bits;
};

/* A parameter's value without quotes; only what is short enough to be a number is kept. */
struct value {
    bool given;
    char text[VALUE_BYTES_MAX];
    size_t len;
};

static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_space(struct hg_slice *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        *rest = hg_slice_from(*rest, 1);
}

static bool take_char(struct hg_slice *rest, char c)
{
    skip_space(rest);
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    *rest = hg_slice_from(*rest, 1);
    skip_space(rest);
    return true;
}

static bool take_token(struct hg_slice *rest, struct hg_slice *ret_token)
{
    size_t len = 0;
    skip_space(rest);
    while (len < rest->len && is_token_char(rest->ptr[len]))
        len++;
    *ret_token = hg_slice_first(*rest, len);
    *rest = hg_slice_from(*rest, len);
    return len > 0;
}

static void put_value(struct value *value, char c)
{
    if (value->len < VALUE_BYTES_MAX)
        value->text[value->len] = c;
    value->len++;
}

/* Within quotes there stands a token, too (RFC 6455, section 9.1). */
static bool take_quoted(struct hg_slice *rest, struct value *value)
{
    for (;;) {
        if (rest->len == 0)
            return false;
        char c = rest->ptr[0];
        *rest = hg_slice_from(*rest, 1);
        if (c == '"')
            return value->len > 0;
        if (c == '\\') {
            if (rest->len == 0)
                return false;
            c = rest->ptr[0];
            *rest = hg_slice_from(*rest, 1);
        }
        if (!is_token_char(c))
            return false;
        put_value(value, c);
    }
}

static bool take_value(struct hg_slice *rest, struct value *value)
{
    value->given = true;
    if (rest->len > 0 && rest->ptr[0] == '"') {
        *rest = hg_slice_from(*rest, 1);
        return take_quoted(rest, value);
    }
    struct hg_slice token;
    if (!take_token(rest, &token))
        return false;
    for (size_t i = 0; i < token.len; i++)
        put_value(value, token.ptr[i]);
    return true;
}

/* 8 to 15 without leading zeros; 0: something else. */
static unsigned bits_of(const struct value *value)
{
    if (value->len == 0 || value->len > VALUE_BYTES_MAX || value->text[0] == '0')
        return 0;
    unsigned bits = 0;
    for (size_t i = 0; i < value->len; i++) {
        if (value->text[i] < '0' || value->text[i] > '9')
            return 0;
        bits = bits * 10 + (unsigned)(value->text[i] - '0');
    }
    return bits >= BITS_LEAST && bits <= BITS_MOST ? bits : 0;
}

static enum parameter parameter_of(struct hg_slice name)
{
    return hg_slice_is(name, "server_no_context_takeover")   ? SERVER_NO_TAKEOVER
           : hg_slice_is(name, "client_no_context_takeover") ? CLIENT_NO_TAKEOVER
           : hg_slice_is(name, "server_max_window_bits")     ? SERVER_BITS
           : hg_slice_is(name, "client_max_window_bits")     ? CLIENT_BITS
                                                             : UNKNOWN;
}

static void note_parameter(struct offer *offer, struct hg_slice name, const struct value *value)
{
    enum parameter parameter = parameter_of(name);
    bool good = false;
    switch (parameter) {
    case SERVER_NO_TAKEOVER:
    case CLIENT_NO_TAKEOVER:
        good = !value->given;
        break;
    case SERVER_BITS:
        offer->server_bits = bits_of(value);
        good = offer->server_bits > 0;
        break;
    case CLIENT_BITS: /* we can inflate what any window makes, and have nothing to ask for */
        good = !value->given || bits_of(value) > 0;
        break;
    case UNKNOWN:
        break;
    }
    if (!good || (offer->seen & parameter))
        offer->acceptable = false;
    offer->seen |= parameter;
}

/* One element of the list: its name, its parameters. */
static bool take_offer(struct hg_slice *rest, struct offer *offer)
{
    struct hg_slice name;
    if (!take_token(rest, &name))
        return false;
    *offer = (struct offer){.ours = hg_slice_is(name, HG_DEFLATE_EXTENSION), .acceptable = true};
    while (take_char(rest, ';')) {
        struct value value = {.given = false};
        if (!take_token(rest, &name))
            return false;
        if (take_char(rest, '=') && !take_value(rest, &value))
            return false;
        note_parameter(offer, name, &value);
    }
    return true;
}

hg_result hg_deflate_offer_choose(struct hg_slice field, unsigned window_bits, struct hg_deflate_terms *ret_terms)
{
    struct hg_deflate_terms terms = {.agreed = false};
    struct offer offer;
    HG_ASSERT(window_bits > BITS_LEAST && window_bits <= BITS_MOST);
    for (;;) {
        while (take_char(&field, ',')) { /* elements of a list may be empty (RFC 7230, section 7) */
        }
        if (field.len == 0)
            break;
        if (!take_offer(&field, &offer))
            return HG_FAIL(SYNTAX);
        if (field.len > 0 && field.ptr[0] != ',')
            return HG_FAIL(SYNTAX);
        if (!offer.ours)
            continue;
        terms.offers++;
        bool wide = !(offer.seen & SERVER_BITS) || offer.server_bits >= window_bits;
        if (!terms.agreed && offer.acceptable && wide) {
            terms.agreed = true;
            terms.window_bits = offer.seen & SERVER_BITS ? window_bits : 0;
        }
    }
    *ret_terms = terms;
    return HG_OK;
}

void hg_deflate_offer_answer(const struct hg_deflate_terms *terms, struct hg_buf *to)
{
    HG_ASSERT(terms->agreed);
    hg_buf_put_str(to, HG_DEFLATE_EXTENSION "; server_no_context_takeover; client_no_context_takeover");
    if (terms->window_bits == 0)
        return;
    hg_buf_put_str(to, "; server_max_window_bits=");
    hg_buf_put_u64(to, terms->window_bits);
}
