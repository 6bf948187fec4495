#include <stdlib.h>

#include "base/assert.h"
#include "base/suggest.h"
#include "base/visible.h"
#include "schema/compile.h"
#include "schema/refusal.h"
#include "schema/vocabulary.h"

#define NONE HG_RULE_NONE

static const char dialect[] = "https://json-schema.org/draft/2020-12/schema";

/* The keywords of one schema while they are gathered. */
struct gathered {
    struct hg_keyword keywords[HG_CHECK__COUNT];
    bool has[HG_CHECK__COUNT];
    uint32_t properties, patterns, others;
    uint32_t then, otherwise;
    uint32_t least, most; /* nodes of minContains and maxContains */
};

hg_result hg_compiler_grow(void **items, uint32_t *capacity, uint32_t need, size_t size)
{
    if (need <= *capacity)
        return HG_OK;
    uint32_t more = *capacity ? *capacity * 2 : 16;
    while (more < need)
        more *= 2;
    void *grown = realloc(*items, more * size);
    if (!grown)
        return HG_FAIL(NOMEM);
    *items = grown;
    *capacity = more;
    return HG_OK;
}

/* ---- values ---- */

static uint32_t type_bit(struct hg_slice name)
{
    static const struct {
        const char *name;
        uint32_t bits;
    } types[] = {
        {"null", HG_TYPE_NULL},       {"boolean", HG_TYPE_BOOLEAN}, {"object", HG_TYPE_OBJECT},
        {"array", HG_TYPE_ARRAY},     {"string", HG_TYPE_STRING},   {"number", HG_TYPE_NUMBER | HG_TYPE_INTEGER},
        {"integer", HG_TYPE_INTEGER},
    };
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        if (hg_slice_is(name, types[i].name))
            return types[i].bits;
    return 0;
}

static hg_result take_types(struct hg_compiler *c, uint32_t node, uint32_t *ret_types)
{
    static const char allowed[] = "null, boolean, object, array, number, string or integer, or an array of these";
    const struct hg_dom_node *nodes = c->dom->nodes;
    bool list = nodes[node].type == HG_JSON_ARRAY;
    uint32_t types = 0;
    if ((list && nodes[node].count == 0) || (!list && nodes[node].type != HG_JSON_STRING))
        return hg_refuse_value(c->dom, node, allowed, c->reterr);
    for (uint32_t at = list ? node + 1 : node; at < nodes[node].next; at = nodes[at].next) {
        uint32_t bits = nodes[at].type == HG_JSON_STRING ? type_bit(hg_dom_text(c->dom, at)) : 0;
        if (bits == 0)
            return hg_refuse_value(c->dom, at, allowed, c->reterr);
        types |= bits;
    }
    *ret_types = types;
    return HG_OK;
}

static hg_result take_count(struct hg_compiler *c, uint32_t node, uint64_t *ret_count)
{
    struct hg_decimal number;
    if (hg_compiler_type(c, node) == HG_JSON_NUMBER) {
        number = hg_dom_number(c->dom, node);
        if (hg_decimal_u64(&number, ret_count))
            return HG_OK;
        *ret_count = UINT64_MAX;
        if (!number.negative && hg_decimal_is_whole(&number))
            return HG_OK;
    }
    return hg_refuse_value(c->dom, node, "a whole number, 0 or more", c->reterr);
}

static hg_result take_step(struct hg_compiler *c, uint32_t node, struct hg_keyword *keyword)
{
    static const char allowed[] = "a number above 0 with up to 18 digits";
    if (hg_compiler_type(c, node) != HG_JSON_NUMBER)
        return hg_refuse_value(c->dom, node, allowed, c->reterr);
    struct hg_decimal number = hg_dom_number(c->dom, node);
    if (number.negative || number.digits == 0 || number.digits > 18)
        return hg_refuse_value(c->dom, node, allowed, c->reterr);
    keyword->u.step.digits = 0;
    for (const char *at = number.from; at < number.end; at++)
        if (*at != '.')
            keyword->u.step.digits = keyword->u.step.digits * 10 + (uint64_t)(*at - '0');
    keyword->u.step.exponent = number.exponent;
    return HG_OK;
}

