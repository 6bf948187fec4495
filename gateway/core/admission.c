#include "core/admission.h"

#include "base/assert.h"

#define MEAN_US       1000000u /* over which turns are averaged */
#define LOOK_MS       1000u
#define ACCEPTS_MIN   8u
#define ACCEPTS_MAX   64u
#define QUICK_TURN_US 8000u /* up to this long a turn leaves room for all of them */

void hg_admission_init(struct hg_admission *admission, hg_dur turn_max, uint64_t bytes_max)
{
    *admission = (struct hg_admission){.turn_max = turn_max, .bytes_max = bytes_max};
}

static uint64_t blend(uint64_t mean, uint64_t value, uint64_t during)
{
    during = during < 1000 * (uint64_t)MEAN_US ? during : 1000 * (uint64_t)MEAN_US;
    uint64_t weight = during * 1024 / (during + MEAN_US);
    return (mean * (1024 - weight) + value * weight) / 1024;
}

/* Turns count by the time they took, the sleep between them as turns of no length. One turn alone, however long, does
 * little: thousands who leave at the same moment make one. */
static hg_dur mean_of(const struct hg_admission *admission, hg_time now, hg_dur turn)
{
    uint64_t passed = hg_time_since(admission->fed, now).us;
    uint64_t slept = passed > turn.us ? passed - turn.us : 0;
    uint64_t value = turn.us < 2 * admission->turn_max.us ? turn.us : 2 * admission->turn_max.us;
    uint64_t during = turn.us < MEAN_US / 4 ? turn.us : MEAN_US / 4;
    return hg_us(blend(blend(admission->turn.us, 0, slept), value, during));
}

/* Above its upper level it is on, below its lower level off, between them it stays. */
static unsigned judge(unsigned before, enum hg_strain strain, bool above, bool below)
{
    return above ? strain : below ? 0 : before & strain;
}

bool hg_admission_feed(struct hg_admission *admission, hg_time now, const struct hg_load *load)
{
    HG_ASSERT(!hg_time_before(now, admission->fed));
    enum hg_admission_state before = hg_admission_state(admission);
    admission->turn = mean_of(admission, now, load->turn);
    admission->last = load->turn;
    admission->fed = now;

    unsigned strains = 0, had = admission->strains;
    if (admission->turn_max.us > 0)
        strains |= judge(had, HG_STRAIN_TURNS, admission->turn.us > admission->turn_max.us,
                         admission->turn.us < admission->turn_max.us / 2);
    if (admission->bytes_max > 0)
        strains |= judge(had, HG_STRAIN_MEMORY, load->bytes >= admission->bytes_max - admission->bytes_max / 8,
                         load->bytes < admission->bytes_max - admission->bytes_max / 4);
    uint64_t few = load->descriptors / 64 + 1;
    strains |= judge(had, HG_STRAIN_DESCRIPTORS, load->descriptors_left < few, load->descriptors_left >= 2 * few);
    admission->strains = strains;

    return hg_admission_state(admission) != before;
}

enum hg_admission_state hg_admission_state(const struct hg_admission *admission)
{
    return admission->strains != 0 ? HG_ADMISSION_SHEDDING : HG_ADMISSION_OK;
}

const char *hg_admission_state_name(enum hg_admission_state state)
{
    return state == HG_ADMISSION_OK ? "ok" : "shedding";
}

hg_time hg_admission_deadline(const struct hg_admission *admission)
{
    return admission->strains != 0 ? hg_time_add(admission->fed, hg_ms(LOOK_MS)) : HG_TIME_NEVER;
}

unsigned hg_admission_accepts(const struct hg_admission *admission)
{
    if (admission->last.us <= QUICK_TURN_US)
        return ACCEPTS_MAX;
    uint64_t share = (uint64_t)ACCEPTS_MAX * QUICK_TURN_US / admission->last.us;
    return share > ACCEPTS_MIN ? (unsigned)share : ACCEPTS_MIN;
}

uint64_t hg_admission_excess(const struct hg_admission *admission, uint64_t bytes)
{
    if (admission->bytes_max == 0 || bytes < admission->bytes_max)
        return 0;
    return bytes - (admission->bytes_max - admission->bytes_max / 8);
}
