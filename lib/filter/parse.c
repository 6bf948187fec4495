#include "filter/parse.h"

#include "base/assert.h"
#include "base/json.h"
#include "base/utf8.h"
#include "filter/function.h"
#include "filter/path.h"
#include "filter/text.h"

struct parser {
    struct hg_slice source;
    struct hg_parse_options options;
    struct hg_tree *tree;
    struct hg_filter_report *report;
    struct hg_token token; /* the next one, not taken yet */
    size_t last_end;       /* where the one before ended */
    unsigned depth;
    bool strict;
};

static hg_result parse_logic(struct parser *p, uint16_t *ret_node);
static hg_result parse_unary(struct parser *p, uint16_t *ret_node);

static void advance(struct parser *p)
{
    p->last_end = p->token.end;
    p->token = hg_lexer_next(p->source, p->token.end, p->options.dialect);
}

static hg_result refuse(struct parser *p, size_t at, const char *sentence)
{
    return hg_report_refuse(p->report, at, sentence, HG_SLICE_NULL, NULL);
}

/* Something else was expected here. */
static hg_result refuse_token(struct parser *p, const char *expected)
{
    if (p->token.kind == HG_TOKEN_WRONG)
        return refuse(p, p->token.at, p->token.why);
    if (p->token.kind == HG_TOKEN_END)
        return hg_report_refuse(p->report, p->token.at, "The expression ends too early: ", hg_slice_str(expected),
                                " is missing here.");
    struct hg_slice found = hg_slice(p->source.ptr + p->token.at, p->token.end - p->token.at);
    p->report->text[0] = '\0';
    /* Two quoted parts: the expected one is ours and short. */
    static const char *const ends[][2] = {
        {"a value", "\" stands where a value was expected."},
        {"a )", "\" stands where a ) was expected."},
        {"a , or )", "\" stands where a , or ) was expected."},
        {"a (", "\" stands where a ( was expected."},
        {"a name", "\" stands where the name of an attribute was expected."},
        {"a pattern", "\" stands where a pattern in quotes was expected."},
        {"LIKE or IN", "\" stands where LIKE or IN was expected."},
        {"a ]", "\" stands where a ] was expected."},
        {"an index", "\" stands where a position or a name in quotes was expected."},
        {"an operator", "\" stands where an operator like AND or = was expected."},
        {"a }", "\" stands where a } was expected."},
    };
    for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
        if (strcmp(ends[i][0], expected) == 0)
            return hg_report_refuse(p->report, p->token.at, "\"", found, ends[i][1]);
    HG_UNREACHABLE();
}

static hg_result expect(struct parser *p, const char *symbol, const char *expected)
{
    if (!hg_token_is(&p->token, symbol))
        return refuse_token(p, expected);
    advance(p);
    return HG_OK;
}

static hg_result add(struct parser *p, struct hg_node node, uint16_t *ret_node)
{
    node.strict = p->strict;
    hg_result r = hg_tree_add(p->tree, node, ret_node);
    if (r.code == HG_ERR_TOO_BIG)
        return refuse(p, node.at, "The filter has too many parts; 256 are allowed.");
    return r;
}

static struct hg_node *node_of(struct parser *p, uint16_t number)
{
    return &p->tree->nodes[number];
}

static hg_result enter(struct parser *p)
{
    bool canonical = p->options.dialect == HG_DIALECT_CANONICAL;
    if (p->depth == (canonical ? HG_CANONICAL_DEPTH_MAX : HG_FILTER_DEPTH_MAX))
        return refuse(p, p->token.at, "The filter is nested too deeply; 64 levels are allowed.");
    p->depth++;
    return HG_OK;
}

/* A row of equal operators shares one node; `ret_node` gets what there is so far hung below it. */
static hg_result join(struct parser *p, enum hg_node_kind kind, uint8_t op, uint16_t left, uint16_t right,
                      uint16_t *ret_node)
{
    uint16_t number;
    struct hg_node node = {.kind = (uint8_t)kind, .op = op, .at = node_of(p, left)->at, .end = (uint32_t)p->last_end};
    HG_TRY(add(p, node, &number));
    hg_tree_hang(p->tree, number, left);
    hg_tree_hang(p->tree, number, right);
    *ret_node = number;
    return HG_OK;
}

