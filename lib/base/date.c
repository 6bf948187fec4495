#include "base/date.h"

struct scan {
    struct hg_slice rest;
    bool good;
};

static void take(struct scan *scan, const char *any_of)
{
    scan->good = scan->good && scan->rest.len > 0 && memchr(any_of, scan->rest.ptr[0], strlen(any_of));
    if (scan->good)
        scan->rest = hg_slice_from(scan->rest, 1);
}

static unsigned number(struct scan *scan, unsigned digits, unsigned least, unsigned most)
{
    unsigned value = 0;
    for (unsigned i = 0; i < digits; i++) {
        unsigned digit = scan->good && scan->rest.len > 0 ? (unsigned)scan->rest.ptr[0] - '0' : 10;
        take(scan, "0123456789");
        value = value * 10 + (scan->good ? digit : 0);
    }
    scan->good = scan->good && value >= least && value <= most;
    return value;
}

static bool is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

static int64_t days_since_1970(unsigned year, unsigned month, unsigned day)
{
    unsigned before = year - 1; /* whole years since year 1 */
    int64_t days = (int64_t)before * 365 + before / 4 - before / 100 + before / 400 - 719162;
    for (unsigned m = 1; m < month; m++)
        days += days_in(year, m);
    return days + day - 1;
}

bool hg_date_parse(struct hg_slice text, uint64_t *ret_ms)
{
    struct scan scan = {text, true};
    /* West of Greenwich the last hours of 1969 are in 1970. */
    unsigned year = number(&scan, 4, 1969, 9999);
    take(&scan, "-");
    unsigned month = number(&scan, 2, 1, 12);
    take(&scan, "-");
    unsigned day = number(&scan, 2, 1, scan.good ? days_in(year, month) : 31);
    take(&scan, "Tt ");
    unsigned hour = number(&scan, 2, 0, 23);
    take(&scan, ":");
    unsigned minute = number(&scan, 2, 0, 59);
    take(&scan, ":");
    unsigned second = number(&scan, 2, 0, 60), ms = 0;
    if (scan.good && scan.rest.len > 0 && scan.rest.ptr[0] == '.') {
        take(&scan, ".");
        ms = number(&scan, 1, 0, 9) * 100;
        for (unsigned weight = 10;
             scan.good && scan.rest.len > 0 && strchr("0123456789", scan.rest.ptr[0]) && scan.rest.ptr[0] != '\0';
             weight /= 10)
            ms += number(&scan, 1, 0, 9) * weight;
    }
    if (second == 60) {
        second = 59;
        ms = 999;
    }
    int64_t offset = 0;
    if (scan.good && scan.rest.len > 0 && (scan.rest.ptr[0] == '+' || scan.rest.ptr[0] == '-')) {
        bool east = scan.rest.ptr[0] == '+';
        take(&scan, "+-");
        unsigned hours = number(&scan, 2, 0, 23);
        take(&scan, ":");
        unsigned minutes = number(&scan, 2, 0, 59);
        offset = ((int64_t)hours * 60 + minutes) * 60000;
        offset = east ? offset : -offset;
    } else {
        take(&scan, "Zz");
    }
    if (!scan.good || scan.rest.len > 0)
        return false;
    int64_t at = (((days_since_1970(year, month, day) * 24 + hour) * 60 + minute) * 60 + second) * 1000 + ms;
    if (at < offset)
        return false;
    *ret_ms = (uint64_t)(at - offset);
    return true;
}
