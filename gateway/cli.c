#include "cli.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "base/visible.h"
#include "config/workers.h"
#include "machine/need.h"
#include "path.h"
#include "schemas.h"
#include "ws/tls.h"

#define FILE_BYTES_MAX    (16u << 20)
#define MESSAGE_BYTES_MAX (16u << 10)
#define OUTPUT_BYTES_MAX  (64u << 20)

/*    name             argument     text */
#define OPTIONS(X)                                                                                                     \
    X(config, "FILE", "settings, a JSON file (without: each at its default)")                                          \
    X(listen, "HOST:PORT", "where to accept connections (default 127.0.0.1:8080)")                                     \
    X(redis, "URL", "redis://[user:password@]host[:port][/db] or unix:///path[?db=n]")                                 \
    X(workers, "N", "threads that serve clients, or auto: one for each core (default 1)")                              \
    X(web, "DIR", "page and documentation to serve (default: those it came with)")                                     \
    X(check_config, NULL, "check the settings, show the topic rules, end")                                             \
    X(dump_config, NULL, "print all settings in force as JSON, passwords hidden, end")                                 \
    X(document_config, NULL, "print the reference of all settings as Markdown, end")                                   \
    X(version, NULL, "print the version, end")                                                                         \
    X(help, NULL, "print this text, end")

enum option {
#define X(name, argument, text) OPTION_##name,
    OPTIONS(X)
#undef X
        OPTION__COUNT
};

static const struct {
    const char *name, *argument, *text;
} options[] = {
#define X(name, argument, text) {#name, argument, text},
    OPTIONS(X)
#undef X
};

struct arguments {
    const char *value[OPTION__COUNT]; /* NULL: not given; "" for those without argument */
};

/* --- messages ---------------------------------------------------------------------------------------------------- */

