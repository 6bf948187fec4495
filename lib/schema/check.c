#include "schema/check.h"

#include <stdlib.h>

#include "base/assert.h"
#include "schema/refusal.h"

#define NONE HG_RULE_NONE

bool hg_run_pay(struct hg_run *run, uint64_t work, uint32_t node)
{
    if (run->work > work) {
        run->work -= work;
        return true;
    }
    run->work = 0;
    if (hg_ok(run->result)) {
        run->result = HG_FAIL(LIMIT_EXCEEDED);
        run->reached = node;
    }
    return false;
}

bool hg_run_enter(struct hg_run *run, uint64_t work, uint32_t node)
{
    if (!hg_run_pay(run, run->depth == HG_SCHEMA_NESTING_MAX ? UINT64_MAX : work, node))
        return false;
    run->depth++;
    return true;
}

bool hg_run_fail(struct hg_run *run, enum hg_check check, uint32_t node, uint32_t place, uint32_t detail,
                 uint32_t detail2)
{
    bool of_name = node == run->event.count;
    run->fault = (struct hg_fault){check, of_name ? run->name_of : node, place, detail, detail2, of_name};
    return false;
}

static bool fail(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node, uint32_t detail, uint32_t detail2)
{
    return hg_run_fail(run, keyword->check, node, keyword->place, detail, detail2);
}

/* ---- values ---- */

static bool has_type(struct hg_run *run, uint32_t types, uint32_t node)
{
    static const uint32_t bits[] = {
        [HG_JSON_NULL] = HG_TYPE_NULL,     [HG_JSON_BOOL] = HG_TYPE_BOOLEAN, [HG_JSON_NUMBER] = HG_TYPE_NUMBER,
        [HG_JSON_STRING] = HG_TYPE_STRING, [HG_JSON_ARRAY] = HG_TYPE_ARRAY,  [HG_JSON_OBJECT] = HG_TYPE_OBJECT,
    };
    enum hg_json_type type = run->event.nodes[node].type;
    if (types & bits[type])
        return true;
    if (type != HG_JSON_NUMBER || !(types & HG_TYPE_INTEGER))
        return false;
    struct hg_decimal number = hg_dom_number(&run->event, node);
    return hg_run_pay(run, run->event.nodes[node].len / 8, node) && hg_decimal_is_whole(&number);
}

static int compare(struct hg_run *run, uint32_t node, uint32_t place)
{
    int order = hg_dom_compare(&run->event, node, &run->schema->dom, place, &run->work);
    hg_run_pay(run, 0, node);
    return order;
}

static bool is_in_enum(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    uint32_t from = 0, end = run->schema->dom.nodes[keyword->place].count;
    while (from < end && hg_ok(run->result)) {
        uint32_t middle = from + (end - from) / 2;
        int order = compare(run, node, keyword->u.sorted[middle]);
        if (order == 0)
            return true;
        if (order > 0)
            from = middle + 1;
        else
            end = middle;
    }
    return false;
}

static bool check_number(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    if (run->event.nodes[node].type != HG_JSON_NUMBER)
        return true;
    struct hg_decimal number = hg_dom_number(&run->event, node);
    bool good;
    if (!hg_run_pay(run, run->event.nodes[node].len / 8, node))
        return false;
    if (keyword->check == HG_CHECK_MULTIPLE_OF) {
        good = hg_decimal_is_multiple(&number, keyword->u.step.digits, keyword->u.step.exponent);
    } else {
        struct hg_decimal bound = hg_dom_number(&run->schema->dom, keyword->place);
        int order = hg_decimal_compare(&number, &bound);
        good = keyword->check == HG_CHECK_MAXIMUM             ? order <= 0
               : keyword->check == HG_CHECK_EXCLUSIVE_MAXIMUM ? order < 0
               : keyword->check == HG_CHECK_MINIMUM           ? order >= 0
                                                              : order > 0;
    }
    return good || fail(run, keyword, node, 0, 0);
}

static uint32_t characters_of(struct hg_slice text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.len; i++)
        count += ((unsigned char)text.ptr[i] & 0xc0) != 0x80;
    return count;
}

static bool check_length(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    if (run->event.nodes[node].type != HG_JSON_STRING)
        return true;
    struct hg_slice text = hg_dom_text(&run->event, node);
    if (!hg_run_pay(run, text.len / 8, node))
        return false;
    uint32_t count = characters_of(text);
    bool good = keyword->check == HG_CHECK_MAX_LENGTH ? count <= keyword->u.count : count >= keyword->u.count;
    return good || fail(run, keyword, node, count, 0);
}

