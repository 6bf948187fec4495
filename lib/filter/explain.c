#include "filter/explain.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/visible.h"
#include "filter/cast.h"
#include "filter/fields.h"
#include "filter/normal.h"
#include "filter/parse.h"
#include "filter/program.h"

/* A value or part is told with this many bytes at most. */
#define SHOWN_MAX 256

/* Beside the event's own size, for what evaluation builds. */
#define SCRATCH_BYTES (64u << 10)

struct teller {
    const struct hg_filter *filter;
    struct hg_tree tree;
    struct hg_fields *fields;
    uint32_t *slots;
    struct hg_scratch scratch;
    struct hg_buf *into;
    struct hg_buf part;       /* text of the part at hand */
    char kept[SHOWN_MAX + 4]; /* its value, when that is text */
    bool as_json;
};

static const struct hg_node *node_of(const struct teller *t, uint16_t number)
{
    return &t->tree.nodes[number];
}

static uint32_t slot_of(const struct teller *t, struct hg_slice path)
{
    for (unsigned i = 0; i < hg_filter_path_count(t->filter); i++)
        if (hg_slice_eq(hg_filter_path(t->filter, i), path))
            return t->slots[i];
    return HG_FIELDS_NONE; /* data in CloudEvents SQL */
}

/* A part is a small filter of its own: what is told is what the program does. Its text is good until the next one. */
static hg_result evaluate(struct teller *t, uint16_t number, struct hg_value *ret_value)
{
    struct hg_filter *part = NULL;
    HG_TRY(hg_program_compile(&t->tree, number, HG_SLICE_NULL, &part));
    unsigned paths = hg_filter_path_count(part);
    uint32_t *slots = malloc((paths + 1) * sizeof(*slots));
    if (slots) {
        for (unsigned i = 0; i < paths; i++)
            slots[i] = slot_of(t, hg_filter_path(part, i));
        *ret_value = hg_filter_value(part, hg_fields_values(t->fields), slots, &t->scratch);
        /* It may lie in a constant of the part, which goes. More than what is shown need not be kept. */
        if (ret_value->type == HG_VALUE_STRING) {
            struct hg_slice text = hg_slice_first(hg_value_text(*ret_value), sizeof(t->kept));
            if (text.len > 0)
                memcpy(t->kept, text.ptr, text.len);
            ret_value->len = (uint32_t)text.len;
            ret_value->ptr = t->kept;
        }
    }
    hg_filter_unref(part);
    free(slots);
    return slots ? HG_OK : HG_FAIL(NOMEM);
}

static bool is_joint(const struct hg_node *node)
{
    return node->kind == HG_NODE_AND || node->kind == HG_NODE_OR || node->kind == HG_NODE_XOR ||
           node->kind == HG_NODE_NOT || node->kind == HG_NODE_SQL;
}

static hg_result show_part(struct teller *t, uint16_t number)
{
    hg_buf_clear(&t->part);
    return hg_normal_show(&t->tree, number, &t->part);
}

/* Valid UTF-8, cut between characters. */
static struct hg_slice shortened(struct hg_slice text, bool *ret_cut)
{
    size_t len = text.len < SHOWN_MAX ? text.len : SHOWN_MAX;
    while (len > 0 && len < text.len && ((unsigned char)text.ptr[len] & 0xc0) == 0x80)
        len--;
    *ret_cut = len < text.len;
    return hg_slice_first(text, len);
}

static void put_json_text(struct hg_buf *into, struct hg_slice text)
{
    bool cut;
    hg_json_put_string(into, shortened(text, &cut));
    if (cut && hg_ok(hg_buf_result(into))) {
        hg_buf_truncate(into, into->len - 1);
        hg_buf_put_str(into, "…\"");
    }
}

static void put_value(struct teller *t, struct hg_value value)
{
    char text[HG_NUMBER_TEXT_MAX];
    switch ((enum hg_value_type)value.type) {
    case HG_VALUE_BOOL:
        hg_buf_put_str(t->into, value.number ? "true" : "false");
        break;
    case HG_VALUE_INT:
    case HG_VALUE_DECIMAL:
        hg_buf_put(t->into, hg_slice(text, hg_number_format(value, text)));
        break;
    case HG_VALUE_STRING:
        if (t->as_json) {
            put_json_text(t->into, hg_value_text(value));
        } else {
            hg_buf_put_char(t->into, '\'');
            hg_visible_put(hg_value_text(value), SHOWN_MAX, t->into);
            hg_buf_put_char(t->into, '\'');
        }
        break;
    case HG_VALUE_NULL:
        hg_buf_put_str(t->into, "null");
        break;
    case HG_VALUE_OTHER:
        hg_buf_put_str(t->into, t->as_json ? "\"(object or array)\"" : "an object or array");
        break;
    }
}