static hg_result refuse_regex(struct hg_compiler *c, uint32_t node, struct hg_slice text, struct hg_slice why)
{
    hg_refusal_begin(c->dom, node, c->reterr);
    hg_buf_put_str(c->reterr, "the pattern ");
    hg_visible_put(text, 80, c->reterr);
    hg_buf_put_str(c->reterr, ", which is no regular expression of ECMA-262 (flag u): ");
    hg_buf_put(c->reterr, why);
    return c->reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
}

static hg_result take_regex(struct hg_compiler *c, uint32_t node, struct hg_slice text, uint32_t *ret_number)
{
    struct hg_schema *schema = c->schema;
    HG_TRY(hg_compiler_grow((void **)&schema->regexes, &schema->regex_capacity, schema->regex_count + 1,
                            sizeof(*schema->regexes)));
    struct hg_buf why;
    hg_buf_init(&why, 4096);
    hg_result r = hg_regex_compile(text, &schema->regexes[schema->regex_count], &why);
    if (r.code == HG_ERR_SYNTAX)
        r = refuse_regex(c, node, text, hg_buf_slice(&why));
    hg_buf_done(&why);
    HG_TRY(r);
    *ret_number = schema->regex_count++;
    return HG_OK;
}

static hg_result take_names(struct hg_compiler *c, uint32_t node)
{
    static const char allowed[] = "an array of names, none twice";
    const struct hg_dom_node *nodes = c->dom->nodes;
    uint64_t work = UINT64_MAX;
    if (nodes[node].type != HG_JSON_ARRAY)
        return hg_refuse_value(c->dom, node, allowed, c->reterr);
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at].next) {
        if (nodes[at].type != HG_JSON_STRING)
            return hg_refuse_value(c->dom, at, allowed, c->reterr);
        for (uint32_t other = node + 1; other < at && nodes[node].count <= 256; other = nodes[other].next)
            if (hg_dom_compare(c->dom, other, c->dom, at, &work) == 0)
                return hg_refuse_value(c->dom, at, allowed, c->reterr);
    }
    return HG_OK;
}

struct sorting {
    const struct hg_dom *dom;
    uint64_t work;
};

static int compare_values(void *context, uint32_t a, uint32_t b)
{
    struct sorting *s = context;
    return hg_dom_compare(s->dom, a, s->dom, b, &s->work);
}

/* The elements of `enum`, sorted, so that a long list costs little. */
static hg_result take_enum(struct hg_compiler *c, uint32_t node, struct hg_keyword *keyword)
{
    const struct hg_dom_node *nodes = c->dom->nodes;
    uint32_t count = nodes[node].count, i = 0;
    struct sorting sorting = {c->dom, UINT64_MAX};
    keyword->u.sorted = malloc((2 * (size_t)count + 1) * sizeof(*keyword->u.sorted));
    if (!keyword->u.sorted)
        return HG_FAIL(NOMEM);
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at].next)
        keyword->u.sorted[i++] = at;
    hg_dom_sort(keyword->u.sorted, keyword->u.sorted + count, count, compare_values, &sorting);
    return HG_OK;
}

/* ---- shapes ---- */

static const char *const allowed_of[] = {
    [HG_SHAPE_BOOLEAN] = "true or false",
    [HG_SHAPE_STRING] = "a string",
    [HG_SHAPE_ARRAY] = "an array",
    [HG_SHAPE_OBJECT] = "an object",
    [HG_SHAPE_NUMBER] = "a number",
    [HG_SHAPE_REGEX] = "a string with a regular expression",
    [HG_SHAPE_NAMES_OF] = "an object of arrays of names",
    [HG_SHAPE_SCHEMAS] = "an array of schemas, at least one",
    [HG_SHAPE_SCHEMA_OF] = "an object of schemas",
    [HG_SHAPE_REGEX_OF] = "an object of schemas, named with regular expressions",
};

