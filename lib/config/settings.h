/* settings.h – the tables of config.h as data: what parser, dump, documentation and messages walk over. Private to
 * config.
 *
 * Ownership: rows and their strings are static. Calls out: none. */
#ifndef HG_CONFIG_SETTINGS_H
#define HG_CONFIG_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/slice.h"
#include "config/config.h"

enum hg_setting_kind { HG_SETTING_TEXT, HG_SETTING_FLAG, HG_SETTING_LIST, HG_SETTING_NUMBER, HG_SETTING_ENUM };

struct hg_setting {
    const char *name;
    enum hg_setting_kind kind;
    size_t offset;             /* of the field in struct hg_config or struct hg_rule */
    uint64_t minimum, maximum; /* NUMBER */
    uint64_t number;           /* default of NUMBER, FLAG (0, 1) and ENUM (index of the choice) */
    const char *text;          /* default of TEXT; NULL: required */
    const char *unit;          /* of a NUMBER; what a TEXT or an element of a LIST is (kind.h), or its choices "a|b|c";
                                  the choices of an ENUM */
    const char *sentence;
};

/* More rows there are not in one table. */
#define HG_SETTINGS_MAX 64

struct hg_settings {
    const struct hg_setting *rows;
    size_t count;
};

/* The rows of struct hg_config (all but "topics") and of struct hg_rule. */
struct hg_settings hg_settings_of_config(void);
struct hg_settings hg_settings_of_rule(void);

/* The field of a row. `object` is the struct hg_config or struct hg_rule the row is of. */
char **hg_setting_text(const struct hg_setting *row, void *object);
bool *hg_setting_flag(const struct hg_setting *row, void *object);
struct hg_string_list *hg_setting_list(const struct hg_setting *row, void *object);
uint64_t *hg_setting_number(const struct hg_setting *row, void *object);
/* Which choice an ENUM is, whatever its C type. */
unsigned hg_setting_enum(const struct hg_setting *row, void *object);
void hg_setting_set_enum(const struct hg_setting *row, void *object, unsigned value);

/* All fields at their defaults; the fields held nothing before. */
HG_RESULT hg_settings_init(struct hg_settings settings, void *object);
/* Frees what the fields hold. */
void hg_settings_done(struct hg_settings settings, void *object);
void hg_string_list_done(struct hg_string_list *list);

/* Whether a TEXT row may be "", which says none. */
bool hg_setting_is_optional(const struct hg_setting *row);
/* Whether a row's unit is a list of choices, and the i-th of them; an empty slice past the last. */
bool hg_setting_has_choices(const struct hg_setting *row);
struct hg_slice hg_setting_choice(const struct hg_setting *row, size_t i);
/* Checks a TEXT row's value (`before` is NULL), or one element of a LIST row and whether it may stand behind those
 * `before` it. SYNTAX: not allowed; then `reterr_noun` and `reterr_why` make a phrase such as "the pattern" "is empty",
 * or both are NULL. NOMEM. */
HG_RESULT hg_setting_check(const struct hg_setting *row, const struct hg_string_list *before, struct hg_slice text,
                           const char **reterr_noun, const char **reterr_why);
/* Appends what is allowed, such as "a whole number from 1 to 10 (links)". */
void hg_setting_put_allowed(const struct hg_setting *row, struct hg_buf *into);
/* Whether a file may have it as a number, which is read as its text. */
bool hg_setting_may_be_number(const struct hg_setting *row);
/* Whether the text may hold a password that must not be shown. */
bool hg_setting_is_secret(const struct hg_setting *row);

#endif
