/* errand.h – what `headgate deadletter` was sent for: its command line, and what is said back.
 *
 * Ownership: hg_errand_done() frees what was read; words are borrowed from the arguments. Messages go to standard
 * error, in one line that is fit for a terminal; results to standard output. Calls out: none. */
#ifndef HG_DEADLETTER_ERRAND_H
#define HG_DEADLETTER_ERRAND_H

#include "base/slice.h"
#include "stream/id.h"

enum hg_verb { HG_VERB_LIST, HG_VERB_SHOW, HG_VERB_REPLAY, HG_VERB_DROP, HG_VERB__COUNT };

enum { HG_ERRAND_DONE = 0, HG_ERRAND_FAILED = 1, HG_ERRAND_WRONG = 2 }; /* exit codes */

#define HG_VERBS_ALL  0xfu
#define HG_VERB(verb) (1u << (HG_VERB_##verb))

/* name, spelling, argument, verbs, text */
#define HG_ERRAND_OPTIONS(X)                                                                                           \
    X(CONFIG, "--config", "FILE", HG_VERBS_ALL, "the gateway's configuration: its topic rules and its Redis")          \
    X(REDIS, "--redis", "URL", HG_VERBS_ALL, "another Redis; HEADGATE_REDIS keeps a password out of sight")            \
    X(TOPIC, "--topic", "TOPIC", HG_VERBS_ALL, "letters of this topic, in the stream its rule names")                  \
    X(KEY, "--key", "KEY", HG_VERBS_ALL, "the stream with this key, whatever it looks like")                           \
    X(COUNT, "--count", "N", HG_VERB(LIST), "the newest N letters only (default 100; 0: all)")                         \
    X(JSON, "--json", NULL, HG_VERB(LIST) | HG_VERB(SHOW), "one JSON object a line")                                   \
    X(EVENT, "--event", NULL, HG_VERB(SHOW), "only the event, byte for byte")                                          \
    X(ALL, "--all", NULL, HG_VERB(REPLAY) | HG_VERB(DROP), "all letters that are there when it begins")                \
    X(YES, "--yes", NULL, HG_VERB(DROP), "goes with --all: yes, all of them")                                          \
    X(DRY_RUN, "--dry-run", NULL, HG_VERB(REPLAY), "says what would be replayed and what refused, changes nothing")    \
    X(FORCE, "--force", NULL, HG_VERB(REPLAY), "without the checks of the topic rules")                                \
    X(NEW_ID, "--new-id", NULL, HG_VERB(REPLAY), "a fresh id (UUID) where the letter's is used for another event")     \
    X(HELP, "--help", NULL, HG_VERBS_ALL, "prints this text")

enum hg_errand_option {
#define X(name, spelling, argument, verbs, text) HG_ERRAND_##name,
    HG_ERRAND_OPTIONS(X)
#undef X
        HG_ERRAND__COUNT
};

struct hg_box;

struct hg_errand {
    enum hg_verb verb;                   /* HG_VERB__COUNT: none was named */
    const char *value[HG_ERRAND__COUNT]; /* NULL: not given; "" for those without argument */
    const char *key;                     /* NULL: not given */
    hg_stream_id *ids;
    size_t id_count;
    uint64_t count;
};

/* argv[0] is "deadletter". True: go on; false: all is done or wrong, end with `*ret_exit`. */
bool hg_errand_read(int argc, char **argv, struct hg_errand *ret_errand, int *ret_exit);
void hg_errand_done(struct hg_errand *errand);

/* One line on standard error. */
void hg_errand_complain(const struct hg_errand *errand, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What the box failed of; returns the exit code. */
int hg_errand_tell(const struct hg_errand *errand, const struct hg_box *box);
/* To standard output; false, with a complaint, when that is not to be had. */
bool hg_errand_put(const struct hg_errand *errand, struct hg_slice bytes);
bool hg_errand_flush(const struct hg_errand *errand);

#endif
