/* deflated.h – a segment's frames once more, deflated, for members that agreed to permessage-deflate (RFC 7692).
 *
 * Each message is deflated by itself, so the same bytes serve all of them. It is done when the first of them is about
 * to get the segment, and only where it pays: when at least two wait for it, for messages of deflate_min_bytes and
 * more, and when it saves an eighth. What one turn spends on it is bounded, by the number of those who get it; past
 * that the frames go plain, as they do to everybody else. Ownership: the segment owns the copy, which counts into its
 * log's bytes; the core one deflater, made when it is needed. */
#ifndef HG_CORE_DEFLATED_H
#define HG_CORE_DEFLATED_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/slice.h"

struct hg_core;
struct hg_deflater;
struct hg_segment;

/* Of a segment. */
struct hg_deflated {
    char *frames; /* NULL: there are only the plain ones */
    size_t len;
    bool tried; /* it was made, or found not to pay */
};

/* Of the core. */
struct hg_deflation {
    struct hg_deflater *deflater; /* NULL: not needed yet */
    struct hg_buf frames;         /* scratch */
    size_t credit;                /* bytes that may still be deflated in this turn for one member each */
};

void hg_deflation_init(struct hg_core *core);
void hg_deflation_done(struct hg_core *core);
/* A turn's credit, from now on. */
void hg_deflation_tick(struct hg_core *core);

/* What a member that takes deflated frames is sent, the plain ones where they have to do. Valid while the segment is.
 */
struct hg_slice hg_deflated_frames(struct hg_core *core, struct hg_segment *segment);

#endif
