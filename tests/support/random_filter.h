/* random_filter.h – filters and events by chance, from few names and values, so that they often meet. */
#ifndef HGT_SUPPORT_RANDOM_FILTER_H
#define HGT_SUPPORT_RANDOM_FILTER_H

#include "base/buf.h"
#include "base/prng.h"

static inline const char *random_of(struct hg_prng *prng, const char *const *words, size_t count)
{
    return words[hg_prng_below(prng, count)];
}
#define RANDOM_OF(prng, words) random_of(prng, words, sizeof(words) / sizeof(words[0]))

static inline void random_path(struct hg_prng *prng, bool strict, struct hg_buf *into)
{
    static const char *const plain[] = {"a",    "b",      "id",   "type", "subject", "topic",
                                        "time", "SOURCE", "data", "c1",   "xyz"};
    static const char *const deep[] = {
        "data.x",    "data.y",           "data.items[0]", "data.items[1].k", "data[\"odd name\"]",
        "eventType", "data.\xc3\xa9",    "data.x.y",      "[\"in\"]",        "data.items",
        "a.b",       "data['q\\'\"uo']", "timestamp",     "eventId",         "Type"};
    hg_buf_put_str(into, strict || hg_prng_chance(prng, 40) ? RANDOM_OF(prng, plain) : RANDOM_OF(prng, deep));
}

static inline void random_text(struct hg_prng *prng, struct hg_buf *into)
{
    static const char *const texts[] = {"''",           "'abc'",   "\"abc\"",      "'5'",      "'true'",
                                        "'a\xc3\xa9%'", "'FALSE'", "'-7'",         "'1.5'",    "'ab\\'c'",
                                        "'a\\\\b'",     "'1e2'",   "'\xc3\x84z '", "'x'",      "' 5'",
                                        "'2147483648'", "'a\\_b'", "'order.eu'",   "'O''Neil'"};
    hg_buf_put_str(into, RANDOM_OF(prng, texts));
}

static inline void random_constant(struct hg_prng *prng, bool strict, struct hg_buf *into)
{
    static const char *const plain[] = {"0",     "1",          "5",           "-7", "100", "TRUE",
                                        "false", "2147483647", "-2147483648", "+3", "07"};
    static const char *const more[] = {"1.5", "NULL",       "9223372036854775807",  "-0.25",
                                       "1e2", "2147483648", "12345678901234567890", "null"};
    if (hg_prng_chance(prng, 45))
        random_text(prng, into);
    else
        hg_buf_put_str(into, strict || hg_prng_chance(prng, 60) ? RANDOM_OF(prng, plain) : RANDOM_OF(prng, more));
}

static inline void random_pattern(struct hg_prng *prng, struct hg_buf *into)
{
    static const char *const pieces[] = {"%", "_",        "a", "b",  "abc",  "\\%", "\\_",
                                         "5", "\xc3\xa9", ".", "%%", "\\\\", "o"};
    hg_buf_put_char(into, '\'');
    for (uint64_t n = hg_prng_below(prng, 5); n > 0; n--)
        hg_buf_put_str(into, RANDOM_OF(prng, pieces));
    hg_buf_put_char(into, '\'');
}