static bool has_type_for(enum hg_shape shape, enum hg_json_type type)
{
    switch (shape) {
    case HG_SHAPE_BOOLEAN:
        return type == HG_JSON_BOOL;
    case HG_SHAPE_STRING:
    case HG_SHAPE_REGEX:
        return type == HG_JSON_STRING;
    case HG_SHAPE_ARRAY:
    case HG_SHAPE_SCHEMAS:
        return type == HG_JSON_ARRAY;
    case HG_SHAPE_OBJECT:
    case HG_SHAPE_NAMES_OF:
    case HG_SHAPE_SCHEMA_OF:
    case HG_SHAPE_REGEX_OF:
        return type == HG_JSON_OBJECT;
    case HG_SHAPE_NUMBER:
        return type == HG_JSON_NUMBER;
    default:
        return true; /* found out where the value is taken */
    }
}

/* The elements or members of a node, each a schema. */
static hg_result compile_children(struct hg_compiler *c, uint32_t node, bool named_by_regex)
{
    const struct hg_dom_node *nodes = c->dom->nodes;
    uint32_t rule, regex;
    for (uint32_t at = node + 1; at < nodes[node].next && named_by_regex; at = nodes[at].next)
        HG_TRY(take_regex(c, at, hg_dom_name(c->dom, at), &regex));
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at].next)
        HG_TRY(hg_compiler_rule(c, at, &rule));
    return HG_OK;
}

static hg_result take_names_of(struct hg_compiler *c, uint32_t node)
{
    const struct hg_dom_node *nodes = c->dom->nodes;
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at].next)
        HG_TRY(take_names(c, at));
    return HG_OK;
}

/* The value of a keyword as its shape asks for it, into `keyword` where it is kept. */
static hg_result take_value(struct hg_compiler *c, uint32_t node, enum hg_shape shape, struct hg_keyword *keyword)
{
    uint32_t regex;
    if (!has_type_for(shape, hg_compiler_type(c, node)))
        return hg_refuse_value(c->dom, node, allowed_of[shape], c->reterr);
    switch (shape) {
    case HG_SHAPE_STEP:
        return take_step(c, node, keyword);
    case HG_SHAPE_COUNT:
        return take_count(c, node, &keyword->u.count);
    case HG_SHAPE_TYPES:
        return take_types(c, node, &keyword->u.types);
    case HG_SHAPE_REGEX:
        HG_TRY(take_regex(c, node, hg_dom_text(c->dom, node), &regex));
        keyword->u.regex = c->schema->regexes[regex];
        return HG_OK;
    case HG_SHAPE_NAMES:
        return take_names(c, node);
    case HG_SHAPE_NAMES_OF:
        return take_names_of(c, node);
    case HG_SHAPE_SCHEMA:
        if (hg_compiler_type(c, node) == HG_JSON_ARRAY && c->dom->nodes[node].name &&
            hg_slice_is(hg_dom_name(c->dom, node), "items"))
            return hg_refuse_value(c->dom, node, "a schema; for one schema for each element there is prefixItems",
                                   c->reterr);
        return hg_compiler_rule(c, node, &keyword->u.rule);
    case HG_SHAPE_SCHEMAS:
        if (c->dom->nodes[node].count == 0)
            return hg_refuse_value(c->dom, node, allowed_of[shape], c->reterr);
        return compile_children(c, node, false);
    case HG_SHAPE_SCHEMA_OF:
        return compile_children(c, node, false);
    case HG_SHAPE_REGEX_OF:
        keyword->u.members.regexes = c->schema->regex_count;
        return compile_children(c, node, true);
    default:
        return HG_OK;
    }
}

/* ---- words about the document ---- */

static hg_result take_schema_word(struct hg_compiler *c, uint32_t node)
{
    struct hg_slice text = hg_dom_text(c->dom, node);
    size_t len = sizeof(dialect) - 1;
    if (hg_slice_is(hg_slice_first(text, len), dialect) &&
        (text.len == len || hg_slice_is(hg_slice_from(text, len), "#")))
        return HG_OK;
    return hg_refuse_value(c->dom, node, "https://json-schema.org/draft/2020-12/schema, or no $schema at all",
                           c->reterr);
}