static bool is_keyword(const struct parser *p)
{
    static const char *const words[] = {"AND", "OR", "XOR", "NOT", "LIKE", "IN", "EXISTS", "TRUE", "FALSE", "NULL"};
    size_t count = sizeof(words) / sizeof(words[0]) - (p->strict && p->options.dialect == HG_DIALECT_SQL);
    for (size_t i = 0; i < count; i++)
        if (hg_token_is_word(&p->token, words[i]))
            return true;
    return false;
}

/* ---- paths ---- */

static bool at_char(const struct parser *p, size_t at, char c)
{
    return at < p->source.len && p->source.ptr[at] == c;
}

static hg_result decode_name(struct parser *p, size_t path_from, struct hg_buf *into)
{
    struct hg_buf name;
    hg_buf_init(&name, 1u << 16);
    if (p->options.dialect == HG_DIALECT_CANONICAL) { /* written as JSON there */
        struct hg_json json = {HG_JSON_STRING, hg_slice(p->source.ptr + p->token.at, p->token.end - p->token.at)};
        HG_ASSERT(hg_json_string_decode(json, &name).code != HG_ERR_SYNTAX);
    } else {
        hg_token_decode(&p->token, p->source, p->options.dialect, &name);
    }
    hg_result r = hg_buf_result(&name);
    if (hg_ok(r))
        hg_path_put_name(into, path_from, hg_buf_slice(&name));
    hg_buf_done(&name);
    return r;
}

/* Behind an opening bracket. */
static hg_result parse_bracket(struct parser *p, bool root, size_t path_from, struct hg_buf *into)
{
    advance(p);
    if (p->token.kind == HG_TOKEN_STRING) {
        HG_TRY(decode_name(p, path_from, into));
    } else if (p->token.kind == HG_TOKEN_NUMBER && !root) {
        struct hg_value index;
        if (!hg_number_parse(p->token.text, &index) || index.type != HG_VALUE_INT || index.number >= UINT32_MAX ||
            memchr(p->token.text.ptr, '.', p->token.text.len))
            return refuse(p, p->token.at, "A position in an array is a whole number from 0 on.");
        hg_path_put_index(into, (uint32_t)index.number);
    } else {
        return refuse_token(p, "an index");
    }
    size_t end = p->token.end;
    while (at_char(p, end, ' '))
        end++;
    if (!at_char(p, end, ']')) {
        advance(p);
        return refuse_token(p, "a ]");
    }
    p->token.end = end + 1; /* the token is what was read last; the next one is looked for behind it */
    return HG_OK;
}

/* The path that begins at the token. A dot or bracket belongs to it when no space is between. */
static hg_result parse_path(struct parser *p, struct hg_buf *into)
{
    size_t path_from = into->len;
    unsigned depth = 1;
    if (hg_token_is(&p->token, "[")) {
        HG_TRY(parse_bracket(p, true, path_from, into));
    } else {
        struct hg_slice name = p->token.text;
        size_t end = p->token.end;
        bool alone = p->options.dialect == HG_DIALECT_SQL || (!at_char(p, end, '.') && !at_char(p, end, '['));
        if (p->options.dialect == HG_DIALECT_SQL) {
            /* Attribute names are in lower case; an expression may write them as it likes. */
            if (memchr(name.ptr, '_', name.len))
                return hg_report_refuse(p->report, p->token.at, "\"", name,
                                        "\" is no attribute name; those have letters and digits only.");
            char lower[64];
            if (name.len > sizeof(lower))
                return refuse(p, p->token.at, "This attribute name is too long; 64 characters are allowed.");
            for (size_t i = 0; i < name.len; i++)
                lower[i] = (char)(name.ptr[i] >= 'A' && name.ptr[i] <= 'Z' ? name.ptr[i] + 32 : name.ptr[i]);
            hg_path_put_name(into, path_from, hg_slice(lower, name.len));
        } else {
            hg_path_put_name(into, path_from, alone && !p->strict ? hg_path_spelling(name) : name);
        }
        if (alone) {
            advance(p);
            return hg_buf_result(into);
        }
    }
    for (;;) {
        size_t end = p->token.end;
        if (at_char(p, end, '.')) {
            size_t from = end + 1, to = from;
            while (to < p->source.len && hg_path_is_name_byte(p->source.ptr[to]))
                to++;
            if (to == from)
                return refuse(p, from,
                              "A name is missing behind this dot; odd names stand in brackets: [\"odd name\"].");
            hg_path_put_name(into, path_from, hg_slice(p->source.ptr + from, to - from));
            p->token.end = to;
        } else if (at_char(p, end, '[')) {
            p->token = (struct hg_token){.kind = HG_TOKEN_SYMBOL, .at = end, .end = end + 1};
            HG_TRY(parse_bracket(p, false, path_from, into));
        } else {
            break;
        }
        if (++depth > HG_PATH_DEPTH_MAX)
            return refuse(p, end, "This path goes too deep; 64 steps are allowed.");
    }
    advance(p);
    return hg_buf_result(into);
}