static bool check_count(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    bool items = keyword->check == HG_CHECK_MAX_ITEMS || keyword->check == HG_CHECK_MIN_ITEMS;
    bool most = keyword->check == HG_CHECK_MAX_ITEMS || keyword->check == HG_CHECK_MAX_PROPERTIES;
    if (run->event.nodes[node].type != (items ? HG_JSON_ARRAY : HG_JSON_OBJECT))
        return true;
    uint32_t count = run->event.nodes[node].count;
    return (most ? count <= keyword->u.count : count >= keyword->u.count) || fail(run, keyword, node, count, 0);
}

bool hg_run_matches(struct hg_run *run, const struct hg_regex *regex, struct hg_slice text, uint32_t node)
{
    bool matches = false;
    hg_result r = hg_regex_test(regex, text, &run->room, &run->work, &matches);
    if (!hg_ok(r) && hg_ok(run->result)) {
        run->result = r;
        run->reached = node;
    }
    return hg_ok(r) && matches;
}

static bool check_pattern(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    return run->event.nodes[node].type != HG_JSON_STRING ||
           hg_run_matches(run, keyword->u.regex, hg_dom_text(&run->event, node), node) ||
           fail(run, keyword, node, 0, 0);
}

/* ---- objects ---- */

/* The rules that the name of a member asks for, but those of `properties`. */
static bool check_by_patterns(struct hg_run *run, const struct hg_keyword *keyword, uint32_t member, bool *ret_found)
{
    const struct hg_dom *schema = &run->schema->dom;
    uint32_t patterns = keyword->u.members.patterns, regex = keyword->u.members.regexes;
    if (patterns == NONE)
        return true;
    for (uint32_t at = patterns + 1; at < schema->nodes[patterns].next; at = schema->nodes[at].next, regex++) {
        if (!hg_run_matches(run, run->schema->regexes[regex], hg_dom_name(&run->event, member), member)) {
            if (!hg_ok(run->result))
                return false;
            continue;
        }
        *ret_found = true;
        if (!hg_run_apply(run, run->schema->rule_of[at], member))
            return false;
    }
    return true;
}

/* The rule that `properties` has for a name, or NONE. */
static uint32_t rule_named(const struct hg_run *run, const struct hg_keyword *keyword, uint32_t member)
{
    if (keyword->place == NONE)
        return NONE;
    uint32_t at = hg_dom_find(&run->schema->dom, keyword->place, hg_dom_name(&run->event, member));
    return at == HG_DOM_NONE ? NONE : run->schema->rule_of[at];
}

/* Members whose fault tells most: in an event of another kind, its type. */
static bool check_telling(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *schema = &run->schema->dom;
    if (!keyword->u.members.telling)
        return true;
    for (uint32_t at = keyword->place + 1; at < schema->nodes[keyword->place].next; at = schema->nodes[at].next) {
        uint32_t rule = run->schema->rule_of[at];
        if (!run->schema->rules[rule].telling)
            continue;
        uint32_t member = hg_dom_find(&run->event, node, hg_dom_name(schema, at));
        if (!hg_run_pay(run, 1, node) || (member != HG_DOM_NONE && !hg_run_apply(run, rule, member)))
            return false;
    }
    return true;
}

static bool check_members(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *event = &run->event;
    if (event->nodes[node].type != HG_JSON_OBJECT)
        return true;
    if (!check_telling(run, keyword, node))
        return false;
    for (uint32_t at = node + 1; at < event->nodes[node].next; at = event->nodes[at].next) {
        uint32_t rule = rule_named(run, keyword, at);
        bool found = rule != NONE;
        if (!hg_run_pay(run, 1 + event->nodes[at].name_len / 8, at))
            return false;
        if (found && !(keyword->u.members.telling && run->schema->rules[rule].telling) && !hg_run_apply(run, rule, at))
            return false;
        if (!check_by_patterns(run, keyword, at, &found))
            return false;
        if (found || keyword->u.members.others == NONE)
            continue;
        if (run->schema->rules[keyword->u.members.others].kind == HG_RULE_NOTHING)
            return fail(run, keyword, at, 0, 0);
        if (!hg_run_apply(run, keyword->u.members.others, at))
            return false;
    }
    return true;
}