/* Any expression; `depth` bounds it. */
static inline void random_expression(struct hg_prng *prng, unsigned depth, bool strict, struct hg_buf *into)
{
    static const char *const compare[] = {" = ", " != ", "<>", " < ", "<=", " > ", ">= "};
    static const char *const logic[] = {" AND ", " or ", " XOR ", " AND ", " OR "};
    static const char *const math[] = {" + ", " - ", " * ", " / ", " % "};
    static const char *const one[] = {"LENGTH(", "lower(",  "UPPER(",  "TRIM(",    "ABS(",   "INT(",
                                      "BOOL(",   "STRING(", "IS_INT(", "is_bool(", "CONCAT("};
    static const char *const two[] = {"LEFT(", "RIGHT(", "SUBSTRING(", "CONCAT_WS(", "CONCAT("};
    unsigned below = depth > 0 ? depth - 1 : 0;
    switch (depth == 0 ? hg_prng_below(prng, 3) : hg_prng_below(prng, 16)) {
    case 0:
        random_constant(prng, strict, into);
        break;
    case 1:
    case 2:
        random_path(prng, strict, into);
        break;
    case 3:
    case 4:
    case 5: /* what filters are mostly made of */
        random_path(prng, strict, into);
        hg_buf_put_str(into, RANDOM_OF(prng, compare));
        random_constant(prng, strict, into);
        break;
    case 6:
    case 7:
        hg_buf_put_char(into, '(');
        random_expression(prng, below, strict, into);
        for (uint64_t n = 1 + hg_prng_below(prng, 3); n > 0; n--) {
            hg_buf_put_str(into, RANDOM_OF(prng, logic));
            random_expression(prng, below, strict, into);
        }
        hg_buf_put_char(into, ')');
        break;
    case 8:
        hg_buf_put_str(into, "NOT ");
        hg_buf_put_str(into, hg_prng_chance(prng, 50) ? "(" : "NOT (");
        random_expression(prng, below, strict, into);
        hg_buf_put_char(into, ')');
        break;
    case 9:
        hg_buf_put_str(into, "EXISTS ");
        random_path(prng, strict, into);
        break;
    case 10:
    case 11:
        hg_prng_chance(prng, 80) ? random_path(prng, strict, into) : random_expression(prng, 0, strict, into);
        hg_buf_put_str(into, hg_prng_chance(prng, 70) ? " LIKE " : " not like ");
        random_pattern(prng, into);
        break;
    case 12:
        random_path(prng, strict, into);
        hg_buf_put_str(into, hg_prng_chance(prng, 70) ? " IN (" : " NOT IN (");
        for (uint64_t n = hg_prng_below(prng, 4); n > 0; n--) {
            hg_prng_chance(prng, 85) ? random_constant(prng, strict, into) : random_expression(prng, 0, strict, into);
            hg_buf_put_str(into, ", ");
        }
        random_constant(prng, strict, into);
        hg_buf_put_char(into, ')');
        break;
    case 13:
        hg_buf_put_char(into, '(');
        random_expression(prng, below, strict, into);
        hg_buf_put_str(into, hg_prng_chance(prng, 50) ? RANDOM_OF(prng, compare) : RANDOM_OF(prng, math));
        random_expression(prng, below, strict, into);
        hg_buf_put_char(into, ')');
        break;
    case 14:
        hg_buf_put_str(into, hg_prng_chance(prng, 20) ? "-" : RANDOM_OF(prng, one));
        if (into->ptr[into->len - 1] == '-')
            hg_buf_put_char(into, '(');
        random_expression(prng, below, strict, into);
        hg_buf_put_char(into, ')');
        break;
    default:
        hg_buf_put_str(into, RANDOM_OF(prng, two));
        random_expression(prng, below, strict, into);
        hg_buf_put_str(into, ", ");
        random_expression(prng, below, strict, into);
        hg_buf_put_char(into, ')');
    }
}

/* A filter object as JSON. */
static inline void random_object(struct hg_prng *prng, unsigned depth, struct hg_buf *into)
{
    static const char *const pairs[] = {"exact", "prefix", "suffix"};
    static const char *const names[] = {"a", "type", "data.x", "subject", "topic", "data.items[0]"};
    static const char *const texts[] = {"\"abc\"", "\"5\"", "\"a%\"", "\"a\\\\\"", "\"b_\"", "\"true\"", "\"o\""};
    switch (hg_prng_below(prng, depth == 0 ? 3 : 7)) {
    case 0:
    case 1:
        hg_buf_printf(into, "{\"%s\":{\"%s\":%s", RANDOM_OF(prng, pairs), RANDOM_OF(prng, names),
                      RANDOM_OF(prng, texts));
        if (hg_prng_chance(prng, 30))
            hg_buf_printf(into, ",\"%s\":%s", RANDOM_OF(prng, names), RANDOM_OF(prng, texts));
        hg_buf_put_str(into, "}}");
        break;
    case 2: {
        struct hg_buf text;
        hg_buf_init(&text, 1 << 16);
        random_expression(prng, depth, true, &text);
        hg_buf_put_str(into, "{\"sql\":");
        hg_json_put_string(into, hg_buf_slice(&text));
        hg_buf_put_char(into, '}');
        hg_buf_done(&text);
        break;
    }
    case 3:
        hg_buf_put_str(into, "{\"not\":");
        random_object(prng, depth - 1, into);
        hg_buf_put_char(into, '}');
        break;
    default:
        hg_buf_put_str(into, hg_prng_chance(prng, 50) ? "{\"all\":[" : "{\"any\":[");
        for (uint64_t n = hg_prng_below(prng, 3); n > 0; n--) {
            random_object(prng, depth - 1, into);
            hg_buf_put_char(into, ',');
        }
        random_object(prng, depth - 1, into);
        hg_buf_put_str(into, "]}");
    }
}

