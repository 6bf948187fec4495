#include "deadletter/errand.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/visible.h"
#include "deadletter/box.h"

#define COUNT_DEFAULT 100
#define COUNT_MAX     1000000000

static const struct {
    const char *name, *usage, *text;
} verbs[HG_VERB__COUNT] = {
    [HG_VERB_LIST] = {"list", "[--topic TOPIC | KEY] [OPTION]…",
                      "Lists the streams of dead letters that the topic rules name; with a topic or a\n"
                      "stream's key, the letters in it, the oldest first.\n"},
    [HG_VERB_SHOW] = {"show", "ID [--topic TOPIC | KEY] [OPTION]…",
                      "Shows one dead letter: all that is known of it, then its event as the client sent it.\n"},
    [HG_VERB_REPLAY] = {"replay", "ID…|--all [--topic TOPIC | KEY] --config FILE [OPTION]…",
                        "Appends events of dead letters to the streams of their topics, once each, and takes the\n"
                        "letters out. They are held against the topic rules again; what is refused stays.\n"
                        "A replay that broke off can be repeated: nothing is doubled within dedupe_window_ms.\n"},
    [HG_VERB_DROP] = {"drop", "ID…|--all [--topic TOPIC | KEY] [OPTION]…", "Takes dead letters out for good.\n"},
};

static const struct {
    const char *spelling, *argument;
    unsigned verbs;
    const char *text;
} options[HG_ERRAND__COUNT] = {
#define X(name, spelling, argument, verbs, text) {spelling, argument, verbs, text},
    HG_ERRAND_OPTIONS(X)
#undef X
};

/* --- what is said ------------------------------------------------------------------------------------------------- */

void hg_errand_complain(const struct hg_errand *errand, const char *format, ...)
{
    char line[4096];
    bool named = errand->verb != HG_VERB__COUNT;
    va_list args;
    struct hg_buf text;
    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    hg_buf_init(&text, 4 * sizeof(line));
    hg_visible_put(hg_slice_str(line), SIZE_MAX, &text);
    fprintf(stderr, "headgate deadletter%s%s: %.*s\n", named ? " " : "", named ? verbs[errand->verb].name : "",
            HG_SLICE_ARG(hg_buf_slice(&text)));
    hg_buf_done(&text);
}

int hg_errand_tell(const struct hg_errand *errand, const struct hg_box *box)
{
    hg_errand_complain(errand, "%s", box->why);
    return box->is_usage ? HG_ERRAND_WRONG : HG_ERRAND_FAILED;
}

bool hg_errand_put(const struct hg_errand *errand, struct hg_slice bytes)
{
    if (fwrite(bytes.ptr, 1, bytes.len, stdout) == bytes.len)
        return true;
    hg_errand_complain(errand, "cannot write to standard output: %s", strerror(errno));
    return false;
}

bool hg_errand_flush(const struct hg_errand *errand)
{
    if (fflush(stdout) == 0)
        return true;
    hg_errand_complain(errand, "cannot write to standard output: %s", strerror(errno));
    return false;
}

static void print_overview(void)
{
    fputs("Usage: headgate deadletter list|show|replay|drop …\n"
          "\n"
          "Emits that a topic refuses as invalid are kept in the stream that its rule names with\n"
          "dead_letter. These commands look at them, and put them right:\n"
          "\n"
          "  list    the streams, or the letters in one\n"
          "  show    one letter and its event\n"
          "  replay  into the topic's stream after all, when its rule was relaxed\n"
          "  drop    for good\n"
          "\n"
          "headgate deadletter list --help tells more, and so with the others.\n",
          stdout);
}

static void print_help(enum hg_verb verb)
{
    printf("Usage: headgate deadletter %s %s\n\n%s\n", verbs[verb].name, verbs[verb].usage, verbs[verb].text);
    for (size_t i = 0; i < HG_ERRAND__COUNT; i++) {
        char name[40];
        const char *argument = options[i].argument;
        snprintf(name, sizeof(name), "%s%s%s", options[i].spelling, argument ? " " : "", argument ? argument : "");
        if (options[i].verbs & (1u << verb))
            printf("  %-14s %s\n", name, options[i].text);
    }
    if (verb != HG_VERB_LIST)
        printf("\nWithout a topic or key all streams are meant that the topic rules name. ID: a letter's, as\n"
               "list shows it, such as 1700000000000-0.\n");
    printf("\nExit code: 0 all was done, 1 %s, 2 the command line or\nthe configuration is wrong.\n",
           verb == HG_VERB_REPLAY ? "a letter stayed or Redis failed" : "a letter was not there or Redis failed");
}

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool read_option(struct hg_errand *errand, int argc, char **argv, int *at)
{
    struct hg_slice word = hg_slice_str(argv[*at]);
    const char *equals = strchr(argv[*at], '=');
    if (equals)
        word.len = (size_t)(equals - word.ptr);
    size_t option = 0;
    while (option < HG_ERRAND__COUNT &&
           !(hg_slice_is(word, options[option].spelling) && (options[option].verbs & (1u << errand->verb))))
        option++;
    if (option == HG_ERRAND__COUNT) {
        hg_errand_complain(errand, "there is no option %.*s; see headgate deadletter %s --help", HG_SLICE_ARG(word),
                           verbs[errand->verb].name);
        return false;
    }
    const char *value = equals ? equals + 1 : "";
    if (!options[option].argument && equals) {
        hg_errand_complain(errand, "%.*s takes no value", HG_SLICE_ARG(word));
        return false;
    }
    if (options[option].argument && !equals) {
        if (*at + 1 == argc) {
            hg_errand_complain(errand, "%.*s needs a value: %.*s %s", HG_SLICE_ARG(word), HG_SLICE_ARG(word),
                               options[option].argument);
            return false;
        }
        value = argv[++*at];
    }
    errand->value[option] = value;
    return true;
}