/* Whether an object has all members of a list of names in the schema. */
static bool has_all(struct hg_run *run, const struct hg_keyword *keyword, uint32_t list, uint32_t because,
                    uint32_t node)
{
    const struct hg_dom *schema = &run->schema->dom;
    if (!hg_run_pay(run, schema->nodes[list].count, node))
        return false;
    for (uint32_t at = list + 1; at < schema->nodes[list].next; at = schema->nodes[at].next)
        if (hg_dom_find(&run->event, node, hg_dom_text(schema, at)) == HG_DOM_NONE)
            return fail(run, keyword, node, at, because);
    return true;
}

static bool check_required(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    return run->event.nodes[node].type != HG_JSON_OBJECT || has_all(run, keyword, keyword->place, NONE, node);
}

static bool check_dependent(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *schema = &run->schema->dom;
    if (run->event.nodes[node].type != HG_JSON_OBJECT)
        return true;
    for (uint32_t at = keyword->place + 1; at < schema->nodes[keyword->place].next; at = schema->nodes[at].next) {
        if (!hg_run_pay(run, 1, node))
            return false;
        if (hg_dom_find(&run->event, node, hg_dom_name(schema, at)) == HG_DOM_NONE)
            continue;
        if (keyword->check == HG_CHECK_DEPENDENT_REQUIRED ? !has_all(run, keyword, at, at, node)
                                                          : !hg_run_apply(run, run->schema->rule_of[at], node))
            return false;
    }
    return true;
}

/* A name is held against its rule as a string that stands in the spare node. Names are no objects, so that one is
 * enough. */
static bool check_names(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    struct hg_dom *event = &run->event;
    if (event->nodes[node].type != HG_JSON_OBJECT)
        return true;
    for (uint32_t at = node + 1; at < event->nodes[node].next; at = event->nodes[at].next) {
        event->nodes[event->count] = (struct hg_dom_node){.text = event->nodes[at].name,
                                                          .len = event->nodes[at].name_len,
                                                          .parent = node,
                                                          .next = event->count + 1,
                                                          .type = HG_JSON_STRING};
        run->name_of = at;
        if (!hg_run_apply(run, keyword->u.rule, event->count))
            return false;
    }
    return true;
}

/* ---- arrays ---- */

static bool check_prefix(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *schema = &run->schema->dom, *event = &run->event;
    if (event->nodes[node].type != HG_JSON_ARRAY)
        return true;
    uint32_t element = node + 1, place = keyword->place + 1;
    while (element < event->nodes[node].next && place < schema->nodes[keyword->place].next) {
        if (!hg_run_apply(run, run->schema->rule_of[place], element))
            return false;
        element = event->nodes[element].next;
        place = schema->nodes[place].next;
    }
    return true;
}

static bool check_items(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *event = &run->event;
    if (event->nodes[node].type != HG_JSON_ARRAY)
        return true;
    if (!hg_run_pay(run, keyword->u.items.from, node))
        return false;
    uint32_t number = 0;
    for (uint32_t at = node + 1; at < event->nodes[node].next; at = event->nodes[at].next)
        if (number++ >= keyword->u.items.from && !hg_run_apply(run, keyword->u.items.rule, at))
            return false;
    return true;
}

static int compare_elements(void *context, uint32_t a, uint32_t b)
{
    struct hg_run *run = context;
    return hg_dom_compare(&run->event, a, &run->event, b, &run->work);
}

/* Equal elements stand side by side once they are sorted. */
static bool check_unique(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *event = &run->event;
    uint32_t count = event->nodes[node].count, i = 0;
    if (event->nodes[node].type != HG_JSON_ARRAY || count < 2)
        return true;
    if (!hg_run_pay(run, count, node))
        return false;
    uint32_t *sorted = malloc(2 * (size_t)count * sizeof(*sorted));
    if (!sorted) {
        run->result = HG_FAIL(NOMEM);
        return false;
    }
    for (uint32_t at = node + 1; at < event->nodes[node].next; at = event->nodes[at].next)
        sorted[i++] = at;
    hg_dom_sort(sorted, sorted + count, count, compare_elements, run);
    bool unique = true;
    for (i = 1; i < count && unique && run->work > 0; i++)
        if (compare_elements(run, sorted[i - 1], sorted[i]) == 0) {
            bool upwards = sorted[i - 1] < sorted[i];
            unique = fail(run, keyword, sorted[upwards ? i : i - 1], sorted[upwards ? i - 1 : i], 0);
        }
    free(sorted);
    return hg_run_pay(run, 0, node) && unique;
}