static bool is_path_start(const struct parser *p)
{
    return (p->token.kind == HG_TOKEN_WORD && !is_keyword(p)) ||
           (hg_token_is(&p->token, "[") && p->options.dialect != HG_DIALECT_SQL);
}

static hg_result parse_path_node(struct parser *p, enum hg_node_kind kind, size_t at, uint16_t *ret_node)
{
    struct hg_node node = {.kind = (uint8_t)kind, .at = (uint32_t)at, .text_at = (uint32_t)p->tree->texts.len};
    HG_TRY(parse_path(p, &p->tree->texts));
    node.text_len = (uint32_t)(p->tree->texts.len - node.text_at);
    node.end = (uint32_t)p->last_end;
    return add(p, node, ret_node);
}

/* ---- from the tightest to the loosest ---- */

static hg_result parse_number(struct parser *p, size_t at, bool negative, uint16_t *ret_node)
{
    struct hg_node node = {.kind = HG_NODE_CONST, .at = (uint32_t)at, .end = (uint32_t)p->token.end};
    char text[64];
    struct hg_slice digits = p->token.text;
    while (digits.len > 1 && digits.ptr[0] == '0')
        digits = hg_slice_from(digits, 1);
    if (digits.len > 0 && (digits.ptr[0] < '0' || digits.ptr[0] > '9'))
        digits = hg_slice(digits.ptr - 1, digits.len + 1); /* the 0 of 0.5 */
    if (digits.len >= sizeof(text))
        return refuse(p, at, "This number has too many digits.");
    text[0] = negative ? '-' : '+';
    memcpy(text + 1, digits.ptr, digits.len);
    bool ok = hg_number_parse(hg_slice(text, digits.len + 1), &node.value);
    if (p->strict &&
        (!ok || node.value.type != HG_VALUE_INT || node.value.number < INT32_MIN || node.value.number > INT32_MAX))
        return refuse(p, at, "Numbers of CloudEvents SQL go from -2147483648 to 2147483647.");
    if (!ok)
        return refuse(p, at, "This number is too large.");
    advance(p);
    return add(p, node, ret_node);
}

static hg_result parse_call(struct parser *p, uint16_t *ret_node)
{
    struct hg_token name = p->token;
    enum hg_function function = hg_function_find(name.text);
    uint16_t call;
    advance(p);
    HG_TRY(enter(p));
    HG_TRY(expect(p, "(", "a ("));
    HG_TRY(add(p, (struct hg_node){.kind = HG_NODE_CALL, .at = (uint32_t)name.at}, &call));
    while (!hg_token_is(&p->token, ")")) {
        uint16_t argument;
        if (node_of(p, call)->count > 0)
            HG_TRY(expect(p, ",", "a , or )"));
        HG_TRY(parse_logic(p, &argument));
        hg_tree_hang(p->tree, call, argument);
    }
    advance(p);
    p->depth--;
    struct hg_node *node = node_of(p, call);
    node->end = (uint32_t)p->last_end;
    bool known = function != HG_FUNCTION_UNKNOWN;
    if (known) {
        const struct hg_function_row *row = hg_function_row(function);
        known = node->count >= row->least && node->count <= row->most;
        if (!known && !p->options.unknown_functions)
            return hg_report_refuse(p->report, name.at,
                                    hg_slice_is(hg_slice_str(row->name), "SUBSTRING")
                                        ? "This function takes 2 or 3 values: "
                                    : row->least == 2 ? "This function takes 2 values: "
                                    : row->most > 3   ? "This function takes 1 value or more: "
                                                      : "This function takes 1 value: ",
                                    hg_slice_str(row->name), ".");
    } else if (!p->options.unknown_functions) {
        return hg_report_refuse(
            p->report, name.at, "There is no function ", name.text,
            "; there are LENGTH CONCAT CONCAT_WS LOWER UPPER TRIM LEFT RIGHT SUBSTRING ABS INT BOOL STRING "
            "IS_INT IS_BOOL.");
    }
    node->op = known ? (uint8_t)function : HG_FUNCTION_UNKNOWN;
    *ret_node = call;
    return HG_OK;
}

