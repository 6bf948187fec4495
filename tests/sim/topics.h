/* topics.h – the small world of names: every topic there is, and every pattern that clients ask for.
 * Static data; calls out: none. */
#ifndef HG_SIM_TOPICS_H
#define HG_SIM_TOPICS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"
#include "config/config.h"

enum sim_topic_kind {
    SIM_TOPIC_STREAM,
    SIM_TOPIC_CHANNEL,
    SIM_TOPIC_WRONG, /* mapped to a stream, but the key holds a string */
    SIM_TOPIC_NONE,  /* no rule maps it, unless there is a rule that takes all: then a channel */
};

struct sim_topic {
    const char *name;
    enum sim_topic_kind kind;
    int rule;   /* of options.c; -1 for none */
    bool there; /* a stream that exists from the start */
};

extern const struct sim_topic sim_topics[];
extern const size_t sim_topic_count;

/* Patterns, exact ones included, and some that are none. */
extern const char *const sim_patterns[];
extern const size_t sim_pattern_count;

bool sim_pattern_is_valid(const char *pattern);
/* A model of hg_pattern_match() that is too simple to be wrong; false for a pattern that is not valid. */
bool sim_pattern_matches(const char *pattern, const char *name);

/* The topic of that name, or -1. */
int sim_topic_find(struct hg_slice name);

#endif