static bool check_contains(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *event = &run->event;
    uint64_t found = 0;
    if (event->nodes[node].type != HG_JSON_ARRAY)
        return true;
    for (uint32_t at = node + 1; at < event->nodes[node].next; at = event->nodes[at].next) {
        found += hg_run_apply(run, keyword->u.contains.rule, at);
        if (!hg_ok(run->result))
            return false;
        if (found >= keyword->u.contains.least && keyword->u.contains.most == UINT64_MAX)
            return true;
    }
    bool good = found >= keyword->u.contains.least && found <= keyword->u.contains.most;
    return good || fail(run, keyword, node, (uint32_t)found, found < keyword->u.contains.least);
}

/* ---- several schemas for one value ---- */

static bool check_all(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    const struct hg_dom *schema = &run->schema->dom;
    for (uint32_t at = keyword->place + 1; at < schema->nodes[keyword->place].next; at = schema->nodes[at].next)
        if (!hg_run_apply(run, run->schema->rule_of[at], node))
            return false;
    return true;
}

static bool check_not(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    bool fits = hg_run_apply(run, keyword->u.rule, node);
    if (!hg_ok(run->result))
        return false;
    return !fits || fail(run, keyword, node, 0, 0);
}

static bool check_if(struct hg_run *run, const struct hg_keyword *keyword, uint32_t node)
{
    bool condition = hg_run_apply(run, keyword->u.branch.condition, node);
    if (!hg_ok(run->result))
        return false;
    uint32_t rule = condition ? keyword->u.branch.then : keyword->u.branch.otherwise;
    return rule == NONE || hg_run_apply(run, rule, node);
}

/* ---- all of it ---- */

static bool check_keyword(struct hg_run *run, const struct hg_rule *rule, const struct hg_keyword *keyword,
                          uint32_t node)
{
    switch (keyword->check) {
    case HG_CHECK_TYPE:
        return has_type(run, keyword->u.types, node) || fail(run, keyword, node, keyword->u.types, 0);
    case HG_CHECK_CONST:
        return compare(run, node, keyword->place) == 0 || fail(run, keyword, node, 0, 0);
    case HG_CHECK_ENUM:
        return is_in_enum(run, keyword, node) || fail(run, keyword, node, 0, 0);
    case HG_CHECK_MULTIPLE_OF:
    case HG_CHECK_MAXIMUM:
    case HG_CHECK_EXCLUSIVE_MAXIMUM:
    case HG_CHECK_MINIMUM:
    case HG_CHECK_EXCLUSIVE_MINIMUM:
        return check_number(run, keyword, node);
    case HG_CHECK_MAX_LENGTH:
    case HG_CHECK_MIN_LENGTH:
        return check_length(run, keyword, node);
    case HG_CHECK_PATTERN:
        return check_pattern(run, keyword, node);
    case HG_CHECK_MAX_ITEMS:
    case HG_CHECK_MIN_ITEMS:
    case HG_CHECK_MAX_PROPERTIES:
    case HG_CHECK_MIN_PROPERTIES:
        return check_count(run, keyword, node);
    case HG_CHECK_MEMBERS:
        return check_members(run, keyword, node);
    case HG_CHECK_REQUIRED:
        return check_required(run, keyword, node);
    case HG_CHECK_DEPENDENT_REQUIRED:
    case HG_CHECK_DEPENDENT_SCHEMAS:
        return check_dependent(run, keyword, node);
    case HG_CHECK_PROPERTY_NAMES:
        return check_names(run, keyword, node);
    case HG_CHECK_PREFIX_ITEMS:
        return check_prefix(run, keyword, node);
    case HG_CHECK_ITEMS:
        return check_items(run, keyword, node);
    case HG_CHECK_UNIQUE_ITEMS:
        return check_unique(run, keyword, node);
    case HG_CHECK_CONTAINS:
        return check_contains(run, keyword, node);
    case HG_CHECK_REF:
        return hg_run_apply(run, keyword->u.rule, node);
    case HG_CHECK_ALL_OF:
        return check_all(run, keyword, node);
    case HG_CHECK_ANY_OF:
    case HG_CHECK_ONE_OF:
        return hg_run_choose(run, keyword, node);
    case HG_CHECK_NOT:
        return check_not(run, keyword, node);
    case HG_CHECK_IF:
        return check_if(run, keyword, node);
    case HG_CHECK_UNEVALUATED_ITEMS:
    case HG_CHECK_UNEVALUATED_PROPERTIES:
        return hg_run_unevaluated(run, rule, keyword, node);
    case HG_CHECK__COUNT:
        break;
    }
    HG_UNREACHABLE();
}