static hg_result parse_sql_block(struct parser *p, uint16_t *ret_node)
{
    struct hg_node node = {.kind = HG_NODE_SQL, .at = (uint32_t)p->token.at};
    uint16_t inner;
    advance(p);
    HG_TRY(enter(p));
    HG_TRY(expect(p, "{", "a value"));
    HG_TRY(add(p, node, ret_node));
    p->strict = true;
    HG_TRY(parse_logic(p, &inner));
    p->strict = false;
    p->depth--;
    hg_tree_hang(p->tree, *ret_node, inner);
    return expect(p, "}", "a }");
}

static hg_result parse_primary(struct parser *p, uint16_t *ret_node)
{
    size_t at = p->token.at;
    if (hg_token_is(&p->token, "(")) {
        HG_TRY(enter(p));
        advance(p);
        HG_TRY(parse_logic(p, ret_node));
        p->depth--;
        return expect(p, ")", "a )");
    }
    if (p->token.kind == HG_TOKEN_STRING) {
        struct hg_node node = {.kind = HG_NODE_CONST,
                               .value = {.type = HG_VALUE_STRING},
                               .text_at = (uint32_t)p->tree->texts.len,
                               .at = (uint32_t)at,
                               .end = (uint32_t)p->token.end};
        hg_token_decode(&p->token, p->source, p->options.dialect, &p->tree->texts);
        node.text_len = (uint32_t)(p->tree->texts.len - node.text_at);
        advance(p);
        return add(p, node, ret_node);
    }
    if (p->token.kind == HG_TOKEN_NUMBER)
        return parse_number(p, at, false, ret_node);
    struct hg_node node = {.kind = HG_NODE_CONST, .at = (uint32_t)at, .end = (uint32_t)p->token.end};
    bool truth = hg_token_is_word(&p->token, "TRUE");
    if (truth || hg_token_is_word(&p->token, "FALSE")) {
        node.value = hg_value_bool(truth);
        advance(p);
        return add(p, node, ret_node);
    }
    if (!p->strict && hg_token_is_word(&p->token, "NULL")) {
        node.value.type = HG_VALUE_NULL;
        advance(p);
        return add(p, node, ret_node);
    }
    if (hg_token_is_word(&p->token, "EXISTS")) {
        advance(p);
        if (!is_path_start(p))
            return refuse_token(p, "a name");
        return parse_path_node(p, HG_NODE_EXISTS, at, ret_node);
    }
    if (!is_path_start(p))
        return refuse_token(p, "a value");
    if (p->token.kind == HG_TOKEN_WORD) {
        struct hg_token next = hg_lexer_next(p->source, p->token.end, p->options.dialect);
        if (hg_token_is(&next, "("))
            return parse_call(p, ret_node);
        if (p->options.dialect == HG_DIALECT_CANONICAL && hg_token_is(&next, "{"))
            return parse_sql_block(p, ret_node);
    }
    return parse_path_node(p, HG_NODE_PATH, at, ret_node);
}

static hg_result parse_unary(struct parser *p, uint16_t *ret_node)
{
    size_t at = p->token.at;
    bool minus = hg_token_is(&p->token, "-");
    if (minus || hg_token_is(&p->token, "+")) {
        struct hg_token next = hg_lexer_next(p->source, p->token.end, p->options.dialect);
        if (next.kind == HG_TOKEN_NUMBER && next.at == p->token.end) { /* the sign is part of the number */
            advance(p);
            return parse_number(p, at, minus, ret_node);
        }
        if (!minus)
            return refuse_token(p, "a value");
    }
    bool not = hg_token_is_word(&p->token, "NOT");
    if (!minus && !not )
        return parse_primary(p, ret_node);
    uint16_t operand, number;
    HG_TRY(enter(p));
    advance(p);
    HG_TRY(parse_unary(p, &operand));
    p->depth--;
    struct hg_node node = {
        .kind = not ? HG_NODE_NOT : HG_NODE_NEGATE, .at = (uint32_t)at, .end = (uint32_t)p->last_end};
    HG_TRY(add(p, node, &number));
    hg_tree_hang(p->tree, number, operand);
    *ret_node = number;
    return HG_OK;
}