static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void complain(const char *format, ...)
{
    char line[MESSAGE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    struct hg_buf text;
    hg_buf_init(&text, 4 * sizeof(line));
    hg_visible_put(hg_slice_str(line), SIZE_MAX, &text);
    fprintf(stderr, "headgate: %.*s\n", HG_SLICE_ARG(hg_buf_slice(&text)));
    hg_buf_done(&text);
}

/* What lib/config has to say is one clean line already, and begins with where. */
static int refuse(hg_result result, const struct hg_buf *why)
{
    if (result.code == HG_ERR_NOMEM) {
        complain("out of memory");
        return HG_EXIT_FAILURE;
    }
    fprintf(stderr, "%.*s\n", HG_SLICE_ARG(hg_buf_slice(why)));
    return HG_EXIT_USAGE;
}

/* Prints and frees the text. */
static int print(struct hg_buf *text)
{
    int code = 0;
    if (!hg_ok(hg_buf_result(text))) {
        complain("out of memory");
        code = HG_EXIT_FAILURE;
    } else if (fwrite(text->ptr, 1, text->len, stdout) != text->len || fflush(stdout) != 0) {
        complain("cannot write to standard output: %s", strerror(errno));
        code = HG_EXIT_FAILURE;
    }
    hg_buf_done(text);
    return code;
}

static int print_help(void)
{
    struct hg_buf text;
    hg_buf_init(&text, OUTPUT_BYTES_MAX);
    hg_buf_put_str(&text,
                   "Usage: headgate [OPTION]…\n"
                   "       headgate filter FILTER < event.json           (see headgate filter --help)\n"
                   "       headgate deadletter list|show|replay|drop …   (see headgate deadletter --help)\n"
                   "\n"
                   "A gate between Redis and browsers: channels and streams go out over WebSocket; what browsers emit\n"
                   "goes into streams, once.\n"
                   "\n");
    for (size_t i = 0; i < OPTION__COUNT; i++) {
        char name[40];
        int len = snprintf(name, sizeof(name), "--%s%s%s", options[i].name, options[i].argument ? " " : "",
                           options[i].argument ? options[i].argument : "");
        for (char *c = name; c < name + len; c++)
            *c = *c == '_' ? '-' : *c;
        if (i == OPTION_check_config)
            hg_buf_put_char(&text, '\n');
        hg_buf_printf(&text, "  %-20s %s\n", name, options[i].text);
    }
    hg_buf_put_str(
        &text,
        "\n"
        "Each setting but topics may also stand in the environment: HEADGATE_ and its name in capitals. Flags win\n"
        "over the environment, the environment over the file.\n"
        "\n"
        "Examples:\n"
        "  headgate --redis redis://127.0.0.1:6379\n"
        "  headgate --config /etc/headgate/headgate.json --check-config\n"
        "  HEADGATE_LOG_LEVEL=debug headgate --listen :8080\n"
        "\n"
        "Ends with 0; with 1 when something failed while running, with 2 when options or settings are wrong.\n");
    return print(&text);
}

static int print_version(void)
{
    struct hg_buf text;
    hg_buf_init(&text, OUTPUT_BYTES_MAX);
    hg_buf_put_str(&text, "headgate " HG_VERSION "\n");
    return print(&text);
}

static int print_reference(void)
{
    struct hg_buf text;
    hg_buf_init(&text, OUTPUT_BYTES_MAX);
    hg_config_document(&text);
    return print(&text);
}

static int print_settings(const struct hg_config *config)
{
    struct hg_buf text;
    hg_buf_init(&text, OUTPUT_BYTES_MAX);
    hg_config_dump(config, true, &text);
    return print(&text);
}

static void put_detail(const char *what, const char *value, bool *first, struct hg_buf *into)
{
    hg_buf_put_str(into, *first ? " (" : ", ");
    hg_buf_put_str(into, what);
    hg_visible_put(hg_slice_str(value), SIZE_MAX, into);
    *first = false;
}

/* That clients may emit, and what is not as usual. */
static void put_emits(const struct hg_rule *rule, struct hg_buf *into)
{
    bool first = true;
    hg_buf_put_str(into, ", clients may emit");
    if (rule->emit_rate > 0) {
        hg_buf_printf(into, " (%llu a second", (unsigned long long)rule->emit_rate);
        first = false;
    }
    if (rule->dedupe == HG_DEDUPE_BEST_EFFORT)
        put_detail("perhaps twice", "", &first, into);
    if (strcmp(rule->durability, "memory") != 0)
        put_detail("acknowledged after ", rule->durability, &first, into);
    for (size_t i = 0; i < rule->carry.count; i++)
        put_detail(i == 0 ? "with " : "", rule->carry.items[i], &first, into);
    if (rule->types.count > 0)
        put_detail("of certain types", "", &first, into);
    if (rule->require.count > 0)
        put_detail("with certain attributes", "", &first, into);
    if (*rule->schema)
        put_detail("by the schema ", rule->schema, &first, into);
    if (*rule->dead_letter)
        put_detail("invalid ones to ", rule->dead_letter, &first, into);
    hg_buf_put_str(into, first ? "" : ")");
}

static void put_rule(const struct hg_rule *rule, int width, struct hg_buf *into)
{
    static const char *const names[] = {"auto", "channel", "stream"};
    hg_buf_put_str(into, "    ");
    hg_visible_put(hg_slice_str(rule->match), SIZE_MAX, into);
    hg_buf_printf(into, "%*s  %-7s  ", width - (int)strlen(rule->match), "", names[rule->source]);
    if (rule->source != HG_SOURCE_CHANNEL) {
        hg_buf_put_str(into, rule->source == HG_SOURCE_AUTO ? "key " : "");
        hg_visible_put(hg_slice_str(rule->key), SIZE_MAX, into);
    }
    if (rule->source != HG_SOURCE_STREAM) {
        hg_buf_put_str(into, rule->source == HG_SOURCE_AUTO ? " or channel " : "");
        hg_visible_put(hg_slice_str(rule->channel), SIZE_MAX, into);
    }
    if (rule->source != HG_SOURCE_CHANNEL) {
        if (rule->emit)
            put_emits(rule, into);
        else
            hg_buf_put_str(into, ", no emits");
        if (rule->emit && rule->maxlen > 0)
            hg_buf_printf(into, ", about %llu entries kept", (unsigned long long)rule->maxlen);
    }
    hg_buf_put_char(into, '\n');
}

/* What the settings may need of this machine, and what is missing. */
static void put_machine(const struct hg_config *config, unsigned workers, struct hg_buf *into)
{
    struct hg_machine machine;
    struct hg_buf warning;
    hg_machine_read("", &machine);
    struct hg_need need = hg_need_of(config, workers, &machine);
    hg_need_put(&need, config, &machine, "  ", into);
    for (int i = 0; i < 2; i++) {
        hg_buf_init(&warning, MESSAGE_BYTES_MAX);
        if (i == 0)
            hg_need_put_files_warning(&need, config, &warning);
        else
            hg_need_put_memory_warning(&need, config, &machine, &warning);
        if (warning.len > 0)
            hg_buf_printf(into, "  warning: %.*s\n", HG_SLICE_ARG(hg_buf_slice(&warning)));
        hg_buf_done(&warning);
    }
}

static int print_summary(const struct hg_cli *cli, const char *name)
{
    const struct hg_config *config = cli->config;
    struct hg_buf text;
    int width = 0;
    hg_buf_init(&text, OUTPUT_BYTES_MAX);
    for (size_t i = 0; i < config->rule_count; i++) {
        int len = (int)strlen(config->rules[i].match);
        width = len > width ? len : width;
    }
    hg_visible_put(hg_slice_str(name ? name : "defaults"), SIZE_MAX, &text);
    hg_buf_printf(&text, ": ok\n  listen  %s\n  redis   ", config->listen);
    hg_redis_url_mask(hg_slice_str(config->redis), &text);
    if (cli->tls) {
        hg_buf_put_str(&text, "\n  tls     ");
        (void)hg_ws_tls_describe(cli->tls, &text);
    }
    hg_buf_put_char(&text, '\n');
    put_machine(config, cli->workers, &text);
    hg_buf_put_str(&text, "  topics  the first rule that matches decides\n");
    for (size_t i = 0; i < config->rule_count; i++)
        put_rule(&config->rules[i], width, &text);
    return print(&text);
}

/* --- arguments --------------------------------------------------------------------------------------------------- */

static const char *option_name(size_t i)
{
    return i < OPTION__COUNT ? options[i].name : NULL;
}

/* "--check-config" of "--check-config=x"; options are spelled with '-', their names in the table with '_'. */
static bool is_option(struct hg_slice word, const char *name)
{
    if (word.len != strlen(name))
        return false;
    for (size_t i = 0; i < word.len; i++)
        if (word.ptr[i] != (name[i] == '_' ? '-' : name[i]))
            return false;
    return true;
}

static bool refuse_option(struct hg_slice word)
{
    const char *nearest = hg_suggest(word, option_name);
    if (!nearest) {
        complain("there is no option --%.*s; see headgate --help", HG_SLICE_ARG(word));
        return false;
    }
    char name[40];
    snprintf(name, sizeof(name), "%s", nearest);
    for (char *c = name; *c; c++)
        *c = *c == '_' ? '-' : *c;
    complain("there is no option --%.*s; did you mean --%s?", HG_SLICE_ARG(word), name);
    return false;
}

static bool read_arguments(int argc, char **argv, struct arguments *arguments)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0) {
            arguments->value[OPTION_help] = "";
            continue;
        }
        if (strncmp(argv[i], "--", 2) != 0) {
            complain("\"%s\" is not an option; see headgate --help", argv[i]);
            return false;
        }
        struct hg_slice word = hg_slice_str(argv[i] + 2);
        const char *equals = strchr(argv[i], '=');
        if (equals)
            word.len = (size_t)(equals - word.ptr);
        size_t option = 0;
        while (option < OPTION__COUNT && !is_option(word, options[option].name))
            option++;
        if (option == OPTION__COUNT)
            return refuse_option(word);
        if (!options[option].argument) {
            if (equals) {
                complain("--%.*s takes no value", HG_SLICE_ARG(word));
                return false;
            }
            arguments->value[option] = "";
        } else if (equals) {
            arguments->value[option] = equals + 1;
        } else if (i + 1 < argc) {
            arguments->value[option] = argv[++i];
        } else {
            complain("--%.*s needs a value: --%.*s %s", HG_SLICE_ARG(word), HG_SLICE_ARG(word),
                     options[option].argument);
            return false;
        }
    }
    return true;
}

