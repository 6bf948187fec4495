#include "schema/vocabulary.h"

#define CHECK(name, shape, check)                                                                                      \
    {                                                                                                                  \
        name, HG_SHAPE_##shape, HG_WORD_CHECK, HG_CHECK_##check, NULL                                                  \
    }
#define WORD(name, shape, word)                                                                                        \
    {                                                                                                                  \
        name, HG_SHAPE_##shape, HG_WORD_##word, HG_CHECK__COUNT, NULL                                                  \
    }
#define NOTE(name, shape) WORD(name, shape, ANNOTATION)
#define REFUSED(name, allowed)                                                                                         \
    {                                                                                                                  \
        name, HG_SHAPE_REFUSED, HG_WORD_ANNOTATION, HG_CHECK__COUNT, allowed                                           \
    }

static const struct hg_vocabulary_row rows[] = {
    CHECK("type", TYPES, TYPE),
    CHECK("const", ANY, CONST),
    CHECK("enum", ARRAY, ENUM),
    CHECK("multipleOf", STEP, MULTIPLE_OF),
    CHECK("maximum", NUMBER, MAXIMUM),
    CHECK("exclusiveMaximum", NUMBER, EXCLUSIVE_MAXIMUM),
    CHECK("minimum", NUMBER, MINIMUM),
    CHECK("exclusiveMinimum", NUMBER, EXCLUSIVE_MINIMUM),
    CHECK("maxLength", COUNT, MAX_LENGTH),
    CHECK("minLength", COUNT, MIN_LENGTH),
    CHECK("pattern", REGEX, PATTERN),
    CHECK("maxItems", COUNT, MAX_ITEMS),
    CHECK("minItems", COUNT, MIN_ITEMS),
    CHECK("uniqueItems", BOOLEAN, UNIQUE_ITEMS),
    CHECK("contains", SCHEMA, CONTAINS),
    WORD("maxContains", COUNT, MAX_CONTAINS),
    WORD("minContains", COUNT, MIN_CONTAINS),
    CHECK("maxProperties", COUNT, MAX_PROPERTIES),
    CHECK("minProperties", COUNT, MIN_PROPERTIES),
    CHECK("required", NAMES, REQUIRED),
    CHECK("dependentRequired", NAMES_OF, DEPENDENT_REQUIRED),
    WORD("properties", SCHEMA_OF, PROPERTIES),
    WORD("patternProperties", REGEX_OF, PATTERN_PROPERTIES),
    WORD("additionalProperties", SCHEMA, ADDITIONAL_PROPERTIES),
    CHECK("propertyNames", SCHEMA, PROPERTY_NAMES),
    CHECK("prefixItems", SCHEMAS, PREFIX_ITEMS),
    CHECK("items", SCHEMA, ITEMS),
    CHECK("$ref", STRING, REF),
    CHECK("allOf", SCHEMAS, ALL_OF),
    CHECK("anyOf", SCHEMAS, ANY_OF),
    CHECK("oneOf", SCHEMAS, ONE_OF),
    CHECK("not", SCHEMA, NOT),
    CHECK("if", SCHEMA, IF),
    WORD("then", SCHEMA, THEN),
    WORD("else", SCHEMA, ELSE),
    CHECK("dependentSchemas", SCHEMA_OF, DEPENDENT_SCHEMAS),
    CHECK("unevaluatedItems", SCHEMA, UNEVALUATED_ITEMS),
    CHECK("unevaluatedProperties", SCHEMA, UNEVALUATED_PROPERTIES),
    WORD("$schema", STRING, SCHEMA),
    NOTE("$id", STRING),
    WORD("$anchor", STRING, ANCHOR),
    WORD("$dynamicAnchor", STRING, ANCHOR), /* without $dynamicRef it is nothing else */
    NOTE("$defs", SCHEMA_OF),
    NOTE("definitions", SCHEMA_OF), /* the draft's own schema of schemas still knows it */
    NOTE("$comment", STRING),
    NOTE("$vocabulary", OBJECT), /* says something in a schema of schemas only */
    NOTE("title", STRING),
    NOTE("description", STRING),
    NOTE("default", ANY),
    NOTE("examples", ARRAY),
    NOTE("deprecated", BOOLEAN),
    NOTE("readOnly", BOOLEAN),
    NOTE("writeOnly", BOOLEAN),
    NOTE("format", STRING),
    NOTE("contentEncoding", STRING),
    NOTE("contentMediaType", STRING),
    NOTE("contentSchema", SCHEMA),
    REFUSED("$dynamicRef", "$ref"),
    REFUSED("$recursiveRef", "$ref"),
    REFUSED("$recursiveAnchor", "$anchor and $ref"),
    REFUSED("additionalItems", "prefixItems for the first elements and items for the others"),
    REFUSED("dependencies", "dependentRequired and dependentSchemas"),
    REFUSED("id", "$id"),
    REFUSED("extends", "allOf"),
    REFUSED("disallow", "not"),
    REFUSED("divisibleBy", "multipleOf"),
};

#define ROWS (sizeof(rows) / sizeof(rows[0]))

const struct hg_vocabulary_row *hg_vocabulary_find(struct hg_slice name)
{
    for (size_t i = 0; i < ROWS; i++)
        if (hg_slice_is(name, rows[i].name))
            return &rows[i];
    return NULL;
}

const char *hg_vocabulary_name(size_t i)
{
    return i < ROWS && rows[i].shape != HG_SHAPE_REFUSED ? rows[i].name : NULL;
}
