/* rules.h – a schema as it is held against events. Private to schema.
 *
 * The document itself is the program: a rule is one schema within it, a keyword knows the node of its value there, and
 * `rule_of` leads from a node to its rule. Ownership: all of it is the schema's. Calls out: none. */
#ifndef HG_SCHEMA_RULES_H
#define HG_SCHEMA_RULES_H

#include "schema/decimal.h"
#include "schema/dom.h"
#include "schema/regex.h"
#include "schema/schema.h"

/* What is asked of a value, in the order in which it is asked: what is cheap and tells most comes first. */
enum hg_check {
    HG_CHECK_TYPE,
    HG_CHECK_CONST,
    HG_CHECK_ENUM,
    HG_CHECK_MULTIPLE_OF,
    HG_CHECK_MAXIMUM,
    HG_CHECK_EXCLUSIVE_MAXIMUM,
    HG_CHECK_MINIMUM,
    HG_CHECK_EXCLUSIVE_MINIMUM,
    HG_CHECK_MAX_LENGTH,
    HG_CHECK_MIN_LENGTH,
    HG_CHECK_PATTERN,
    HG_CHECK_MAX_ITEMS,
    HG_CHECK_MIN_ITEMS,
    HG_CHECK_MAX_PROPERTIES,
    HG_CHECK_MIN_PROPERTIES,
    HG_CHECK_MEMBERS, /* properties, patternProperties and additionalProperties together */
    HG_CHECK_REQUIRED,
    HG_CHECK_DEPENDENT_REQUIRED,
    HG_CHECK_PROPERTY_NAMES,
    HG_CHECK_PREFIX_ITEMS,
    HG_CHECK_ITEMS,
    HG_CHECK_UNIQUE_ITEMS,
    HG_CHECK_CONTAINS, /* with minContains and maxContains */
    HG_CHECK_REF,
    HG_CHECK_ALL_OF,
    HG_CHECK_ANY_OF,
    HG_CHECK_ONE_OF,
    HG_CHECK_NOT,
    HG_CHECK_IF, /* with then and else */
    HG_CHECK_DEPENDENT_SCHEMAS,
    HG_CHECK_UNEVALUATED_ITEMS,
    HG_CHECK_UNEVALUATED_PROPERTIES,
    HG_CHECK__COUNT
};

/* A bit for each type; a whole number has both bits. */
enum hg_types {
    HG_TYPE_NULL = 1,
    HG_TYPE_BOOLEAN = 2,
    HG_TYPE_OBJECT = 4,
    HG_TYPE_ARRAY = 8,
    HG_TYPE_NUMBER = 16,
    HG_TYPE_STRING = 32,
    HG_TYPE_INTEGER = 64,
};

#define HG_RULE_NONE UINT32_MAX

struct hg_keyword {
    enum hg_check check;
    uint32_t place; /* node of its value; of MEMBERS, of `properties`, or NONE */
    union {
        uint32_t types;
        uint64_t count; /* UINT64_MAX stands for anything larger */
        struct {
            uint64_t digits;
            int64_t exponent;
        } step;
        const struct hg_regex *regex;
        uint32_t *sorted; /* the elements of `enum` */
        uint32_t rule;    /* of not, items, propertyNames, unevaluated…, $ref */
        struct {
            uint32_t patterns; /* node of `patternProperties`, or NONE */
            uint32_t regexes;  /* number of its first regex; the others follow in order */
            uint32_t others;   /* rule of `additionalProperties`, or NONE */
            bool telling;      /* a property has `const` or `enum`: such are asked first, for their faults tell most */
        } members;
        struct {
            uint32_t rule, from; /* the first element it is for */
        } items;
        struct {
            uint64_t least, most;
            uint32_t rule;
        } contains;
        struct {
            uint32_t condition, then, otherwise; /* rules, or NONE */
        } branch;
    } u;
};

enum hg_rule_kind { HG_RULE_KEYWORDS, HG_RULE_ALL, HG_RULE_NOTHING };

struct hg_rule {
    enum hg_rule_kind kind;
    bool telling; /* has `const` or `enum` */
    uint16_t count;
    uint32_t first; /* of its keywords */
    uint32_t place;
    uint32_t resource;
};

/* A schema with an $id, or the whole document: what references and anchors within it start from. */
struct hg_resource {
    uint32_t place;
    char *uri; /* without a fragment; empty: the document has no $id */
    size_t uri_len;
};

struct hg_schema {
    char *text;
    struct hg_dom dom;
    uint32_t *rule_of; /* for each node of the document */
    struct hg_rule *rules;
    uint32_t rule_count, rule_capacity;
    struct hg_keyword *keywords;
    uint32_t keyword_count, keyword_capacity;
    struct hg_regex **regexes;
    uint32_t regex_count, regex_capacity;
    struct hg_resource *resources;
    uint32_t resource_count, resource_capacity;
};

/* Calls visit for every rule that the keyword applies to the same value as its own rule; stops with false when that
 * does. */
bool hg_keyword_each_in_place(const struct hg_schema *schema, const struct hg_keyword *keyword,
                              bool (*visit)(void *context, uint32_t rule), void *context);

#endif