/* --- file and environment ---------------------------------------------------------------------------------------- */

static bool read_whole(const char *path, struct hg_buf *into)
{
    FILE *file = fopen(path, "rbe");
    if (!file) {
        complain("cannot read the configuration %s: %s", path, strerror(errno));
        return false;
    }
    char *to;
    size_t got = 1;
    while (got > 0 && (to = hg_buf_reserve(into, 4096))) {
        got = fread(to, 1, 4096, file);
        into->len += got;
    }
    if (into->error == HG_ERR_TOO_BIG)
        complain("cannot read the configuration %s: it is larger than 16 MiB", path);
    else if (into->error != HG_ERR_OK)
        complain("out of memory");
    else if (ferror(file))
        complain("cannot read the configuration %s: %s", path, strerror(errno));
    bool good = into->error == HG_ERR_OK && !ferror(file);
    fclose(file);
    return good;
}

static bool read_file(const char *path, struct hg_config **ret_config, struct hg_buf *why, int *ret_exit)
{
    struct hg_buf json;
    hg_buf_init(&json, FILE_BYTES_MAX);
    bool good = read_whole(path, &json);
    if (good) {
        hg_result result = hg_config_parse(hg_slice_str(path), hg_buf_slice(&json), ret_config, why);
        if (!hg_ok(result)) {
            *ret_exit = refuse(result, why);
            good = false;
        }
    }
    hg_buf_done(&json);
    return good;
}