static void put_reads(struct teller *t, uint16_t number, unsigned *count)
{
    const struct hg_node *node = node_of(t, number);
    if (node->kind == HG_NODE_PATH || node->kind == HG_NODE_EXISTS) {
        struct hg_slice path = hg_tree_text(&t->tree, node);
        uint32_t slot = slot_of(t, path);
        struct hg_value value =
            slot == HG_FIELDS_NONE ? hg_value_fail(HG_VALUE_BOOL, HG_VALUE_MISSING) : hg_fields_values(t->fields)[slot];
        if (t->as_json) {
            hg_buf_put_str(t->into, *count > 0 ? ",{\"path\":" : "{\"path\":");
            put_json_text(t->into, path);
            hg_buf_put_str(t->into, value.error ? ",\"missing\":true" : ",\"value\":");
            if (!value.error)
                put_value(t, value);
            hg_buf_put_char(t->into, '}');
        } else {
            hg_buf_put_str(t->into, *count > 0 ? ", " : "   (");
            hg_visible_put(path, SHOWN_MAX, t->into);
            hg_buf_put_str(t->into, value.error ? " is missing" : " is ");
            if (!value.error)
                put_value(t, value);
        }
        ++*count;
    }
    for (uint16_t child = node->first; child; child = node_of(t, child)->next)
        put_reads(t, child, count);
}

/* The truth of an operand, errors being neither. */
static hg_result operand_truth(struct teller *t, uint16_t number, bool *ret_true, bool *ret_false)
{
    struct hg_value value;
    size_t used = t->scratch.used;
    HG_TRY(evaluate(t, number, &value));
    t->scratch.used = used;
    value = hg_cast_bool(value);
    bool strict = node_of(t, number)->strict;
    *ret_true = !value.error && value.number;
    *ret_false = strict ? !value.error && !value.number : !*ret_true;
    return HG_OK;
}

/* The child of a row that ended its evaluation, 0: all were needed. */
static hg_result deciding_child(struct teller *t, const struct hg_node *row, uint16_t *ret_child)
{
    *ret_child = 0;
    if (row->kind != HG_NODE_AND && row->kind != HG_NODE_OR)
        return HG_OK;
    for (uint16_t child = row->first; child; child = node_of(t, child)->next) {
        bool is_true, is_false;
        HG_TRY(operand_truth(t, child, &is_true, &is_false));
        if (row->kind == HG_NODE_AND ? !is_true : !is_false) {
            *ret_child = child;
            return HG_OK;
        }
    }
    return HG_OK;
}

static hg_result tell(struct teller *t, uint16_t number, unsigned depth, bool decides, bool skipped);

static hg_result tell_children(struct teller *t, const struct hg_node *node, unsigned depth, bool decides, bool skipped)
{
    uint16_t decisive;
    bool passed_it = false;
    HG_TRY(deciding_child(t, node, &decisive));
    for (uint16_t child = node->first; child; child = node_of(t, child)->next) {
        if (t->as_json && child != node->first)
            hg_buf_put_char(t->into, ',');
        HG_TRY(tell(t, child, depth + 1, decides && (!decisive || child == decisive), skipped || passed_it));
        passed_it = passed_it || child == decisive;
    }
    return HG_OK;
}

static hg_result tell(struct teller *t, uint16_t number, unsigned depth, bool decides, bool skipped)
{
    const struct hg_node *node = node_of(t, number);
    struct hg_value value;
    unsigned reads = 0;
    size_t used = t->scratch.used;
    HG_TRY(show_part(t, number));
    if (t->as_json) {
        hg_buf_put_str(t->into, "{\"part\":");
        put_json_text(t->into, hg_buf_slice(&t->part));
        hg_buf_put_str(t->into, ",\"value\":");
    } else {
        for (unsigned i = 0; i < depth; i++)
            hg_buf_put_str(t->into, "  ");
        hg_visible_put(hg_buf_slice(&t->part), SHOWN_MAX, t->into);
        hg_buf_put_str(t->into, ": ");
    }
    HG_TRY(evaluate(t, number, &value));
    put_value(t, value);
    t->scratch.used = used;
    if (t->as_json) {
        if (value.error)
            hg_buf_printf(t->into, ",\"error\":\"%s\"", hg_value_error_name(value.error));
        hg_buf_put_str(t->into, decides ? ",\"decides\":true" : "");
        hg_buf_put_str(t->into, skipped ? ",\"skipped\":true" : "");
        hg_buf_put_str(t->into, is_joint(node) ? ",\"parts\":[" : ",\"reads\":[");
        if (is_joint(node))
            HG_TRY(tell_children(t, node, depth, decides, skipped));
        else
            put_reads(t, number, &reads);
        hg_buf_put_str(t->into, "]}");
        return hg_buf_result(t->into);
    }
    if (value.error)
        hg_buf_printf(t->into, " [%s]", hg_value_error_name(value.error));
    if (!is_joint(node))
        put_reads(t, number, &reads);
    hg_buf_put_str(t->into, reads > 0 ? ")" : "");
    hg_buf_put_str(t->into, skipped ? "   not needed" : decides && !is_joint(node) ? "   <- decides" : "");
    hg_buf_put_char(t->into, '\n');
    if (is_joint(node))
        HG_TRY(tell_children(t, node, depth, decides, skipped));
    return hg_buf_result(t->into);
}

