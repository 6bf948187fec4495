#include "logger.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/visible.h"

#define LINE_BYTES_MAX 4096

static const struct {
    const char *word;
    int priority; /* syslog(3) */
} levels[] = {
    [HG_LOG_ERROR] = {"error", 3},
    [HG_LOG_WARNING] = {"warning", 4},
    [HG_LOG_INFO] = {"info", 6},
    [HG_LOG_DEBUG] = {"debug", 7},
};

/* The variable is inherited by whatever the service starts, with its standard error wherever; so it names the stream.
 */
static bool is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    uintmax_t device, inode;
    struct stat status;
    return stream && sscanf(stream, "%" SCNuMAX ":%" SCNuMAX, &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void hg_logger_init(struct hg_logger *logger, const char *level)
{
    *logger = (struct hg_logger){HG_LOG_INFO, is_journal(), NULL};
    for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++)
        if (strcmp(levels[i].word, level) == 0) {
            logger->least = (enum hg_log_level)i;
            return;
        }
    HG_UNREACHABLE();
}

static void put_time(struct hg_buf *into)
{
    struct timespec now;
    struct tm utc;
    char text[32];
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &utc);
    hg_buf_printf(into, "%s.%03dZ ", text, (int)(now.tv_nsec / 1000000));
}

/* A line that the reader takes in pieces stays in one piece. */
static pthread_mutex_t writing = PTHREAD_MUTEX_INITIALIZER;

static void write_all(struct hg_slice bytes)
{
    pthread_mutex_lock(&writing);
    while (bytes.len > 0) {
        ssize_t written = write(STDERR_FILENO, bytes.ptr, bytes.len);
        if (written < 0 && errno != EINTR)
            break;
        bytes = hg_slice_from(bytes, written > 0 ? (size_t)written : 0);
    }
    pthread_mutex_unlock(&writing);
}

void hg_logger_put(const struct hg_logger *logger, enum hg_log_level level, struct hg_slice line)
{
    if (level > logger->least)
        return;
    struct hg_buf text;
    hg_buf_init(&text, 5 * LINE_BYTES_MAX);
    if (logger->to_journal) {
        hg_buf_printf(&text, "<%d>", levels[level].priority);
    } else {
        put_time(&text);
        hg_buf_put_str(&text, levels[level].word);
        hg_buf_put_char(&text, ' ');
    }
    if (logger->name) {
        hg_buf_put_str(&text, logger->name);
        hg_buf_put_str(&text, ": ");
    }
    hg_visible_put(line, LINE_BYTES_MAX, &text);
    hg_buf_put_char(&text, '\n');
    if (hg_ok(hg_buf_result(&text)))
        write_all(hg_buf_slice(&text));
    else
        write_all(HG_LIT("headgate: no memory for a line of the log\n"));
    hg_buf_done(&text);
}

void hg_logger_printf(const struct hg_logger *logger, enum hg_log_level level, const char *format, ...)
{
    char line[LINE_BYTES_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    HG_ASSERT(len >= 0);
    hg_logger_put(logger, level, hg_slice(line, (size_t)len < sizeof(line) ? (size_t)len : sizeof(line) - 1));
}
