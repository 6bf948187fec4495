/* admission.h – whether new work is let in: from how long the turns of the loop take, how much memory is held and how
 * many descriptors are left.
 *
 *   OK ── a strain goes above its upper level ──► SHEDDING ── all are below their lower levels ──► OK
 *
 * Three strains, each with two levels, so that the state does not flutter:
 *   TURNS        the mean time of a turn, over some seconds of work, above turn_max; below a half of it
 *   MEMORY       bytes held, at 7/8 of bytes_max; below 3/4 of it
 *   DESCRIPTORS  left, fewer than one of 64; at least twice as many
 * While it sheds, those who are there are served, and new clients and replays are refused. Past bytes_max itself, what
 * the worst laggards hold has to go. Pure: fed with loads and the clock; calls out: none. */
#ifndef HG_CORE_ADMISSION_H
#define HG_CORE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/time.h"

enum hg_admission_state { HG_ADMISSION_OK, HG_ADMISSION_SHEDDING };

/* Independent of each other; any of them means SHEDDING. */
enum hg_strain { HG_STRAIN_TURNS = 1, HG_STRAIN_MEMORY = 2, HG_STRAIN_DESCRIPTORS = 4 };

struct hg_load {
    hg_dur turn;    /* how long the turn was busy, its sleep left out */
    uint64_t bytes; /* held */
    uint64_t descriptors, descriptors_left;
};

struct hg_admission {
    hg_dur turn_max;    /* 0: turns may take as long as they like */
    uint64_t bytes_max; /* 0: no ceiling */
    unsigned strains;   /* enum hg_strain */
    hg_dur turn;        /* the mean; 0 without turn_max */
    hg_dur last;        /* the last one */
    hg_time fed;        /* when */
};

void hg_admission_init(struct hg_admission *admission, hg_dur turn_max, uint64_t bytes_max);
/* The load of a turn; time does not run backwards. True: the state has changed. */
bool hg_admission_feed(struct hg_admission *admission, hg_time now, const struct hg_load *load);
enum hg_admission_state hg_admission_state(const struct hg_admission *admission);
/* "ok", "shedding"; static. */
const char *hg_admission_state_name(enum hg_admission_state state);
/* When it has to be fed at latest, since a state that nobody looks at does not end. */
hg_time hg_admission_deadline(const struct hg_admission *admission);

/* How many connections may be accepted in the next turn: fewer the longer the last one took, never none. */
unsigned hg_admission_accepts(const struct hg_admission *admission);
/* How many of the `bytes` held laggards have to give back; those they are about to give back are not among them. */
uint64_t hg_admission_excess(const struct hg_admission *admission, uint64_t bytes);

#endif