static bool is_anchor(struct hg_slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool first = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!first && (i == 0 || !((c >= '0' && c <= '9') || c == '-' || c == '.')))
            return false;
    }
    return text.len > 0;
}

/* ---- one schema ---- */

static struct hg_keyword *gather(struct gathered *g, enum hg_check check, uint32_t place)
{
    g->has[check] = true;
    g->keywords[check].check = check;
    g->keywords[check].place = place;
    return &g->keywords[check];
}

static hg_result gather_word(struct hg_compiler *c, struct gathered *g, uint32_t node,
                             const struct hg_vocabulary_row *row)
{
    struct hg_keyword value = {.place = node};
    uint32_t regexes = c->schema->regex_count;
    HG_TRY(take_value(c, node, row->shape, &value));
    switch (row->word) {
    case HG_WORD_PROPERTIES:
        g->properties = node;
        return HG_OK;
    case HG_WORD_PATTERN_PROPERTIES:
        g->patterns = node;
        g->keywords[HG_CHECK_MEMBERS].u.members.regexes = regexes;
        return HG_OK;
    case HG_WORD_ADDITIONAL_PROPERTIES:
        g->others = value.u.rule;
        return HG_OK;
    case HG_WORD_MIN_CONTAINS:
        g->least = node;
        return HG_OK;
    case HG_WORD_MAX_CONTAINS:
        g->most = node;
        return HG_OK;
    case HG_WORD_THEN:
        g->then = value.u.rule;
        return HG_OK;
    case HG_WORD_ELSE:
        g->otherwise = value.u.rule;
        return HG_OK;
    case HG_WORD_SCHEMA:
        return take_schema_word(c, node);
    case HG_WORD_ANCHOR:
        if (!is_anchor(hg_dom_text(c->dom, node)))
            return hg_refuse_value(c->dom, node, "a letter or _, then letters, digits, _, - and .", c->reterr);
        return HG_OK;
    case HG_WORD_CHECK:
        break;
    default:
        return HG_OK;
    }
    if (row->check == HG_CHECK_UNIQUE_ITEMS && !hg_dom_is_true(c->dom, node))
        return HG_OK;
    struct hg_keyword *keyword = gather(g, row->check, node);
    keyword->u = value.u;
    return row->check == HG_CHECK_ENUM ? take_enum(c, node, keyword) : HG_OK;
}

/* Keywords whose meaning depends on others beside them. */
static hg_result join(struct hg_compiler *c, struct gathered *g)
{
    struct hg_keyword *keywords = g->keywords;
    if (g->properties != NONE || g->patterns != NONE || g->others != NONE) {
        struct hg_keyword *members = gather(g, HG_CHECK_MEMBERS, g->properties);
        members->u.members.patterns = g->patterns;
        members->u.members.others = g->others;
        members->u.members.telling = false;
        if (g->properties != NONE)
            for (uint32_t at = g->properties + 1; at < c->dom->nodes[g->properties].next; at = c->dom->nodes[at].next)
                members->u.members.telling |= c->schema->rules[c->schema->rule_of[at]].telling;
    }
    if (g->has[HG_CHECK_ITEMS]) {
        uint32_t rule = keywords[HG_CHECK_ITEMS].u.rule;
        keywords[HG_CHECK_ITEMS].u.items.rule = rule;
        keywords[HG_CHECK_ITEMS].u.items.from =
            g->has[HG_CHECK_PREFIX_ITEMS] ? c->dom->nodes[keywords[HG_CHECK_PREFIX_ITEMS].place].count : 0;
    }
    if (g->has[HG_CHECK_CONTAINS]) {
        uint32_t rule = keywords[HG_CHECK_CONTAINS].u.rule;
        uint64_t least = 1, most = UINT64_MAX;
        if (g->least != NONE)
            HG_TRY(take_count(c, g->least, &least));
        if (g->most != NONE)
            HG_TRY(take_count(c, g->most, &most));
        keywords[HG_CHECK_CONTAINS].u.contains.rule = rule;
        keywords[HG_CHECK_CONTAINS].u.contains.least = least;
        keywords[HG_CHECK_CONTAINS].u.contains.most = most;
    }
    if (g->has[HG_CHECK_IF]) {
        uint32_t condition = keywords[HG_CHECK_IF].u.rule;
        keywords[HG_CHECK_IF].u.branch.condition = condition;
        keywords[HG_CHECK_IF].u.branch.then = g->then;
        keywords[HG_CHECK_IF].u.branch.otherwise = g->otherwise;
    }
    return HG_OK;
}

