/* json_reference.h – jansson as an independent opinion on whether bytes are JSON.
 *
 * jansson refuses some texts that the grammar of RFC 8259 allows, because it must hold their values: numbers out of
 * range, names with NUL, escapes of lone surrogates. There it has no opinion that counts. Nesting: it goes to 2048
 * levels. */
#ifndef HGT_SUPPORT_JSON_REFERENCE_H
#define HGT_SUPPORT_JSON_REFERENCE_H

#include <string.h>

#include <jansson.h>

#include "base/slice.h"

enum hgt_opinion { HGT_JSON, HGT_NOT_JSON, HGT_NO_OPINION };

static inline enum hgt_opinion hgt_json_opinion(struct hg_slice text)
{
    if (text.len > 0 && memchr(text.ptr, '\0', text.len))
        return HGT_NOT_JSON;
    json_error_t error;
    json_t *value = json_loadb(text.ptr ? text.ptr : "", text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (value) {
        json_decref(value);
        return HGT_JSON;
    }
    switch (json_error_code(&error)) {
    case json_error_numeric_overflow:
    case json_error_null_byte_in_key:
    case json_error_null_character:
    case json_error_stack_overflow:
        return HGT_NO_OPINION;
    default:
        return strncmp(error.text, "invalid Unicode", 15) == 0 ? HGT_NO_OPINION : HGT_NOT_JSON;
    }
}

#endif