#define PREFIX "HEADGATE_"

/* Variables of the tests and of gateway/run, which are not for the gateway. */
static bool is_foreign(struct hg_slice name)
{
    static const char *const foreign[] = {"BIN", "WRAP", "SLOW"};
    for (size_t i = 0; i < sizeof(foreign) / sizeof(foreign[0]); i++)
        if (hg_slice_is(name, foreign[i]))
            return true;
    return hg_slice_starts(name, HG_LIT("TEST_"));
}

/* What a variable may set; the last is a flag, not a setting. */
static const char *variable_name(size_t i)
{
    const char *name = hg_config_name(i);
    return name || i == 0 || !hg_config_name(i - 1) ? name : "web";
}

static bool is_capitals(struct hg_slice text, const char *name)
{
    if (text.len != strlen(name))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] != (name[i] >= 'a' && name[i] <= 'z' ? name[i] - 32 : name[i]))
            return false;
    return true;
}

static void tell_unknown(struct hg_slice name)
{
    const char *nearest = hg_suggest(name, variable_name);
    char capitals[64] = "";
    for (size_t i = 0; nearest && nearest[i] && i < sizeof(capitals) - 1; i++)
        capitals[i] = nearest[i] >= 'a' && nearest[i] <= 'z' ? (char)(nearest[i] - 32) : nearest[i];
    if (nearest)
        complain("the variable " PREFIX "%.*s is not known; did you mean " PREFIX "%s?", HG_SLICE_ARG(name), capitals);
    else
        complain("the variable " PREFIX
                 "%.*s is not known; see web/docs/configuration.md or headgate --document-config",
                 HG_SLICE_ARG(name));
}

/* One variable; `*unknown` counts those that set nothing. */
static hg_result read_variable(const char *variable, struct hg_cli *cli, size_t *unknown, struct hg_buf *why)
{
    const char *equals = strchr(variable, '=');
    if (!equals || strncmp(variable, PREFIX, strlen(PREFIX)) != 0)
        return HG_OK;
    struct hg_slice whole = hg_slice(variable, (size_t)(equals - variable)),
                    name = hg_slice_from(whole, strlen(PREFIX));
    if (is_foreign(name))
        return HG_OK;
    if (hg_slice_is(name, "WEB")) {
        cli->web = equals + 1;
        return HG_OK;
    }
    if (hg_slice_is(name, "TOPICS"))
        return hg_config_set(cli->config, HG_LIT("topics"), hg_slice_str(equals + 1), whole, why);
    const char *setting;
    for (size_t i = 0; (setting = hg_config_name(i)); i++)
        if (is_capitals(name, setting))
            return hg_config_set(cli->config, hg_slice_str(setting), hg_slice_str(equals + 1), whole, why);
    tell_unknown(name);
    (*unknown)++;
    return HG_OK;
}

/* Those that this process may use. */
static unsigned cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set) != 0)
        return errno == EINVAL ? HG_WORKERS_MAX : 1; /* more than fit the set */
    int count = CPU_COUNT(&set);
    return count < 1 ? 1 : count < HG_WORKERS_MAX ? (unsigned)count : HG_WORKERS_MAX;
}

/* The certificate and its key, if there shall be TLS; the line in `why` begins with where, as of all settings. */
static hg_result read_tls(struct hg_cli *cli, const char *file, struct hg_buf *why)
{
    const struct hg_config *settings = cli->config;
    struct hg_buf certificate, key, found;
    if (!*settings->tls_certificate)
        return HG_OK;
    hg_buf_init(&certificate, FILE_BYTES_MAX);
    hg_buf_init(&key, FILE_BYTES_MAX);
    hg_buf_init(&found, MESSAGE_BYTES_MAX);
    hg_path_put(settings->tls_certificate, file, &certificate);
    hg_path_put(settings->tls_key, file, &key);
    hg_result result = hg_buf_result(&certificate);
    if (hg_ok(result))
        result = hg_buf_result(&key);
    if (hg_ok(result)) {
        struct hg_ws_tls_config config = {
            .certificate = certificate.ptr,
            .key = key.ptr,
            .only_1_3 = strcmp(settings->tls_min_version, "1.3") == 0,
            .look_every = hg_ms(settings->tls_reload_ms),
        };
        result = hg_ws_tls_new(&config, &cli->tls, &found);
    }
    if (!hg_ok(result)) {
        hg_visible_put(hg_slice_str(file ? file : "settings"), SIZE_MAX, why);
        hg_buf_put_str(why, ": ");
        hg_buf_put(why, hg_buf_slice(&found));
    }
    hg_buf_done(&certificate);
    hg_buf_done(&key);
    hg_buf_done(&found);
    return result;
}