static hg_result gather_all(struct hg_compiler *c, struct gathered *g, uint32_t node)
{
    const struct hg_dom_node *nodes = c->dom->nodes;
    for (uint32_t at = node + 1; at < nodes[node].next; at = nodes[at].next) {
        struct hg_slice name = hg_dom_name(c->dom, at);
        const struct hg_vocabulary_row *row = hg_vocabulary_find(name);
        if (row && row->shape == HG_SHAPE_REFUSED) {
            hg_refusal_begin(c->dom, at, c->reterr);
            hg_buf_put_str(c->reterr, "a keyword that is not supported");
            return hg_refusal_end(row->allowed, c->reterr);
        }
        if (row) {
            HG_TRY(gather_word(c, g, at, row));
            continue;
        }
        const char *meant = hg_slice_starts(name, HG_LIT("x-")) ? NULL : hg_suggest(name, hg_vocabulary_name);
        if (meant)
            return hg_refuse_word(c->dom, at, meant, c->reterr);
    }
    return join(c, g);
}

static hg_result keep_keywords(struct hg_schema *schema, struct gathered *g, uint32_t number)
{
    uint32_t first = schema->keyword_count;
    HG_TRY(hg_compiler_grow((void **)&schema->keywords, &schema->keyword_capacity, first + HG_CHECK__COUNT,
                            sizeof(*schema->keywords)));
    for (int i = 0; i < HG_CHECK__COUNT; i++)
        if (g->has[i])
            schema->keywords[schema->keyword_count++] = g->keywords[i];
    g->has[HG_CHECK_ENUM] = false; /* its list is the schema's now */
    struct hg_rule *rule = &schema->rules[number];
    rule->first = first;
    rule->count = (uint16_t)(schema->keyword_count - first);
    return HG_OK;
}

static hg_result compile_object(struct hg_compiler *c, uint32_t node, uint32_t number)
{
    struct gathered g = {.properties = NONE,
                         .patterns = NONE,
                         .others = NONE,
                         .then = NONE,
                         .otherwise = NONE,
                         .least = NONE,
                         .most = NONE};
    hg_result r = gather_all(c, &g, node);
    c->schema->rules[number].telling = g.has[HG_CHECK_CONST] || g.has[HG_CHECK_ENUM];
    if (hg_ok(r))
        r = keep_keywords(c->schema, &g, number);
    if (g.has[HG_CHECK_ENUM])
        free(g.keywords[HG_CHECK_ENUM].u.sorted);
    return r;
}

