#include <stdlib.h>

#include "base/assert.h"
#include "base/visible.h"
#include "schema/category.h"
#include "schema/regex.h"
#include "schema/regex_tree.h"

#define NONE HG_REGEX_NONE

struct parser {
    struct hg_slice all;
    const char *at, *end;
    unsigned depth;
    struct hg_regex_tree *tree;
    struct hg_buf *reterr;
};

static const char syntax_characters[] = "^$\\.*+?()[]{}|/";

static hg_result parse_choice(struct parser *p, uint32_t *ret_node);

/* ---- refusals ---- */

/* Refuses what stands from `from` up to where we are, or the one character there. */
static hg_result refuse(struct parser *p, const char *from, const char *allowed)
{
    size_t characters = 1;
    for (const char *at = p->all.ptr; at < from; at++)
        characters += ((unsigned char)*at & 0xc0) != 0x80;
    if (from >= p->end) {
        hg_buf_put_str(p->reterr, "found the end of the expression");
    } else {
        struct hg_slice rest = hg_slice(from, (size_t)(p->end - from));
        size_t len = p->at > from ? (size_t)(p->at - from) : hg_visible_char(rest);
        hg_buf_put_str(p->reterr, "found \"");
        hg_visible_put(hg_slice_first(rest, len), 40, p->reterr);
        hg_buf_printf(p->reterr, "\" at character %zu", characters);
    }
    hg_buf_put_str(p->reterr, "; allowed: ");
    hg_buf_put_str(p->reterr, allowed);
    return p->reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(SYNTAX);
}

/* ---- the tree ---- */

static hg_result add_node(struct parser *p, enum hg_regex_kind kind, uint32_t a, uint32_t b, uint32_t *ret_node)
{
    struct hg_regex_tree *tree = p->tree;
    if (tree->count == tree->capacity) {
        uint32_t capacity = tree->capacity ? tree->capacity * 2 : 16;
        struct hg_regex_node *nodes = realloc(tree->nodes, capacity * sizeof(*nodes));
        if (!nodes)
            return HG_FAIL(NOMEM);
        tree->nodes = nodes;
        tree->capacity = capacity;
    }
    tree->nodes[tree->count] = (struct hg_regex_node){kind, a, b, NONE, NONE, NONE, NONE};
    *ret_node = tree->count++;
    return HG_OK;
}

static void add_child(struct hg_regex_tree *tree, uint32_t parent, uint32_t child)
{
    struct hg_regex_node *above = &tree->nodes[parent];
    tree->nodes[child].previous = above->last;
    if (above->last == NONE)
        above->first = child;
    else
        tree->nodes[above->last].next = child;
    above->last = child;
}

static hg_result add_set(struct parser *p, uint32_t *ret_set)
{
    struct hg_regex_tree *tree = p->tree;
    if (tree->set_count == tree->set_capacity) {
        uint32_t capacity = tree->set_capacity ? tree->set_capacity * 2 : 4;
        struct hg_charset *sets = realloc(tree->sets, capacity * sizeof(*sets));
        if (!sets)
            return HG_FAIL(NOMEM);
        tree->sets = sets;
        tree->set_capacity = capacity;
    }
    tree->sets[tree->set_count] = (struct hg_charset){.ranges = NULL};
    *ret_set = tree->set_count++;
    return HG_OK;
}

void hg_regex_tree_done(struct hg_regex_tree *tree)
{
    for (uint32_t i = 0; i < tree->set_count; i++)
        hg_charset_done(&tree->sets[i]);
    free(tree->sets);
    free(tree->nodes);
    *tree = (struct hg_regex_tree){.nodes = NULL};
}

/* ---- characters ---- */

static bool is_at(const struct parser *p, char c)
{
    return p->at < p->end && *p->at == c;
}

/* strchr() would find the NUL that ends the list. */
static bool is_one_of(char c, const char *list)
{
    return c != '\0' && strchr(list, c);
}

static bool take(struct parser *p, const char *word)
{
    if (!hg_slice_starts(hg_slice(p->at, (size_t)(p->end - p->at)), hg_slice_str(word)))
        return false;
    p->at += strlen(word);
    return true;
}

