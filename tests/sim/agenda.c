#include "sim/agenda.h"

#include <stdlib.h>

#include "base/assert.h"
#include "sim/arena.h"

static bool is_before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at.us != b->at.us ? a->at.us < b->at.us : a->order < b->order;
}

void sim_agenda_put(struct sim_agenda *agenda, hg_time at, enum sim_event_kind kind, uint32_t who, uint32_t generation)
{
    struct sim_event event = {at, agenda->order++, kind, who, generation};

    (void)SIM_PUSH(agenda->heap, agenda->count, agenda->capacity);
    size_t i = agenda->count - 1;
    while (i > 0 && is_before(&event, &agenda->heap[(i - 1) / 2])) {
        agenda->heap[i] = agenda->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    agenda->heap[i] = event;
}

hg_time sim_agenda_next(const struct sim_agenda *agenda)
{
    return agenda->count ? agenda->heap[0].at : HG_TIME_NEVER;
}

struct sim_event sim_agenda_pop(struct sim_agenda *agenda)
{
    HG_ASSERT(agenda->count > 0);
    struct sim_event top = agenda->heap[0], last = agenda->heap[--agenda->count];

    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;

        if (child >= agenda->count)
            break;
        if (child + 1 < agenda->count && is_before(&agenda->heap[child + 1], &agenda->heap[child]))
            child++;
        if (!is_before(&agenda->heap[child], &last))
            break;
        agenda->heap[i] = agenda->heap[child];
        i = child;
    }
    agenda->heap[i] = last;
    return top;
}

void sim_agenda_clear(struct sim_agenda *agenda)
{
    agenda->count = 0;
    agenda->order = 0;
}

void sim_agenda_done(struct sim_agenda *agenda)
{
    free(agenda->heap);
    *agenda = (struct sim_agenda){0};
}