hg_result hg_compiler_rule(struct hg_compiler *c, uint32_t node, uint32_t *ret_rule)
{
    struct hg_schema *schema = c->schema;
    enum hg_json_type type = hg_compiler_type(c, node);
    if (schema->rule_of[node] != NONE) {
        *ret_rule = schema->rule_of[node];
        return HG_OK;
    }
    if (type != HG_JSON_OBJECT && type != HG_JSON_BOOL)
        return hg_refuse_value(c->dom, node, "a schema: an object, true or false", c->reterr);
    if (c->depth == HG_SCHEMA_DEPTH_MAX) {
        hg_refusal_begin(c->dom, node, c->reterr);
        hg_buf_printf(c->reterr, "a schema inside of %d others", HG_SCHEMA_DEPTH_MAX);
        return hg_refusal_end("fewer", c->reterr);
    }
    if (schema->rule_count == HG_SCHEMA_RULES_MAX) {
        hg_refusal_begin(c->dom, node, c->reterr);
        hg_buf_printf(c->reterr, "more than %d schemas in one document", HG_SCHEMA_RULES_MAX);
        return hg_refusal_end("fewer", c->reterr);
    }
    HG_TRY(hg_compiler_grow((void **)&schema->rules, &schema->rule_capacity, schema->rule_count + 1,
                            sizeof(*schema->rules)));
    uint32_t outer = c->resource;
    HG_TRY(hg_compiler_enter(c, node));
    uint32_t number = schema->rule_count++;
    schema->rules[number] = (struct hg_rule){.place = node, .resource = c->resource};
    schema->rule_of[node] = number;
    *ret_rule = number;
    if (type == HG_JSON_BOOL) {
        schema->rules[number].kind = hg_dom_is_true(c->dom, node) ? HG_RULE_ALL : HG_RULE_NOTHING;
        return HG_OK;
    }
    c->depth++;
    HG_TRY(compile_object(c, node, number));
    c->depth--;
    c->resource = outer;
    return HG_OK;
}

/* ---- the whole ---- */

static hg_result compile_all(struct hg_schema *schema, struct hg_slice json, struct hg_buf *reterr)
{
    struct hg_compiler c = {schema, &schema->dom, reterr, 0, 0};
    struct hg_dom_error error;
    uint32_t root;
    schema->text = malloc(json.len + 1);
    if (!schema->text)
        return HG_FAIL(NOMEM);
    if (json.len > 0)
        memcpy(schema->text, json.ptr, json.len);
    hg_result r = hg_dom_read(hg_slice(schema->text, json.len), &schema->dom, &error);
    if (r.code == HG_ERR_SYNTAX)
        return hg_refuse_text(json, &schema->dom, &error, reterr);
    HG_TRY(r);
    schema->rule_of = malloc(schema->dom.count * sizeof(*schema->rule_of));
    if (!schema->rule_of)
        return HG_FAIL(NOMEM);
    for (uint32_t i = 0; i < schema->dom.count; i++)
        schema->rule_of[i] = NONE;
    HG_TRY(hg_compiler_rule(&c, 0, &root));
    HG_ASSERT(root == 0);
    HG_TRY(hg_compiler_resolve(&c));
    return hg_compiler_check_chains(&c);
}

hg_result hg_schema_compile(struct hg_slice json, struct hg_schema **ret_schema, struct hg_buf *reterr)
{
    hg_buf_clear(reterr);
    if (json.len > HG_SCHEMA_BYTES_MAX) {
        hg_buf_printf(reterr, "found a schema of %zu bytes; allowed: up to %u", json.len, HG_SCHEMA_BYTES_MAX);
        return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(BAD_REQUEST);
    }
    struct hg_schema *schema = calloc(1, sizeof(*schema));
    if (!schema)
        return HG_FAIL(NOMEM);
    hg_result r = compile_all(schema, json, reterr);
    if (!hg_ok(r)) {
        hg_schema_free(schema);
        return r;
    }
    hg_buf_clear(reterr);
    *ret_schema = schema;
    return HG_OK;
}

void hg_schema_free(struct hg_schema *schema)
{
    if (!schema)
        return;
    for (uint32_t i = 0; i < schema->keyword_count; i++)
        if (schema->keywords[i].check == HG_CHECK_ENUM)
            free(schema->keywords[i].u.sorted);
    for (uint32_t i = 0; i < schema->regex_count; i++)
        hg_regex_free(schema->regexes[i]);
    for (uint32_t i = 0; i < schema->resource_count; i++)
        free(schema->resources[i].uri);
    free(schema->resources);
    free(schema->regexes);
    free(schema->keywords);
    free(schema->rules);
    free(schema->rule_of);
    hg_dom_done(&schema->dom);
    free(schema->text);
    free(schema);
}