static uint32_t take_char(struct parser *p)
{
    unsigned char lead = (unsigned char)*p->at++;
    if (lead < 0x80)
        return lead;
    unsigned more = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    uint32_t c = lead & (0x3fu >> more);
    while (more-- > 0)
        c = c << 6 | ((unsigned char)*p->at++ & 0x3f);
    return c;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 32;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Exactly `count` digits, or none are taken. */
static bool take_hex(struct parser *p, int count, uint32_t *ret_number)
{
    uint32_t number = 0;
    if (p->end - p->at < count)
        return false;
    for (int i = 0; i < count; i++) {
        int digit = hex_digit(p->at[i]);
        if (digit < 0)
            return false;
        number = number * 16 + (uint32_t)digit;
    }
    p->at += count;
    *ret_number = number;
    return true;
}

/* Behind \u: four digits, two times four for a pair, or any number of digits in braces. */
static hg_result take_unicode(struct parser *p, const char *from, uint32_t *ret_c)
{
    static const char allowed[] = "\\uXXXX or \\u{X…} with hexadecimal digits, up to 10FFFF";
    uint32_t c = 0, low;
    if (take(p, "{")) {
        const char *digits = p->at;
        while (p->at < p->end && hex_digit(*p->at) >= 0 && c <= HG_CHAR_MAX)
            c = c * 16 + (uint32_t)hex_digit(*p->at++);
        if (p->at == digits || c > HG_CHAR_MAX || !take(p, "}"))
            return refuse(p, from, allowed);
    } else if (!take_hex(p, 4, &c)) {
        return refuse(p, from, allowed);
    } else if (c >= 0xd800 && c <= 0xdbff) {
        const char *behind = p->at;
        if (take(p, "\\u") && take_hex(p, 4, &low) && low >= 0xdc00 && low <= 0xdfff)
            c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
        else
            p->at = behind;
    }
    *ret_c = c;
    return HG_OK;
}

/* Behind a backslash, an escape that stands for one character. */
static hg_result take_escape(struct parser *p, const char *from, bool in_class, uint32_t *ret_c)
{
    static const char letters[] = "tnvfr", meant[] = "\t\n\v\f\r";
    if (p->at == p->end)
        return refuse(p, p->end, "a character behind the backslash");
    char c = *p->at;
    const char *found = memchr(letters, c, sizeof(letters) - 1);
    if (found) {
        p->at++;
        *ret_c = (unsigned char)meant[found - letters];
        return HG_OK;
    }
    if (is_one_of(c, syntax_characters) || (in_class && c == '-')) {
        p->at++;
        *ret_c = (unsigned char)c;
        return HG_OK;
    }
    if (take(p, "u"))
        return take_unicode(p, from, ret_c);
    if (take(p, "x")) {
        if (!take_hex(p, 2, ret_c))
            return refuse(p, from, "\\xXX with two hexadecimal digits");
        return HG_OK;
    }
    if (take(p, "c")) {
        char letter = p->at < p->end ? (char)(*p->at | 32) : '\0';
        if (letter < 'a' || letter > 'z')
            return refuse(p, from, "\\c and a letter from A to Z");
        *ret_c = (uint32_t)(*p->at++ & 31);
        return HG_OK;
    }
    if (c == '0' && !(p->end - p->at > 1 && p->at[1] >= '0' && p->at[1] <= '9')) {
        p->at++;
        *ret_c = 0;
        return HG_OK;
    }
    bool digit = c >= '0' && c <= '9';
    take_char(p);
    if (!in_class && (digit || c == 'k'))
        return refuse(p, from, "anything but references to groups, which cannot be matched in bounded time");
    return refuse(p, from,
                  in_class ? "\\d \\D \\w \\W \\s \\S \\p{…} \\P{…} \\t \\n \\v \\f \\r \\b \\0 \\cX \\xXX \\uXXXX "
                             "\\u{X…} and a backslash before one of ^$\\.*+?()[]{}|/-"
                           : "\\d \\D \\w \\W \\s \\S \\p{…} \\P{…} \\b \\B \\t \\n \\v \\f \\r \\0 \\cX \\xXX \\uXXXX "
                             "\\u{X…} and a backslash before one of ^$\\.*+?()[]{}|/");
}

/* ---- sets ---- */

/* Behind \p or \P. */
static hg_result take_property(struct parser *p, const char *from, bool others, struct hg_charset *set)
{
    static const char allowed[] = "\\p{…} with a general category of Unicode such as L, Lu, Letter or "
                                  "Uppercase_Letter, or with Any, ASCII or Assigned";
    uint32_t categories;
    if (!take(p, "{"))
        return refuse(p, from, allowed);
    const char *close = memchr(p->at, '}', (size_t)(p->end - p->at));
    if (!close)
        return refuse(p, from, allowed);
    if (!take(p, "General_Category="))
        take(p, "gc=");
    struct hg_slice name = hg_slice(p->at, (size_t)(close - p->at));
    bool bare = p->at[-1] == '{';
    p->at = close + 1;
    if (hg_category_find(name, &categories))
        return hg_charset_add_categories(set, categories, others);
    if (bare && hg_slice_is(name, "Any"))
        return others ? HG_OK : hg_charset_add(set, 0, HG_CHAR_MAX);
    if (bare && hg_slice_is(name, "ASCII"))
        return hg_charset_add(set, others ? 128 : 0, others ? HG_CHAR_MAX : 127);
    if (bare && hg_slice_is(name, "Assigned") && hg_category_find(HG_LIT("Cn"), &categories))
        return hg_charset_add_categories(set, categories, !others);
    return refuse(p, from, allowed);
}

/* An escape that stands for a set, such as \d. False with nothing taken when it is another one. */
static hg_result take_set_escape(struct parser *p, struct hg_charset *set, bool *ret_taken)
{
    const char *from = p->at;
    *ret_taken = false;
    if (p->end - p->at < 2 || *p->at != '\\')
        return HG_OK;
    char c = p->at[1];
    *ret_taken = true;
    if (is_one_of(c, "dDwWsS")) {
        p->at += 2;
        return hg_charset_add_named(set, c);
    }
    if (c == 'p' || c == 'P') {
        p->at += 2;
        return take_property(p, from, c == 'P', set);
    }
    *ret_taken = false;
    return HG_OK;
}

/* One member of a class: a character, or a whole set. */
static hg_result take_class_atom(struct parser *p, struct hg_charset *set, bool *ret_is_set, uint32_t *ret_c)
{
    const char *from = p->at;
    HG_TRY(take_set_escape(p, set, ret_is_set));
    if (*ret_is_set)
        return HG_OK;
    if (p->at == p->end)
        return refuse(p, p->end, "a ] that closes the class");
    if (!take(p, "\\")) {
        *ret_c = take_char(p);
        return HG_OK;
    }
    if (take(p, "b")) {
        *ret_c = '\b';
        return HG_OK;
    }
    return take_escape(p, from, true, ret_c);
}

static hg_result take_class_range(struct parser *p, struct hg_charset *set)
{
    const char *from = p->at;
    uint32_t first = 0, last = 0;
    bool first_is_set, last_is_set;
    HG_TRY(take_class_atom(p, set, &first_is_set, &first));
    if (!is_at(p, '-') || (p->end - p->at > 1 && p->at[1] == ']'))
        return first_is_set ? HG_OK : hg_charset_add(set, first, first);
    p->at++;
    HG_TRY(take_class_atom(p, set, &last_is_set, &last));
    if (first_is_set || last_is_set)
        return refuse(p, from, "a range between two characters; write \\- for a hyphen");
    if (first > last)
        return refuse(p, from, "a range that goes upwards");
    return hg_charset_add(set, first, last);
}

/* Behind [. */
static hg_result take_class(struct parser *p, struct hg_charset *set, bool *ret_negated)
{
    *ret_negated = take(p, "^");
    while (!take(p, "]"))
        HG_TRY(take_class_range(p, set));
    return HG_OK;
}

/* ---- the grammar ---- */

/* A number of a repeat; what is past the bound stays there, since it will be refused anyway. */
static bool take_count(struct parser *p, uint32_t *ret_count)
{
    const char *from = p->at;
    uint32_t count = 0;
    for (; p->at < p->end && *p->at >= '0' && *p->at <= '9'; p->at++)
        count = count < 100000000 ? count * 10 + (uint32_t)(*p->at - '0') : count;
    *ret_count = count;
    return p->at > from;
}

static hg_result take_quantifier(struct parser *p, uint32_t *ret_least, uint32_t *ret_most, bool *ret_taken)
{
    const char *from = p->at;
    *ret_taken = true;
    *ret_least = 0;
    *ret_most = HG_REGEX_ENDLESS;
    if (take(p, "+")) {
        *ret_least = 1;
    } else if (take(p, "?")) {
        *ret_most = 1;
    } else if (take(p, "{")) {
        static const char allowed[] = "{n}, {n,} or {n,m} with n ≤ m; write \\{ for a brace";
        bool good = take_count(p, ret_least);
        *ret_most = *ret_least;
        if (good && take(p, ",") && !take_count(p, ret_most))
            *ret_most = HG_REGEX_ENDLESS;
        if (!good || !take(p, "}") || *ret_least > *ret_most)
            return refuse(p, from, allowed);
    } else if (!take(p, "*")) {
        *ret_taken = false;
        return HG_OK;
    }
    take(p, "?"); /* which match is found first makes no difference to whether there is one */
    return HG_OK;
}

static hg_result take_group_name(struct parser *p, const char *from)
{
    const char *name = p->at;
    while (p->at < p->end && *p->at != '>') {
        char c = *p->at;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' || (c & 0x80);
        if (!letter && !(c >= '0' && c <= '9' && p->at > name))
            break;
        p->at++;
    }
    if (p->at == name || !take(p, ">"))
        return refuse(p, from, "a name of letters, digits, _ and $ in angle brackets");
    return HG_OK;
}

/* Behind (. */
static hg_result parse_group(struct parser *p, const char *from, uint32_t *ret_node, bool *ret_is_look)
{
    uint32_t look = 0, child;
    *ret_is_look = true;
    if (take(p, "?=")) {
        look = 0;
    } else if (take(p, "?!")) {
        look = HG_REGEX_NEGATED;
    } else if (take(p, "?<=")) {
        look = HG_REGEX_BEHIND;
    } else if (take(p, "?<!")) {
        look = HG_REGEX_BEHIND | HG_REGEX_NEGATED;
    } else {
        *ret_is_look = false;
        if (take(p, "?<"))
            HG_TRY(take_group_name(p, from));
        else if (!take(p, "?:") && take(p, "?"))
            return refuse(p, from, "(…) (?:…) (?<name>…) (?=…) (?!…) (?<=…) (?<!…)");
    }
    if (++p->depth > HG_REGEX_DEPTH_MAX)
        return refuse(p, from, "groups up to 64 inside each other");
    HG_TRY(parse_choice(p, &child));
    if (!take(p, ")"))
        return refuse(p, p->at, "a ) that closes the group");
    p->depth--;
    *ret_node = child;
    if (!*ret_is_look)
        return HG_OK;
    if (p->tree->looks == HG_REGEX_LOOKS_MAX)
        return refuse(p, from, "up to 16 lookaheads and lookbehinds");
    HG_TRY(add_node(p, HG_REGEX_LOOK, p->tree->looks++, look, ret_node));
    add_child(p->tree, *ret_node, child);
    return HG_OK;
}

static hg_result parse_set(struct parser *p, uint32_t *ret_node)
{
    struct hg_charset set = {.ranges = NULL};
    uint32_t number = 0;
    bool taken = true, negated = false;
    hg_result r;
    if (take(p, "."))
        r = hg_charset_add_named(&set, '.');
    else if (take(p, "["))
        r = take_class(p, &set, &negated);
    else
        r = take_set_escape(p, &set, &taken);
    if (hg_ok(r) && taken)
        r = hg_charset_close(&set, negated);
    if (hg_ok(r) && taken)
        r = add_set(p, &number);
    if (!hg_ok(r) || !taken) {
        hg_charset_done(&set);
        *ret_node = NONE;
        return r;
    }
    p->tree->sets[number] = set;
    return add_node(p, HG_REGEX_SET, number, 0, ret_node);
}

/* What a quantifier may follow, or a place to be at. */
static hg_result parse_atom(struct parser *p, uint32_t *ret_node, bool *ret_repeatable)
{
    const char *from = p->at;
    uint32_t c;
    *ret_repeatable = false;
    if (take(p, "^"))
        return add_node(p, HG_REGEX_BEGIN, 0, 0, ret_node);
    if (take(p, "$"))
        return add_node(p, HG_REGEX_END, 0, 0, ret_node);
    if (take(p, "\\b"))
        return add_node(p, HG_REGEX_WORD, 0, 0, ret_node);
    if (take(p, "\\B"))
        return add_node(p, HG_REGEX_NOT_WORD, 0, 0, ret_node);
    *ret_repeatable = true;
    if (take(p, "(")) {
        bool is_look;
        HG_TRY(parse_group(p, from, ret_node, &is_look));
        *ret_repeatable = !is_look;
        return HG_OK;
    }
    if (is_one_of(*p->at, ".[\\")) {
        HG_TRY(parse_set(p, ret_node));
        if (*ret_node != NONE)
            return HG_OK;
    }
    if (is_one_of(*p->at, "*+?{"))
        return refuse(p, from, "a quantifier behind what it repeats; write a backslash before the character itself");
    if (is_one_of(*p->at, "]}"))
        return refuse(p, from, "\\] and \\} for the characters themselves");
    if (take(p, "\\"))
        HG_TRY(take_escape(p, from, false, &c));
    else
        c = take_char(p);
    return add_node(p, HG_REGEX_CHAR, c, 0, ret_node);
}

static hg_result parse_sequence(struct parser *p, uint32_t *ret_node)
{
    uint32_t sequence;
    HG_TRY(add_node(p, HG_REGEX_SEQUENCE, 0, 0, &sequence));
    while (p->at < p->end && *p->at != '|' && *p->at != ')') {
        uint32_t atom, least, most;
        bool repeatable, repeated;
        HG_TRY(parse_atom(p, &atom, &repeatable));
        const char *quantifier = p->at;
        HG_TRY(take_quantifier(p, &least, &most, &repeated));
        if (repeated && !repeatable)
            return refuse(p, quantifier, "no quantifier behind a place such as ^ $ \\b (?=…)");
        if (repeated) {
            uint32_t repeat;
            HG_TRY(add_node(p, HG_REGEX_REPEAT, least, most, &repeat));
            add_child(p->tree, repeat, atom);
            atom = repeat;
        }
        add_child(p->tree, sequence, atom);
    }
    *ret_node = sequence;
    return HG_OK;
}

static hg_result parse_choice(struct parser *p, uint32_t *ret_node)
{
    uint32_t first, choice, other;
    HG_TRY(parse_sequence(p, &first));
    *ret_node = first;
    if (!is_at(p, '|'))
        return HG_OK;
    HG_TRY(add_node(p, HG_REGEX_CHOICE, 0, 0, &choice));
    add_child(p->tree, choice, first);
    while (take(p, "|")) {
        HG_TRY(parse_sequence(p, &other));
        add_child(p->tree, choice, other);
    }
    *ret_node = choice;
    return HG_OK;
}

hg_result hg_regex_parse(struct hg_slice text, struct hg_regex_tree *tree, struct hg_buf *reterr)
{
    if (!text.ptr)
        text = HG_LIT("");
    struct parser p = {text, text.ptr, text.ptr + text.len, 0, tree, reterr};
    *tree = (struct hg_regex_tree){.nodes = NULL};
    if (text.len > HG_REGEX_BYTES_MAX) {
        hg_buf_printf(reterr, "found an expression of %zu bytes; allowed: up to %d", text.len, HG_REGEX_BYTES_MAX);
        return reterr->error == HG_ERR_NOMEM ? HG_FAIL(NOMEM) : HG_FAIL(SYNTAX);
    }
    HG_TRY(parse_choice(&p, &tree->root));
    return p.at < p.end ? refuse(&p, p.at, "\\) for the character itself") : HG_OK;
}
