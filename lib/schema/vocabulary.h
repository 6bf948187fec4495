/* vocabulary.h – the keywords of draft 2020-12: what a value of each must be, and what becomes of it. Private to
 * schema. Ownership: all static. Calls out: none. */
#ifndef HG_SCHEMA_VOCABULARY_H
#define HG_SCHEMA_VOCABULARY_H

#include "base/slice.h"
#include "schema/rules.h"

enum hg_shape {
    HG_SHAPE_ANY,
    HG_SHAPE_BOOLEAN,
    HG_SHAPE_STRING,
    HG_SHAPE_ARRAY,
    HG_SHAPE_OBJECT,
    HG_SHAPE_NUMBER,
    HG_SHAPE_STEP,     /* a number above 0 */
    HG_SHAPE_COUNT,    /* a whole number from 0 */
    HG_SHAPE_TYPES,    /* the name of a type, or a list of them */
    HG_SHAPE_REGEX,    /* a string */
    HG_SHAPE_NAMES,    /* an array of strings, none twice */
    HG_SHAPE_NAMES_OF, /* an object of such */
    HG_SHAPE_SCHEMA,
    HG_SHAPE_SCHEMAS,   /* an array of schemas, not empty */
    HG_SHAPE_SCHEMA_OF, /* an object of schemas */
    HG_SHAPE_REGEX_OF,  /* the same, its names are regular expressions */
    HG_SHAPE_REFUSED,
};

enum hg_word {
    HG_WORD_CHECK,      /* `check` says what is asked */
    HG_WORD_ANNOTATION, /* nothing */
    HG_WORD_PROPERTIES,
    HG_WORD_PATTERN_PROPERTIES,
    HG_WORD_ADDITIONAL_PROPERTIES,
    HG_WORD_MIN_CONTAINS,
    HG_WORD_MAX_CONTAINS,
    HG_WORD_THEN,
    HG_WORD_ELSE,
    HG_WORD_SCHEMA,
    HG_WORD_ANCHOR,
};

struct hg_vocabulary_row {
    const char *name;
    enum hg_shape shape;
    enum hg_word word;
    enum hg_check check;
    const char *allowed; /* of a refused one: what is allowed instead */
};

/* NULL: no keyword. */
const struct hg_vocabulary_row *hg_vocabulary_find(struct hg_slice name);
/* The names in use, for suggestions; NULL behind the last. */
const char *hg_vocabulary_name(size_t i);

#endif
