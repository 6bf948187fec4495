#include "base/assert.h"
#include "base/visible.h"
#include "schema/check.h"
#include "schema/refusal.h"

#define LISTED_MAX 8 /* values of an enum, names of members */

static void put_types(uint32_t types, struct hg_buf *into)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {
        {HG_TYPE_STRING, "a string"},    {HG_TYPE_NUMBER, "a number"},
        {HG_TYPE_INTEGER, "an integer"}, {HG_TYPE_BOOLEAN, "true or false"},
        {HG_TYPE_OBJECT, "an object"},   {HG_TYPE_ARRAY, "an array"},
        {HG_TYPE_NULL, "null"},
    };
    if (types & HG_TYPE_NUMBER)
        types &= ~(uint32_t)HG_TYPE_INTEGER;
    const char *between = "";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (types & names[i].bit) {
            hg_buf_put_str(into, between);
            hg_buf_put_str(into, names[i].name);
            between = ", or ";
        }
}

static void put_quoted(struct hg_slice text, struct hg_buf *into)
{
    hg_buf_put_char(into, '"');
    hg_visible_put(text, 80, into);
    hg_buf_put_char(into, '"');
}

/* "3 elements". */
static void put_count(uint64_t count, const char *noun, struct hg_buf *into)
{
    hg_buf_put_u64(into, count);
    hg_buf_put_char(into, ' ');
    hg_buf_put_str(into, noun);
    if (count != 1)
        hg_buf_put_char(into, 's');
}

/* Values or names that are allowed, the first few. */
static void put_list(const struct hg_dom *schema, uint32_t place, bool names, struct hg_buf *into)
{
    uint32_t left = LISTED_MAX;
    for (uint32_t at = place + 1; at < schema->nodes[place].next; at = schema->nodes[at].next) {
        if (at != place + 1)
            hg_buf_put_str(into, ", ");
        if (left-- == 0) {
            hg_buf_put_str(into, "…");
            return;
        }
        if (names)
            put_quoted(hg_dom_name(schema, at), into);
        else
            hg_put_value(schema, at, into);
    }
}

/* The bound of a keyword as its author wrote it. */
static void put_limit(const struct hg_dom *schema, uint32_t place, const char *which, struct hg_buf *into)
{
    hg_buf_put_str(into, which);
    hg_visible_put(hg_dom_text(schema, place), 80, into);
}

/* The value itself; of a name, which is no value, its letters. */
static void put_found(const struct hg_run *run, struct hg_buf *into)
{
    const struct hg_fault *fault = &run->fault;
    if (fault->of_name) {
        hg_buf_put_str(into, "the name ");
        put_quoted(hg_dom_name(&run->event, fault->node), into);
    } else {
        hg_put_value(&run->event, fault->node, into);
    }
}

static void put_allowed_members(const struct hg_run *run, struct hg_buf *into)
{
    const struct hg_dom *schema = &run->schema->dom;
    uint32_t properties = run->fault.place;
    if (properties != HG_RULE_NONE && schema->nodes[properties].count > 0)
        put_list(schema, properties, true, into);
    else
        hg_buf_put_str(into, "names that the schema knows");
}

static void put_choice(const struct hg_run *run, struct hg_buf *into)
{
    const struct hg_fault *fault = &run->fault;
    uint32_t count = run->schema->dom.nodes[fault->place].count;
    bool any = fault->check == HG_CHECK_ANY_OF;
    put_found(run, into);
    if (fault->detail == HG_RULE_NONE)
        hg_buf_printf(into, ", which fits none of %u alternatives; allowed: what fits %s", count,
                      any ? "at least one" : "exactly one");
    else
        hg_buf_printf(into, ", which fits alternatives %u and %u of %u; allowed: what fits exactly one",
                      fault->detail + 1, fault->detail2 + 1, count);
}

static void put_contains(const struct hg_run *run, struct hg_buf *into)
{
    const struct hg_fault *fault = &run->fault;
    uint32_t rule = run->schema->dom.nodes[fault->place].parent;
    const char *name = fault->detail2 ? "minContains" : "maxContains";
    uint32_t bound = hg_dom_find(&run->schema->dom, rule, hg_slice_str(name));
    put_count(fault->detail, "element", into);
    hg_buf_put_str(into, " of the kind that `contains` asks for; allowed: ");
    if (bound == HG_DOM_NONE)
        hg_buf_put_str(into, "at least 1");
    else
        put_limit(&run->schema->dom, bound, fault->detail2 ? "at least " : "at most ", into);
}

static void put_missing(const struct hg_run *run, struct hg_buf *into)
{
    const struct hg_fault *fault = &run->fault;
    hg_buf_put_str(into, "an object without ");
    put_quoted(hg_dom_text(&run->schema->dom, fault->detail), into);
    if (fault->detail2 != HG_RULE_NONE) {
        hg_buf_put_str(into, " but with ");
        put_quoted(hg_dom_name(&run->schema->dom, fault->detail2), into);
        hg_buf_put_str(into, "; allowed: both, or neither of them");
    } else {
        hg_buf_put_str(into, "; allowed: objects that have it");
    }
}

