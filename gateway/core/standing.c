#include "core/standing.h"

void hg_standing_merge(struct hg_standing *standing, const struct hg_standing *other)
{
    if (hg_stream_id_cmp(other->oldest.id, standing->oldest.id) > 0)
        standing->oldest = other->oldest;
    if (hg_stream_id_cmp(other->newest.id, standing->newest.id) > 0)
        standing->newest = other->newest;
    if (hg_stream_id_cmp(other->slowest, standing->slowest) < 0)
        standing->slowest = other->slowest;
    if (other->events_behind > standing->events_behind)
        standing->events_behind = other->events_behind;
    standing->history_bytes += other->history_bytes;
    standing->subscribers += other->subscribers;
}
