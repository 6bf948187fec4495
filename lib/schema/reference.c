#include <stdlib.h>

#include "schema/compile.h"
#include "schema/refusal.h"
#include "schema/uri.h"

#define NONE HG_RULE_NONE

static struct hg_slice uri_of(const struct hg_schema *schema, uint32_t resource)
{
    return hg_slice(schema->resources[resource].uri, schema->resources[resource].uri_len);
}

static hg_result add_resource(struct hg_compiler *c, uint32_t place, struct hg_slice uri, uint32_t *ret_resource)
{
    struct hg_schema *schema = c->schema;
    HG_TRY(hg_compiler_grow((void **)&schema->resources, &schema->resource_capacity, schema->resource_count + 1,
                            sizeof(*schema->resources)));
    char *copy = malloc(uri.len + 1);
    if (!copy)
        return HG_FAIL(NOMEM);
    if (uri.len > 0)
        memcpy(copy, uri.ptr, uri.len);
    schema->resources[schema->resource_count] = (struct hg_resource){place, copy, uri.len};
    *ret_resource = schema->resource_count++;
    return HG_OK;
}

static uint32_t find_resource(const struct hg_schema *schema, struct hg_slice uri)
{
    uint32_t i = 0;
    while (i < schema->resource_count && !hg_slice_eq(uri_of(schema, i), uri))
        i++;
    return i < schema->resource_count ? i : NONE;
}

hg_result hg_compiler_enter(struct hg_compiler *c, uint32_t node)
{
    uint32_t id = hg_compiler_type(c, node) == HG_JSON_OBJECT ? hg_dom_find(c->dom, node, HG_LIT("$id")) : HG_DOM_NONE;
    struct hg_slice fragment;
    struct hg_buf uri;
    if (id == HG_DOM_NONE && c->schema->resource_count > 0)
        return HG_OK;
    if (id == HG_DOM_NONE)
        return add_resource(c, node, HG_SLICE_NULL, &c->resource);
    if (hg_compiler_type(c, id) != HG_JSON_STRING)
        return hg_refuse_value(c->dom, id, "a string", c->reterr);
    hg_buf_init(&uri, 2 * HG_SCHEMA_BYTES_MAX);
    struct hg_slice base = c->schema->resource_count > 0 ? uri_of(c->schema, c->resource) : HG_SLICE_NULL;
    hg_uri_resolve(base, hg_dom_text(c->dom, id), &uri, &fragment);
    hg_result r = hg_buf_result(&uri);
    if (hg_ok(r) && fragment.len > 0)
        r = hg_refuse_value(c->dom, id, "a URI without a fragment", c->reterr);
    else if (hg_ok(r) && find_resource(c->schema, hg_buf_slice(&uri)) != NONE)
        r = hg_refuse_value(c->dom, id, "each $id once in a document", c->reterr);
    if (hg_ok(r))
        r = add_resource(c, node, hg_buf_slice(&uri), &c->resource);
    hg_buf_done(&uri);
    return r;
}

/* ---- references ---- */

/* The fragment's %XX decoded. False when they are not well formed. */
static bool decode_percent(struct hg_slice text, struct hg_buf *into)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] != '%') {
            hg_buf_put_char(into, text.ptr[i]);
            continue;
        }
        unsigned byte = 0;
        for (int j = 0; j < 2; j++) {
            char c = ++i < text.len ? text.ptr[i] : '\0';
            char letter = (char)(c | 32);
            if (c >= '0' && c <= '9')
                byte = byte * 16 + (unsigned)(c - '0');
            else if (letter >= 'a' && letter <= 'f')
                byte = byte * 16 + (unsigned)(letter - 'a' + 10);
            else
                return false;
        }
        hg_buf_put_char(into, (char)byte);
    }
    return true;
}

/* The schema of a resource with that anchor, or HG_DOM_NONE. */
static hg_result find_anchor(struct hg_compiler *c, uint32_t resource, struct hg_slice name, uint32_t *ret_node)
{
    static const char *const words[] = {"$anchor", "$dynamicAnchor"};
    *ret_node = HG_DOM_NONE;
    for (uint32_t i = 0; i < c->schema->rule_count; i++) {
        uint32_t place = c->schema->rules[i].place;
        if (c->schema->rules[i].resource != resource || hg_compiler_type(c, place) != HG_JSON_OBJECT)
            continue;
        for (int w = 0; w < 2; w++) {
            uint32_t node = hg_dom_find(c->dom, place, hg_slice_str(words[w]));
            if (node == HG_DOM_NONE || !hg_slice_eq(hg_dom_text(c->dom, node), name))
                continue;
            if (*ret_node != HG_DOM_NONE && *ret_node != place)
                return hg_refuse_value(c->dom, node, "each anchor once", c->reterr);
            *ret_node = place;
        }
    }
    return HG_OK;
}

/* The place in a resource that a fragment names, or HG_DOM_NONE. */
static hg_result find_in_resource(struct hg_compiler *c, uint32_t resource, struct hg_slice fragment,
                                  uint32_t *ret_node)
{
    struct hg_buf decoded;
    *ret_node = HG_DOM_NONE;
    hg_buf_init(&decoded, HG_SCHEMA_BYTES_MAX);
    bool good = decode_percent(fragment, &decoded);
    hg_result r = hg_buf_result(&decoded);
    struct hg_slice name = hg_buf_slice(&decoded);
    if (hg_ok(r) && good && (name.len == 0 || name.ptr[0] == '/'))
        *ret_node = hg_dom_at(c->dom, c->schema->resources[resource].place, name);
    else if (hg_ok(r) && good)
        r = find_anchor(c, resource, name, ret_node);
    hg_buf_done(&decoded);
    return r;
}

/* `place`: the $ref. */
static hg_result find_target(struct hg_compiler *c, uint32_t place, uint32_t *ret_node, uint32_t *ret_resource)
{
    uint32_t from = c->schema->rules[c->schema->rule_of[c->dom->nodes[place].parent]].resource;
    struct hg_slice fragment;
    struct hg_buf uri;
    hg_buf_init(&uri, 2 * HG_SCHEMA_BYTES_MAX);
    hg_uri_resolve(uri_of(c->schema, from), hg_dom_text(c->dom, place), &uri, &fragment);
    hg_result r = hg_buf_result(&uri);
    *ret_resource = find_resource(c->schema, hg_buf_slice(&uri));
    hg_buf_done(&uri);
    HG_TRY(r);
    if (*ret_resource == NONE)
        return hg_refuse_value(c->dom, place,
                               "references within this document: # and a JSON pointer such as #/$defs/name, # and an "
                               "$anchor, or an $id that stands in it",
                               c->reterr);
    HG_TRY(find_in_resource(c, *ret_resource, fragment, ret_node));
    return *ret_node == HG_DOM_NONE ? hg_refuse_value(c->dom, place, "a place in this document that exists", c->reterr)
                                    : HG_OK;
}

/* What is referred to may be a schema in a place that is none by itself, with references of its own: so goes on until
 * no keyword is left. */
hg_result hg_compiler_resolve(struct hg_compiler *c)
{
    for (uint32_t i = 0; i < c->schema->keyword_count; i++) {
        uint32_t node, rule;
        if (c->schema->keywords[i].check != HG_CHECK_REF)
            continue;
        HG_TRY(find_target(c, c->schema->keywords[i].place, &node, &c->resource));
        c->depth = 0;
        HG_TRY(hg_compiler_rule(c, node, &rule));
        c->schema->keywords[i].u.rule = rule;
    }
    return HG_OK;
}