void hg_run_put_sentence(const struct hg_run *run, struct hg_buf *into)
{
    const struct hg_fault *fault = &run->fault;
    const struct hg_dom *schema = &run->schema->dom;
    hg_buf_put_str(into, "found ");
    switch (fault->check) {
    case HG_CHECK_TYPE:
        put_found(run, into);
        hg_buf_put_str(into, "; allowed: ");
        put_types(fault->detail, into);
        return;
    case HG_CHECK_CONST:
        put_found(run, into);
        hg_buf_put_str(into, "; allowed: only ");
        hg_put_value(schema, fault->place, into);
        if (schema->nodes[fault->place].type >= HG_JSON_ARRAY)
            hg_buf_put_str(into, " that is equal to the schema's");
        return;
    case HG_CHECK_ENUM:
        put_found(run, into);
        hg_buf_put_str(into, "; allowed: ");
        put_list(schema, fault->place, false, into);
        return;
    case HG_CHECK_MULTIPLE_OF:
    case HG_CHECK_MAXIMUM:
    case HG_CHECK_EXCLUSIVE_MAXIMUM:
    case HG_CHECK_MINIMUM:
    case HG_CHECK_EXCLUSIVE_MINIMUM: {
        static const char *const limits[] = {"; allowed: multiples of ", "; allowed: at most ", "; allowed: less than ",
                                             "; allowed: at least ", "; allowed: more than "};
        put_found(run, into);
        put_limit(schema, fault->place, limits[fault->check - HG_CHECK_MULTIPLE_OF], into);
        return;
    }
    case HG_CHECK_MAX_LENGTH:
    case HG_CHECK_MIN_LENGTH:
        put_found(run, into);
        hg_buf_put_str(into, " of ");
        put_count(fault->detail, "character", into);
        put_limit(schema, fault->place,
                  fault->check == HG_CHECK_MAX_LENGTH ? "; allowed: at most " : "; allowed: at least ", into);
        return;
    case HG_CHECK_PATTERN:
        put_found(run, into);
        hg_buf_put_str(into, "; allowed: what matches ");
        hg_visible_put(hg_dom_text(schema, fault->place), 200, into);
        return;
    case HG_CHECK_MAX_ITEMS:
    case HG_CHECK_MIN_ITEMS:
    case HG_CHECK_MAX_PROPERTIES:
    case HG_CHECK_MIN_PROPERTIES: {
        bool items = fault->check == HG_CHECK_MAX_ITEMS || fault->check == HG_CHECK_MIN_ITEMS;
        bool most = fault->check == HG_CHECK_MAX_ITEMS || fault->check == HG_CHECK_MAX_PROPERTIES;
        put_count(fault->detail, items ? "element" : "member", into);
        put_limit(schema, fault->place, most ? "; allowed: at most " : "; allowed: at least ", into);
        return;
    }
    case HG_CHECK_MEMBERS:
    case HG_CHECK_UNEVALUATED_PROPERTIES:
        hg_buf_put_str(into, "a member that the schema does not know, ");
        put_quoted(hg_dom_name(&run->event, fault->node), into);
        hg_buf_put_str(into, "; allowed: ");
        if (fault->check == HG_CHECK_MEMBERS)
            put_allowed_members(run, into);
        else
            hg_buf_put_str(into, "names that the schema knows");
        return;
    case HG_CHECK_UNEVALUATED_ITEMS:
        put_found(run, into);
        hg_buf_put_str(into,
                       " in a place of the array that the schema does not know; allowed: fewer elements, or others");
        return;
    case HG_CHECK_REQUIRED:
    case HG_CHECK_DEPENDENT_REQUIRED:
        put_missing(run, into);
        return;
    case HG_CHECK_UNIQUE_ITEMS:
        put_found(run, into);
        hg_buf_printf(into, ", which is equal to element %u; allowed: elements that differ",
                      hg_dom_position(&run->event, fault->detail));
        return;
    case HG_CHECK_CONTAINS:
        put_contains(run, into);
        return;
    case HG_CHECK_ANY_OF:
    case HG_CHECK_ONE_OF:
        put_choice(run, into);
        return;
    case HG_CHECK_NOT:
        put_found(run, into);
        hg_buf_put_str(into, ", which the schema excludes; allowed: anything else");
        return;
    case HG_CHECK__COUNT:
        put_found(run, into);
        hg_buf_put_str(into, "; allowed: nothing at all in this place");
        return;
    default:
        HG_UNREACHABLE(); /* these apply other schemas, whose faults are told */
    }
}