static inline void random_json_value(struct hg_prng *prng, unsigned depth, struct hg_buf *into);

static inline void random_members(struct hg_prng *prng, unsigned depth, struct hg_buf *into)
{
    static const char *const names[] = {"a",       "b",     "id",        "type",     "eventType", "eventId",
                                        "subject", "time",  "timestamp", "source",   "x",         "y",
                                        "k",       "items", "odd name",  "\xc3\xa9", "in",        "c1",
                                        "topic",   "data",  "\\u0061",   "q'\\\"uo", "xyz"};
    hg_buf_put_char(into, '{');
    for (uint64_t n = hg_prng_below(prng, 7), i = 0; i < n; i++) {
        hg_buf_printf(into, "%s%s\"%s\"%s:", i > 0 ? "," : "", hg_prng_chance(prng, 20) ? " " : "",
                      RANDOM_OF(prng, names), hg_prng_chance(prng, 20) ? "\n" : "");
        random_json_value(prng, depth, into);
    }
    hg_buf_put_char(into, '}');
}

static inline void random_json_value(struct hg_prng *prng, unsigned depth, struct hg_buf *into)
{
    static const char *const scalars[] = {"0",
                                          "1",
                                          "5",
                                          "-7",
                                          "100",
                                          "1.5",
                                          "true",
                                          "false",
                                          "null",
                                          "\"\"",
                                          "\"abc\"",
                                          "\"5\"",
                                          "\"x\"",
                                          "\"true\"",
                                          "1e2",
                                          "2147483648",
                                          "\"1.5\"",
                                          "\"ab'c\"",
                                          "\"a\\\\b\"",
                                          "-0.25",
                                          "1e999",
                                          "\"\\ud800\"",
                                          "\"\\u0061bc\"",
                                          "\"a\xc3\xa9%\"",
                                          "12345678901234567890",
                                          "9223372036854775807",
                                          "\"order.eu\"",
                                          "\"\xc3\xa4Z\\t\"",
                                          "0.0",
                                          "5.0"};
    uint64_t kind = depth == 0 ? 0 : hg_prng_below(prng, 8);
    if (kind == 1) {
        random_members(prng, depth - 1, into);
    } else if (kind == 2) {
        hg_buf_put_char(into, '[');
        for (uint64_t n = hg_prng_below(prng, 4), i = 0; i < n; i++) {
            hg_buf_put_str(into, i > 0 ? ", " : "");
            random_json_value(prng, depth - 1, into);
        }
        hg_buf_put_char(into, ']');
    } else {
        hg_buf_put_str(into, RANDOM_OF(prng, scalars));
    }
}

/* An event: mostly an object with data. */
static inline void random_event(struct hg_prng *prng, struct hg_buf *into)
{
    if (hg_prng_chance(prng, 2)) {
        random_json_value(prng, 2, into);
        return;
    }
    random_members(prng, 2, into);
    if (hg_prng_chance(prng, 70)) {
        hg_buf_truncate(into, into->len - 1);
        hg_buf_put_str(into, into->ptr[into->len - 1] == '{' ? "\"data\":" : ",\"data\":");
        random_members(prng, 3, into);
        hg_buf_put_char(into, '}');
    }
}

#endif
