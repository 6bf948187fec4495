/* regex_program.h – a regular expression as instructions. Private to the regular expressions. Calls out: none. */
#ifndef HG_SCHEMA_REGEX_PROGRAM_H
#define HG_SCHEMA_REGEX_PROGRAM_H

#include "schema/regex.h"
#include "schema/regex_tree.h"

enum hg_regex_op {
    HG_REGEX_OP_CHAR,  /* takes the character a */
    HG_REGEX_OP_SET,   /* takes a character of set a */
    HG_REGEX_OP_SPLIT, /* goes on here and at a */
    HG_REGEX_OP_JUMP,  /* goes on at a */
    HG_REGEX_OP_BEGIN,
    HG_REGEX_OP_END,
    HG_REGEX_OP_WORD,
    HG_REGEX_OP_NOT_WORD,
    HG_REGEX_OP_LOOK,     /* goes on where look a holds */
    HG_REGEX_OP_NOT_LOOK, /* and where it does not */
    HG_REGEX_OP_MATCH,
};

struct hg_regex_instruction {
    enum hg_regex_op op;
    uint32_t a;
};

/* A look's program finds the places where it holds: a lookbehind's reads forwards and matches where the text it wants
 * ends; a lookahead's is written the other way round and reads backwards, to where that text begins. */
struct hg_regex_look_program {
    uint32_t start;
    bool backwards;
};

struct hg_regex {
    struct hg_regex_instruction *program;
    uint32_t count, capacity;
    uint32_t start;
    bool at_begin; /* a match can only begin where the text does */
    struct hg_charset *sets;
    uint32_t set_count;
    struct hg_regex_look_program looks[HG_REGEX_LOOKS_MAX]; /* inner ones first */
    uint32_t look_count;
};

#endif
