/* words.h – phrases for the log out of what peers said: one line of printable ASCII, bounded, without the password.
 * Ownership: fixed arrays, always terminated. Calls out: none. */
#ifndef HG_REDIS_WORDS_H
#define HG_REDIS_WORDS_H

#include "base/slice.h"

struct hg_phrase {
    char text[256];
};

/* Cut to fit; what is not printable ASCII becomes '?'. */
void hg_phrase_printf(struct hg_phrase *phrase, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* What Redis said in an error, fit for the log: at most 160 bytes; only its first word when the text repeats `secret`
 * (NULL: none); up to the first quotation when `quoting` is false, because some servers quote refused commands, cut
 * short. */
struct hg_phrase hg_server_words(struct hg_slice text, const char *secret, bool quoting);

#endif
