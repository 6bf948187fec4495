#include "core/deflated.h"

#include <stdlib.h>

#include "base/assert.h"
#include "core/state.h"
#include "wire/deflate.h"
#include "wire/frame.h"

#define TAKERS_MIN      2u
#define CREDIT_PER_TURN (256u << 10) /* some 2 ms for one member */
#define KEEP_BYTES      (256u << 10) /* of scratch */
#define SAVES_AN_EIGHTH 8u

void hg_deflation_init(struct hg_core *core)
{
    /* All frames of a segment, and room to try the last of them in. */
    hg_buf_init(&core->deflation.frames, 2 * (core->tail.max + HG_SEGMENT_BYTES));
    hg_deflation_tick(core);
}

void hg_deflation_done(struct hg_core *core)
{
    hg_deflater_free(core->deflation.deflater);
    hg_buf_done(&core->deflation.frames);
}

void hg_deflation_tick(struct hg_core *core)
{
    core->deflation.credit = CREDIT_PER_TURN;
}

static struct hg_deflater *deflater_of(struct hg_core *core)
{
    const struct hg_config *config = core->config;
    if (!core->deflation.deflater)
        (void)hg_core_must(hg_deflater_new((unsigned)config->deflate_level, (unsigned)config->deflate_window_bits,
                                           &core->deflation.deflater));
    return core->deflation.deflater;
}

static bool put_deflated(struct hg_core *core, struct hg_slice payload)
{
    struct hg_buf *to = &core->deflation.frames;
    if (payload.len < core->config->deflate_min_bytes)
        return false;
    size_t mark = hg_frame_begin(to);
    if (!hg_deflate(deflater_of(core), payload, payload.len, to)) {
        hg_buf_truncate(to, mark);
        return false;
    }
    hg_frame_end_deflated(to, mark);
    return true;
}

static void make(struct hg_core *core, struct hg_segment *segment)
{
    struct hg_buf *to = &core->deflation.frames;
    struct hg_slice rest = hg_buf_slice(&segment->frames), payload;
    HG_ASSERT(segment != segment->group->open);
    hg_buf_clear(to);
    while (rest.len > 0) {
        struct hg_slice frame = hg_frame_take(&rest, &payload);
        if (HG_MUTANT(DEFLATED_LACKS))
            continue;
        if (!put_deflated(core, payload))
            hg_buf_put(to, frame);
    }
    (void)hg_core_must(hg_buf_result(to));
    segment->deflated.tried = true;
    core->stats.segments_deflated++;
    core->stats.deflate_bytes_in += segment->frames.len;
    core->stats.deflate_bytes_out += to->len;
    if (to->len <= segment->frames.len - segment->frames.len / SAVES_AN_EIGHTH) {
        segment->deflated.frames = hg_core_alloc(to->len);
        segment->deflated.len = to->len;
        memcpy(segment->deflated.frames, to->ptr, to->len);
        hg_group_grew(core, segment);
    }
    hg_buf_reset(to, KEEP_BYTES);
}

/* Whether to make it now. */
static bool pays(struct hg_core *core, const struct hg_segment *segment)
{
    size_t takers = segment->group->deflating, len = segment->frames.len;
    /* Those who wait for it now, and those who are behind: what nobody waits for is gone from the log's beginning. */
    bool shared = segment->waiting >= TAKERS_MIN || segment->in_log.prev != NULL;
    if (takers < TAKERS_MIN || !shared || len < core->config->deflate_min_bytes)
        return false;
    if (core->deflation.credit == 0)
        return false;
    core->deflation.credit -= len / takers < core->deflation.credit ? len / takers : core->deflation.credit;
    return true;
}

struct hg_slice hg_deflated_frames(struct hg_core *core, struct hg_segment *segment)
{
    struct hg_deflated *deflated = &segment->deflated;
    if (!deflated->tried && pays(core, segment))
        make(core, segment);
    return deflated->frames ? hg_slice(deflated->frames, deflated->len) : hg_buf_slice(&segment->frames);
}