static hg_result parse_pattern(struct parser *p, uint16_t left, bool negated, uint16_t *ret_node)
{
    if (p->token.kind != HG_TOKEN_STRING)
        return refuse_token(p, "a pattern");
    struct hg_node node = {.kind = HG_NODE_LIKE,
                           .negated = negated,
                           .text_at = (uint32_t)p->tree->texts.len,
                           .at = node_of(p, left)->at,
                           .end = (uint32_t)p->token.end};
    hg_token_decode(&p->token, p->source, p->options.dialect, &p->tree->texts);
    HG_TRY(hg_buf_result(&p->tree->texts));
    node.text_len = (uint32_t)(p->tree->texts.len - node.text_at);
    struct hg_slice pattern = hg_tree_text(p->tree, &node);
    /* Compiled into the room behind it, only to see whether it is bounded. */
    char *room = hg_buf_reserve(&p->tree->texts, pattern.len + 1);
    HG_TRY(hg_buf_result(&p->tree->texts));
    if (room && !hg_like_bounded(hg_slice(room, hg_like_compile(hg_tree_text(p->tree, &node), room))))
        return refuse(p, p->token.at, "Between two % of a pattern a piece with _ may have 256 bytes at most.");
    advance(p);
    uint16_t number;
    HG_TRY(add(p, node, &number));
    hg_tree_hang(p->tree, number, left);
    *ret_node = number;
    return HG_OK;
}

static hg_result parse_set(struct parser *p, uint16_t left, bool negated, uint16_t *ret_node)
{
    uint16_t set, element;
    struct hg_node node = {.kind = HG_NODE_IN, .negated = negated, .at = node_of(p, left)->at};
    HG_TRY(expect(p, "(", "a ("));
    HG_TRY(enter(p));
    HG_TRY(add(p, node, &set));
    hg_tree_hang(p->tree, set, left);
    for (;;) {
        HG_TRY(parse_logic(p, &element));
        hg_tree_hang(p->tree, set, element);
        if (hg_token_is(&p->token, ")"))
            break;
        HG_TRY(expect(p, ",", "a , or )"));
    }
    advance(p);
    p->depth--;
    node_of(p, set)->end = (uint32_t)p->last_end;
    *ret_node = set;
    return HG_OK;
}

static hg_result parse_postfix(struct parser *p, uint16_t *ret_node)
{
    HG_TRY(parse_unary(p, ret_node));
    for (;;) {
        bool negated = hg_token_is_word(&p->token, "NOT");
        if (negated) {
            advance(p);
            if (!hg_token_is_word(&p->token, "LIKE") && !hg_token_is_word(&p->token, "IN"))
                return refuse_token(p, "LIKE or IN");
        }
        bool like = hg_token_is_word(&p->token, "LIKE");
        if (!like && !hg_token_is_word(&p->token, "IN"))
            return HG_OK;
        advance(p);
        HG_TRY(like ? parse_pattern(p, *ret_node, negated, ret_node) : parse_set(p, *ret_node, negated, ret_node));
    }
}

static bool is_one_of(const struct hg_token *token, const char *symbols)
{
    return token->kind == HG_TOKEN_SYMBOL && token->text.len == 1 && strchr(symbols, token->text.ptr[0]);
}

static hg_result parse_math(struct parser *p, bool product, uint16_t *ret_node)
{
    HG_TRY(product ? parse_postfix(p, ret_node) : parse_math(p, true, ret_node));
    while (is_one_of(&p->token, product ? "*/%" : "+-")) {
        uint8_t op = (uint8_t)p->token.text.ptr[0];
        uint16_t right;
        advance(p);
        HG_TRY(product ? parse_postfix(p, &right) : parse_math(p, true, &right));
        HG_TRY(join(p, HG_NODE_MATH, op, *ret_node, right, ret_node));
    }
    return HG_OK;
}

static void hint(struct parser *p, size_t at, const char *text)
{
    if (p->report->text[0] == '\0') {
        p->report->at = at;
        memcpy(p->report->text, text, strlen(text) + 1);
    }
}