/* An id for those verbs that take some, else a stream's key. */
static bool read_word(struct hg_errand *errand, const char *word)
{
    hg_stream_id id;
    if (errand->verb != HG_VERB_LIST && hg_stream_id_parse(hg_slice_str(word), &id)) {
        errand->ids[errand->id_count++] = id;
        return true;
    }
    if (errand->key) {
        hg_errand_complain(errand, "\"%s\" is no letter's id (such as 1700000000000-0), and a key was named already",
                           word);
        return false;
    }
    errand->key = word;
    return true;
}

static bool read_count(struct hg_errand *errand)
{
    const char *text = errand->value[HG_ERRAND_COUNT];
    char *end = NULL;
    errand->count = COUNT_DEFAULT;
    if (!text)
        return true;
    errno = 0;
    unsigned long long count = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end || errno != 0 || count > COUNT_MAX) {
        hg_errand_complain(errand, "--count is \"%s\"; allowed: a whole number from 0 to %d", text, COUNT_MAX);
        return false;
    }
    errand->count = count;
    return true;
}

static bool is_sensible(struct hg_errand *errand)
{
    bool all = errand->value[HG_ERRAND_ALL] != NULL;
    if (errand->value[HG_ERRAND_KEY]) {
        if (errand->key) {
            hg_errand_complain(errand, "two keys: \"%s\" and \"%s\"", errand->key, errand->value[HG_ERRAND_KEY]);
            return false;
        }
        errand->key = errand->value[HG_ERRAND_KEY];
    }
    if (errand->key && !errand->key[0])
        hg_errand_complain(errand, "the key is empty");
    else if (errand->key && errand->value[HG_ERRAND_TOPIC])
        hg_errand_complain(errand, "either a topic or a key, not both");
    else if (errand->verb == HG_VERB_SHOW && errand->id_count != 1)
        hg_errand_complain(errand, "%s; list shows the ids",
                           errand->id_count == 0 ? "a letter's id is missing" : "one letter at a time");
    else if ((errand->verb == HG_VERB_REPLAY || errand->verb == HG_VERB_DROP) && !all && errand->id_count == 0)
        hg_errand_complain(errand, "letters' ids are missing, or --all");
    else if (all && errand->id_count > 0)
        hg_errand_complain(errand, "either letters' ids or --all, not both");
    else if (errand->verb == HG_VERB_DROP && all && !errand->value[HG_ERRAND_YES])
        hg_errand_complain(errand, "--all takes every letter out for good; say --all --yes");
    else if (errand->verb == HG_VERB_REPLAY && !errand->value[HG_ERRAND_CONFIG])
        hg_errand_complain(errand, "--config is missing: its topic rules say where events go and what is checked");
    else if (errand->value[HG_ERRAND_JSON] && errand->value[HG_ERRAND_EVENT])
        hg_errand_complain(errand, "either --json or --event, not both");
    else
        return read_count(errand);
    return false;
}

static bool read_words(struct hg_errand *errand, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "-h") == 0)
            errand->value[HG_ERRAND_HELP] = "";
        else if (!(strncmp(argv[i], "--", 2) == 0 ? read_option(errand, argc, argv, &i) : read_word(errand, argv[i])))
            return false;
    }
    return errand->value[HG_ERRAND_HELP] || is_sensible(errand);
}

/* False: there is none, which was told. */
static bool read_verb(struct hg_errand *errand, int argc, char **argv, int *ret_exit)
{
    errand->verb = HG_VERB__COUNT;
    for (size_t i = 0; argc > 1 && i < HG_VERB__COUNT; i++)
        if (strcmp(argv[1], verbs[i].name) == 0)
            errand->verb = (enum hg_verb)i;
    if (errand->verb != HG_VERB__COUNT)
        return true;
    *ret_exit = HG_ERRAND_WRONG;
    if (argc == 1) {
        hg_errand_complain(errand, "list, show, replay or drop? See headgate deadletter --help");
    } else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_overview();
        *ret_exit = HG_ERRAND_DONE;
    } else {
        hg_errand_complain(errand, "there is no \"%s\"; there are list, show, replay and drop", argv[1]);
    }
    return false;
}

bool hg_errand_read(int argc, char **argv, struct hg_errand *ret_errand, int *ret_exit)
{
    struct hg_errand *errand = ret_errand;
    *errand = (struct hg_errand){.verb = HG_VERB__COUNT};
    if (!read_verb(errand, argc, argv, ret_exit))
        return false;
    errand->ids = calloc((size_t)argc, sizeof(*errand->ids));
    *ret_exit = HG_ERRAND_WRONG;
    if (!errand->ids) {
        hg_errand_complain(errand, "out of memory");
        *ret_exit = HG_ERRAND_FAILED;
        return false;
    }
    if (!read_words(errand, argc, argv))
        return false;
    if (!errand->value[HG_ERRAND_HELP])
        return true;
    print_help(errand->verb);
    *ret_exit = HG_ERRAND_DONE;
    return false;
}

void hg_errand_done(struct hg_errand *errand)
{
    free(errand->ids);
    *errand = (struct hg_errand){.verb = HG_VERB__COUNT};
}