/* The first single condition on the way that decided. */
static hg_result find_decisive(struct teller *t, uint16_t *number)
{
    while (is_joint(node_of(t, *number))) {
        uint16_t child;
        HG_TRY(deciding_child(t, node_of(t, *number), &child));
        *number = child ? child : node_of(t, *number)->first;
    }
    return HG_OK;
}

static hg_result tell_all(struct teller *t, bool passes, bool json)
{
    if (!t->as_json) {
        hg_buf_put_str(t->into, passes ? "passes\n" : "does not pass\n");
        if (!json)
            hg_buf_put_str(t->into, "  (the event is not JSON)\n");
        return tell(t, t->tree.root, 1, true, false);
    }
    uint16_t decisive = t->tree.root;
    hg_buf_printf(t->into, "{\"result\":%s,\"json\":%s,\"decided\":", passes ? "true" : "false",
                  json ? "true" : "false");
    HG_TRY(find_decisive(t, &decisive));
    HG_TRY(show_part(t, decisive));
    put_json_text(t->into, hg_buf_slice(&t->part));
    hg_buf_put_str(t->into, ",\"tree\":");
    HG_TRY(tell(t, t->tree.root, 0, true, false));
    hg_buf_put_char(t->into, '}');
    return hg_buf_result(t->into);
}

static hg_result explain(const struct hg_filter *filter, struct hg_slice event, struct hg_slice topic, bool as_json,
                         struct hg_buf *into, bool *ret_passes)
{
    struct teller teller = {.filter = filter, .into = into, .as_json = as_json};
    struct hg_filter_report report;
    struct hg_parse_options options = {.dialect = HG_DIALECT_CANONICAL};
    /* The hash key guards against filters of many clients; here is one. */
    struct hg_hash_key hash_key = {0, 0};
    hg_tree_init(&teller.tree, UINT16_MAX / 2);
    hg_buf_init(&teller.part, 2 * HG_FILTER_CANONICAL_MAX);
    teller.scratch.size = event.len + SCRATCH_BYTES;
    teller.scratch.ptr = malloc(teller.scratch.size);
    teller.slots = malloc((hg_filter_path_count(filter) + 1) * sizeof(*teller.slots));
    hg_result r = teller.scratch.ptr && teller.slots ? HG_OK : HG_FAIL(NOMEM);
    if (hg_ok(r))
        r = hg_parse_expression(hg_filter_canonical(filter), options, &teller.tree, &teller.tree.root, &report);
    HG_ASSERT(r.code != HG_ERR_FILTER_INVALID); /* it was read before */
    if (hg_ok(r))
        r = hg_fields_new(hash_key, &teller.fields);
    if (hg_ok(r))
        r = hg_fields_add_filter(teller.fields, filter, teller.slots);
    if (hg_ok(r)) {
        bool json = hg_fields_extract(teller.fields, event, topic, &teller.scratch);
        bool passes = hg_filter_passes(filter, hg_fields_values(teller.fields), teller.slots, &teller.scratch);
        r = tell_all(&teller, passes, json);
        if (hg_ok(r))
            *ret_passes = passes;
    }
    hg_fields_free(teller.fields);
    free(teller.slots);
    free(teller.scratch.ptr);
    hg_buf_done(&teller.part);
    hg_tree_done(&teller.tree);
    return r;
}

hg_result hg_filter_explain_json(const struct hg_filter *filter, struct hg_slice event, struct hg_slice topic,
                                 struct hg_buf *into, bool *ret_passes)
{
    return explain(filter, event, topic, true, into, ret_passes);
}

hg_result hg_filter_explain_text(const struct hg_filter *filter, struct hg_slice event, struct hg_slice topic,
                                 struct hg_buf *into, bool *ret_passes)
{
    return explain(filter, event, topic, false, into, ret_passes);
}