/* File, environment, flags, in this order; then the relations. */
static bool read_settings(const struct arguments *arguments, char **environment, struct hg_cli *cli, struct hg_buf *why,
                          int *ret_exit)
{
    const char *file = arguments->value[OPTION_config];
    hg_result result = HG_OK;
    if (file) {
        if (!read_file(file, &cli->config, why, ret_exit))
            return false;
    } else {
        result = hg_config_new(&cli->config);
    }

    size_t unknown = 0;
    for (char **variable = environment; hg_ok(result) && *variable; variable++)
        result = read_variable(*variable, cli, &unknown, why);
    /* At work an unknown variable is no reason to stay down; a check is there to find it. */
    if (hg_ok(result) && unknown > 0 && arguments->value[OPTION_check_config]) {
        *ret_exit = HG_EXIT_USAGE;
        return false;
    }

    static const struct {
        enum option option;
        const char *setting, *origin;
    } flags[] = {{OPTION_listen, "listen", "--listen"},
                 {OPTION_redis, "redis", "--redis"},
                 {OPTION_workers, "workers", "--workers"}};
    for (size_t i = 0; hg_ok(result) && i < sizeof(flags) / sizeof(flags[0]); i++) {
        const char *value = arguments->value[flags[i].option];
        if (value)
            result = hg_config_set(cli->config, hg_slice_str(flags[i].setting), hg_slice_str(value),
                                   hg_slice_str(flags[i].origin), why);
    }
    if (arguments->value[OPTION_web])
        cli->web = arguments->value[OPTION_web];

    if (hg_ok(result)) {
        result = hg_config_check(cli->config, why);
        if (result.code == HG_ERR_BAD_REQUEST) {
            complain("%s: %.*s", file ? file : "settings", HG_SLICE_ARG(hg_buf_slice(why)));
            return false;
        }
    }
    if (hg_ok(result))
        result = hg_workers_parse(hg_slice_str(cli->config->workers), &cli->workers, NULL);
    if (hg_ok(result)) {
        cli->workers = cli->workers > 0 ? cli->workers : cores();
        result = hg_workers_check(cli->config, cli->workers, why);
        if (result.code == HG_ERR_BAD_REQUEST) {
            complain("%s: %.*s", file ? file : "settings", HG_SLICE_ARG(hg_buf_slice(why)));
            return false;
        }
    }
    if (hg_ok(result))
        result = hg_schemas_read(cli->config, file, why);
    if (hg_ok(result))
        result = read_tls(cli, file, why);
    if (hg_ok(result))
        result = hg_redis_url_parse(hg_slice_str(cli->config->redis), &cli->redis, NULL);
    if (hg_ok(result))
        result = hg_listen_parse(hg_slice_str(cli->config->listen), &cli->listen, NULL);
    if (!hg_ok(result)) {
        *ret_exit = refuse(result, why);
        return false;
    }
    return true;
}

bool hg_cli_read(int argc, char **argv, char **environment, struct hg_cli *ret_cli, int *ret_exit)
{
    struct arguments arguments = {{NULL}};
    struct hg_cli cli = {0};
    struct hg_buf why;
    *ret_exit = HG_EXIT_USAGE;
    if (!read_arguments(argc, argv, &arguments))
        return false;
    if (arguments.value[OPTION_help]) {
        *ret_exit = print_help();
        return false;
    }
    if (arguments.value[OPTION_version]) {
        *ret_exit = print_version();
        return false;
    }
    if (arguments.value[OPTION_document_config]) {
        *ret_exit = print_reference();
        return false;
    }

    hg_buf_init(&why, MESSAGE_BYTES_MAX);
    bool run = read_settings(&arguments, environment, &cli, &why, ret_exit);
    hg_buf_done(&why);
    if (run && arguments.value[OPTION_check_config]) {
        *ret_exit = print_summary(&cli, arguments.value[OPTION_config]);
        run = false;
    } else if (run && arguments.value[OPTION_dump_config]) {
        *ret_exit = print_settings(cli.config);
        run = false;
    }
    if (run)
        *ret_cli = cli;
    else
        hg_cli_done(&cli);
    return run;
}

void hg_cli_done(struct hg_cli *cli)
{
    hg_redis_url_done(&cli->redis);
    hg_ws_tls_free(cli->tls);
    hg_schemas_free(cli->config);
    hg_config_free(cli->config);
    *cli = (struct hg_cli){0};
}
