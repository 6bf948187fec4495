#include "stream/continuity.h"

static bool is_zero(hg_stream_id id)
{
    return hg_stream_id_cmp(id, HG_STREAM_ID_ZERO) == 0;
}

/* Nothing can lie between the two. */
static bool is_next(hg_stream_id id, hg_stream_id next)
{
    hg_stream_id behind;
    return hg_stream_id_next(id, &behind) && hg_stream_id_cmp(behind, next) == 0;
}

static struct hg_verdict verdict(enum hg_continuity kind, uint64_t missed)
{
    return (struct hg_verdict){kind, missed};
}

/* Of the entries behind a place: XDEL took one of them at least, or it was trimmed as far as anybody can tell. */
static enum hg_continuity removal(const struct hg_stream_info *info, hg_stream_id place)
{
    bool deleted = info->counts && hg_stream_id_cmp(info->max_deleted, place) >= 0;
    return deleted ? HG_CONTINUITY_DELETED : HG_CONTINUITY_TRIMMED;
}

/* One entry went, a newer one that XDEL took: that of the place never stood there. */
static bool never_stood(const struct hg_stream_info *info, hg_stream_id place)
{
    return info->counts && info->added == info->length + 1 && hg_stream_id_cmp(info->max_deleted, place) > 0;
}

struct hg_verdict hg_continuity_of_place(const struct hg_stream_info *info, hg_stream_id place)
{
    if (!info->exists)
        return verdict(is_zero(place) ? HG_CONTINUITY_WHOLE : HG_CONTINUITY_GONE, 0);
    if (is_zero(place)) {
        if (!info->counts || info->added <= info->length)
            return verdict(HG_CONTINUITY_WHOLE, 0);
        return verdict(is_zero(info->max_deleted) ? HG_CONTINUITY_TRIMMED : HG_CONTINUITY_DELETED,
                       info->added - info->length);
    }
    int to_newest = hg_stream_id_cmp(place, info->last_generated);
    if (to_newest > 0)
        return verdict(HG_CONTINUITY_ROLLED_BACK, 0);
    if (info->length == 0)
        return verdict(to_newest == 0 ? HG_CONTINUITY_WHOLE : removal(info, place), 0);
    if (hg_stream_id_cmp(place, info->first) < 0) {
        bool made_anew = info->counts && info->added == info->length;
        if (made_anew)
            return verdict(HG_CONTINUITY_GONE, 0);
        return verdict(is_next(place, info->first) ? HG_CONTINUITY_WHOLE : removal(info, place), 0);
    }
    int deleted = info->counts ? hg_stream_id_cmp(info->max_deleted, place) : -1;
    if (deleted == 0) /* the entry that the client has, and nothing newer */
        return verdict(HG_CONTINUITY_WHOLE, 0);
    bool may_be_deleted = deleted > 0 && !never_stood(info, place);
    return verdict(may_be_deleted ? HG_CONTINUITY_DELETED : HG_CONTINUITY_ROLLED_BACK, 0);
}

static struct hg_verdict count_missed(const struct hg_stream_info *info, const struct hg_reading *reading)
{
    uint64_t held_there = reading->held - reading->held_trimmed;
    uint64_t to_come = info->length > held_there ? info->length - held_there : 0;
    uint64_t known = reading->added + reading->held + to_come;
    if (info->added < known)
        return verdict(HG_CONTINUITY_GONE, 0);
    if (info->added == known)
        return verdict(HG_CONTINUITY_WHOLE, 0);
    bool deleted = hg_stream_id_cmp(info->max_deleted, reading->last) > 0;
    return verdict(deleted ? HG_CONTINUITY_DELETED : HG_CONTINUITY_TRIMMED, info->added - known);
}

struct hg_verdict hg_continuity_of_reading(const struct hg_stream_info *info, const struct hg_reading *reading)
{
    if (!info->exists) {
        bool was_empty = is_zero(reading->last) && reading->held == 0;
        return verdict(was_empty ? HG_CONTINUITY_WHOLE : HG_CONTINUITY_GONE, 0);
    }
    hg_stream_id newest = reading->held > 0 ? reading->held_newest : reading->last;
    if (hg_stream_id_cmp(info->last_generated, newest) < 0)
        return verdict(reading->older_is_strange ? HG_CONTINUITY_GONE : HG_CONTINUITY_ROLLED_BACK, 0);
    if (reading->older_is_there) {
        /* What is older than the place is there, so nothing was trimmed up to it. */
        int deleted = info->counts ? hg_stream_id_cmp(info->max_deleted, reading->last) : -1;
        if (deleted >= 0 && !reading->older_is_strange && !never_stood(info, reading->last))
            return verdict(deleted == 0 ? HG_CONTINUITY_WHOLE : HG_CONTINUITY_DELETED, 0);
        return verdict(reading->older_is_strange ? HG_CONTINUITY_GONE : HG_CONTINUITY_ROLLED_BACK, 0);
    }
    /* An entry of this stream was at the place, or in front of it, and no entry ever left the one that is there now. */
    if (info->counts && info->length > 0 && info->added == info->length && !is_zero(reading->last))
        return verdict(HG_CONTINUITY_GONE, 0);
    if (info->counts && reading->counted)
        return count_missed(info, reading);
    /* Nothing ever went from it, so what stood at the place was of another one. */
    if (info->counts && info->added == info->length && !is_zero(reading->last))
        return verdict(HG_CONTINUITY_GONE, 0);
    bool nothing_came = reading->held == 0 && hg_stream_id_cmp(info->last_generated, reading->last) == 0;
    bool goes_on = reading->held > 0 ? is_next(reading->last, reading->held_first)
                                     : info->length > 0 && is_next(reading->last, info->first);
    bool whole = nothing_came || goes_on || is_zero(reading->last);
    return verdict(whole ? HG_CONTINUITY_WHOLE : HG_CONTINUITY_TRIMMED, 0);
}
