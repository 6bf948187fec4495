/* session_name.h – what a session is called: 128 bits that nobody guesses, written as 32 lower-case hexadecimal digits.
 * Calls out: none. */
#ifndef HG_WIRE_SESSION_NAME_H
#define HG_WIRE_SESSION_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define HG_SESSION_NAME_BYTES 32

struct hg_session_name {
    uint64_t high, low;
};

/* Writes HG_SESSION_NAME_BYTES bytes, no NUL. */
void hg_session_name_write(struct hg_session_name name, char *to);
/* Exactly what is written above; false for anything else. */
bool hg_session_name_parse(struct hg_slice text, struct hg_session_name *ret_name);

#endif