bool hg_run_apply(struct hg_run *run, uint32_t number, uint32_t node)
{
    const struct hg_rule *rule = &run->schema->rules[number];
    if (!hg_run_pay(run, 1, node))
        return false;
    if (rule->kind != HG_RULE_KEYWORDS)
        return rule->kind == HG_RULE_ALL || hg_run_fail(run, HG_CHECK__COUNT, node, rule->place, 0, 0);
    if (!hg_run_enter(run, 0, node))
        return false;
    const struct hg_keyword *keyword = &run->schema->keywords[rule->first];
    bool valid = true;
    for (uint32_t i = 0; i < rule->count && valid; i++, keyword++)
        valid = hg_run_pay(run, 1, node) && check_keyword(run, rule, keyword, node) && hg_ok(run->result);
    run->depth--;
    return valid;
}

static void put_pointer(const struct hg_dom *dom, uint32_t node, struct hg_buf *into)
{
    if (node != HG_DOM_NONE)
        hg_dom_put_pointer(dom, node, into);
    if (!hg_ok(hg_buf_result(into)) && into->error != HG_ERR_NOMEM)
        hg_buf_clear(into);
}

/* What is told about text that is no event at all. */
static hg_result refuse_text(struct hg_slice event, const struct hg_dom *dom, const struct hg_dom_error *error,
                             struct hg_buf *pointer, struct hg_buf *message)
{
    put_pointer(dom, error->node, pointer);
    switch (error->fault) {
    case HG_DOM_NOT_JSON:
        if (error->at == event.len)
            hg_buf_put_str(message, "found the end of the text where JSON goes on");
        else
            hg_buf_printf(message, "found no JSON at byte %zu", error->at);
        hg_buf_put_str(message, "; allowed: one JSON value");
        return HG_FAIL(EVENT_INVALID);
    case HG_DOM_NAME_TWICE:
        hg_buf_put_str(message, "found a name that stands in this object before; allowed: each name once");
        return HG_FAIL(EVENT_INVALID);
    case HG_DOM_HALF_OF_A_PAIR:
        hg_buf_put_str(message, "found half of a surrogate pair; allowed: Unicode text");
        return HG_FAIL(EVENT_INVALID);
    default:
        hg_buf_put_str(message, "found the number ");
        hg_put_value(dom, error->node, message);
        hg_buf_put_str(message, "; allowed: exponents up to 15 digits");
        return HG_FAIL(EVENT_INVALID);
    }
}

static hg_result check_event(struct hg_run *run, struct hg_slice event, struct hg_buf *pointer, struct hg_buf *message)
{
    struct hg_dom_error error;
    hg_result r = hg_dom_read(event, &run->event, &error);
    if (r.code == HG_ERR_SYNTAX)
        return refuse_text(event, &run->event, &error, pointer, message);
    if (r.code == HG_ERR_TOO_BIG) {
        hg_buf_printf(message, "found an event of %zu bytes; allowed: up to %u", event.len, HG_DOM_BYTES_MAX);
        return HG_FAIL(LIMIT_EXCEEDED);
    }
    HG_TRY(r);
    if (hg_run_apply(run, 0, 0))
        return HG_OK;
    if (run->result.code == HG_ERR_LIMIT_EXCEEDED) {
        put_pointer(&run->event, run->reached == run->event.count ? run->name_of : run->reached, pointer);
        hg_buf_put_str(message, "this event is too complex to be checked against the topic's schema; allowed: fewer "
                                "values, shorter texts, and fewer of them inside each other");
    }
    HG_TRY(run->result);
    put_pointer(&run->event, run->fault.node, pointer);
    hg_run_put_sentence(run, message);
    return HG_FAIL(EVENT_INVALID);
}

hg_result hg_schema_check(const struct hg_schema *schema, struct hg_slice event, struct hg_buf *reterr_pointer,
                          struct hg_buf *reterr_message)
{
    struct hg_run run = {.schema = schema,
                         .work = HG_SCHEMA_WORK_LEAST + (uint64_t)event.len * HG_SCHEMA_WORK_PER_BYTE,
                         .result = HG_OK};
    hg_buf_clear(reterr_pointer);
    hg_buf_clear(reterr_message);
    hg_result r = check_event(&run, event, reterr_pointer, reterr_message);
    hg_regex_room_done(&run.room);
    hg_dom_done(&run.event);
    bool starved = reterr_pointer->error == HG_ERR_NOMEM || reterr_message->error == HG_ERR_NOMEM;
    return starved ? HG_FAIL(NOMEM) : r;
}
