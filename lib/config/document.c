#include "config/config.h"
#include "config/settings.h"

/* In a table cell of Markdown '|' separates, also within code. */
static void put_cell(const char *text, struct hg_buf *into)
{
    for (; *text; text++) {
        if (*text == '|')
            hg_buf_put_char(into, '\\');
        hg_buf_put_char(into, *text);
    }
}

/* A number, and what it is in larger units when that is shorter to read. */
static void put_number(uint64_t number, const char *unit, struct hg_buf *into)
{
    static const struct {
        const char *unit;
        uint64_t size;
        const char *name;
    } larger[] = {
        {"bytes", HG_MIB * HG_MIB, "TiB"},
        {"bytes", HG_KIB * HG_MIB, "GiB"},
        {"bytes", HG_MIB, "MiB"},
        {"bytes", HG_KIB, "KiB"},
        {"ms", 86400000, "d"},
        {"ms", 3600000, "h"},
        {"ms", 60000, "min"},
        {"ms", 1000, "s"},
    };
    hg_buf_put_u64(into, number);
    for (size_t i = 0; i < sizeof(larger) / sizeof(larger[0]); i++)
        if (strcmp(unit, larger[i].unit) == 0 && number >= larger[i].size && number % larger[i].size == 0) {
            hg_buf_put_str(into, " (");
            hg_buf_put_u64(into, number / larger[i].size);
            hg_buf_put_char(into, ' ');
            hg_buf_put_str(into, larger[i].name);
            hg_buf_put_char(into, ')');
            return;
        }
}

static void put_code(const char *text, struct hg_buf *into)
{
    hg_buf_put_char(into, '`');
    put_cell(text, into);
    hg_buf_put_char(into, '`');
}

static void put_default(const struct hg_setting *row, struct hg_buf *into)
{
    switch (row->kind) {
    case HG_SETTING_TEXT:
        if (!row->text)
            hg_buf_put_str(into, "required");
        else if (hg_setting_is_optional(row))
            hg_buf_put_str(into, "none");
        else
            put_code(row->text, into);
        break;
    case HG_SETTING_FLAG:
        put_code(row->number ? "true" : "false", into);
        break;
    case HG_SETTING_LIST:
        put_code("[]", into);
        break;
    case HG_SETTING_NUMBER:
        put_number(row->number, row->unit, into);
        break;
    case HG_SETTING_ENUM: {
        struct hg_slice choice = hg_setting_choice(row, (size_t)row->number);
        hg_buf_put_char(into, '`');
        hg_buf_put(into, choice);
        hg_buf_put_char(into, '`');
        break;
    }
    }
}

static void put_allowed(const struct hg_setting *row, struct hg_buf *into)
{
    if (row->kind == HG_SETTING_NUMBER) {
        put_number(row->minimum, row->unit, into);
        hg_buf_put_str(into, " to ");
        put_number(row->maximum, row->unit, into);
        hg_buf_put_char(into, ' ');
        hg_buf_put_str(into, row->unit);
    } else if (row->kind == HG_SETTING_FLAG) {
        hg_buf_put_str(into, "`true`, `false`");
    } else if (hg_setting_has_choices(row)) {
        struct hg_slice choice;
        hg_buf_put_str(into, row->kind == HG_SETTING_LIST ? "array of " : "");
        for (size_t i = 0; (choice = hg_setting_choice(row, i)).len > 0; i++) {
            hg_buf_put_str(into, i > 0 ? ", `" : "`");
            hg_buf_put(into, choice);
            hg_buf_put_char(into, '`');
        }
    } else if (row->kind == HG_SETTING_LIST) {
        hg_buf_put_str(into, "array of strings");
    } else {
        hg_buf_put_str(into, row->unit);
    }
}

static void put_table(struct hg_settings settings, struct hg_buf *into)
{
    hg_buf_put_str(into, "| Setting | Default | Allowed | Meaning |\n|---|---|---|---|\n");
    for (size_t i = 0; i < settings.count; i++) {
        const struct hg_setting *row = &settings.rows[i];
        hg_buf_put_str(into, "| ");
        put_code(row->name, into);
        hg_buf_put_str(into, " | ");
        put_default(row, into);
        hg_buf_put_str(into, " | ");
        put_allowed(row, into);
        hg_buf_put_str(into, " | ");
        put_cell(row->sentence, into);
        hg_buf_put_str(into, " |\n");
    }
}

void hg_config_document(struct hg_buf *into)
{
    hg_buf_put_str(into,
                   "# Configuration\n\n"
                   "Headgate reads one JSON file: `headgate --config FILE`. Everything has a default; the smallest "
                   "file that says where\n"
                   "things are is\n\n"
                   "```json\n"
                   "{\n"
                   "  \"listen\": \"127.0.0.1:8080\",\n"
                   "  \"redis\": \"redis://127.0.0.1:6379\",\n"
                   "  \"topics\": [\n"
                   "    {\"match\": \"events.**\", \"source\": \"stream\"},\n"
                   "    {\"match\": \"**\", \"source\": \"channel\"}\n"
                   "  ]\n"
                   "}\n"
                   "```\n\n"
                   "Each setting can also be given as an environment variable, `HEADGATE_` and its name in capitals\n"
                   "(`HEADGATE_LOG_LEVEL=debug`; lists with commas between), all but `topics`. `--listen`, "
                   "`--redis` and `--workers` are flags too.\n"
                   "Flags win over the environment, the environment over the file.\n\n"
                   "The file is strict JSON: no comments, no unknown settings. What is wrong is refused with its "
                   "place, what was found and\n"
                   "what is allowed:\n\n"
                   "```text\n"
                   "headgate.json:7: topics[1].source: found \"strem\"; allowed: auto, channel, stream\n"
                   "```\n\n"
                   "`headgate --check-config` checks and shows the topic rules, `headgate --dump-config` prints every "
                   "setting as it is in\n"
                   "force, with passwords hidden.\n\n"
                   "## Settings\n\n"
                   "Names in `_ms` are milliseconds; names with `_bytes` are bytes.\n\n");
    put_table(hg_settings_of_config(), into);
    hg_buf_put_str(
        into,
        "| `topics` | `[{\"match\": \"**\"}]` | array of 1 to 1000 rules | How topics map to Redis; the first rule "
        "that matches a topic decides. |\n"
        "\n## Topic rules\n\n"
        "One object each in `topics`. How they work, with examples: [Topics and Redis](topics.md).\n\n");
    put_table(hg_settings_of_rule(), into);
    hg_buf_put_str(
        into,
        "\nA pattern with wildcards needs `{topic}` in the template that its source uses. A rule that an earlier one\n"
        "covers completely is refused, since it would never apply.\n");
}