static hg_result parse_comparison(struct parser *p, uint16_t *ret_node)
{
    static const char *const symbols[] = {
        [HG_EQ] = "=", [HG_NE] = "!=", [HG_LT] = "<", [HG_LE] = "<=", [HG_GT] = ">", [HG_GE] = ">="};
    struct hg_token first = p->token;
    HG_TRY(parse_math(p, false, ret_node));
    bool not_alone = hg_token_is_word(&first, "NOT") && node_of(p, *ret_node)->kind != HG_NODE_NOT;
    for (;;) {
        size_t op = 0;
        while (op < 6 && !hg_token_is(&p->token, symbols[op]))
            op++;
        if (op == 6 && hg_token_is(&p->token, "<>"))
            op = HG_NE;
        if (op == 6)
            break;
        uint16_t right;
        not_alone = not_alone || hg_token_is_word(&first, "NOT");
        advance(p);
        HG_TRY(parse_math(p, false, &right));
        HG_TRY(join(p, HG_NODE_COMPARE, (uint8_t)op, *ret_node, right, ret_node));
    }
    if (not_alone)
        hint(p, first.at,
             "NOT belongs to the value right behind it, not to the whole comparison; write NOT (…) for that.");
    return HG_OK;
}

static hg_result parse_logic(struct parser *p, uint16_t *ret_node)
{
    static const char *const words[] = {"AND", "OR", "XOR"};
    enum hg_node_kind running = HG_NODE_CONST;
    HG_TRY(parse_comparison(p, ret_node));
    for (;;) {
        unsigned i = 0;
        while (i < 3 && !hg_token_is_word(&p->token, words[i]))
            i++;
        if (i == 3)
            return HG_OK;
        enum hg_node_kind kind = HG_NODE_AND + i;
        uint16_t right;
        size_t at = p->token.at;
        advance(p);
        HG_TRY(parse_comparison(p, &right));
        if (kind == running) {
            hg_tree_hang(p->tree, *ret_node, right);
            node_of(p, *ret_node)->end = (uint32_t)p->last_end;
            continue;
        }
        if (running != HG_NODE_CONST)
            hint(p, at,
                 "AND, OR and XOR have equal rank and go from left to right: a OR b AND c is (a OR b) AND c. "
                 "Parentheses "
                 "make it clear.");
        HG_TRY(join(p, kind, 0, *ret_node, right, ret_node));
        running = kind;
    }
}

static hg_result check_source(struct hg_slice source, struct hg_filter_report *report)
{
    size_t valid = hg_utf8_prefix(source);
    if (valid < source.len)
        return hg_report_refuse(report, valid, "This byte is no UTF-8.", HG_SLICE_NULL, NULL);
    return HG_OK;
}

hg_result hg_parse_expression(struct hg_slice source, struct hg_parse_options options, struct hg_tree *tree,
                              uint16_t *ret_node, struct hg_filter_report *report)
{
    *report = (struct hg_filter_report){0};
    HG_TRY(check_source(source, report));
    struct parser parser = {.source = source,
                            .options = options,
                            .tree = tree,
                            .report = report,
                            .strict = options.dialect == HG_DIALECT_SQL};
    uint16_t node = 0;
    advance(&parser);
    if (parser.token.kind == HG_TOKEN_END)
        return refuse(&parser, 0, "The expression is empty.");
    HG_TRY(parse_logic(&parser, &node));
    if (parser.token.kind != HG_TOKEN_END) {
        if (hg_token_is(&parser.token, ")"))
            return refuse(&parser, parser.token.at, "This ) closes nothing.");
        return refuse_token(&parser, "an operator");
    }
    *ret_node = node;
    return HG_OK;
}

hg_result hg_parse_path(struct hg_slice source, struct hg_buf *into, struct hg_filter_report *report)
{
    *report = (struct hg_filter_report){0};
    HG_TRY(check_source(source, report));
    struct parser parser = {.source = source, .options = {.dialect = HG_DIALECT_EXPRESSION}, .report = report};
    advance(&parser);
    if (!is_path_start(&parser))
        return refuse_token(&parser, "a name");
    HG_TRY(parse_path(&parser, into));
    return parser.token.kind == HG_TOKEN_END ? HG_OK : refuse(&parser, parser.token.at, "This belongs to no name.");
}
