/* A server for test_ws.py: the WebSocket adapter on a loop, with a sink that echoes and obeys.
 *
 *     ws_echo [--connections N] [--handshakes N] [--handshake-ms N] [--message-max N] [--origin ORIGIN]
 *             [--files FOLDER] [--nofile N] [--deflate BITS]
 *
 * Tells on standard output, one line each: "port N", "open I", "deflates I", "text I LEN", "binary I LEN", "too_big I",
 * "garbled I", "pong I", "buffered I", "writable I", "closed I", "log LEVEL LINE". Text messages of clients:
 *     !close CODE REASON   closes at the end of the turn      !close-now CODE REASON   from within the callback
 *     !flood COUNT SIZE    that many frames, one send each    !pause                   stops reading this client
 * anything else is sent back. Lines on standard input: "resume" all, "close-all", "refuse", "accept", "stop-accepting",
 * "rusage" (tells "cpu MS"), "quit". Frames are sent from memory that is read-only and has a forbidden page in front of
 * it, so that a library that writes into or before them is caught. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/assert.h"
#include "loop/loop.h"
#include "wire/close.h"
#include "wire/frame.h"
#include "ws/ws.h"

enum { SESSIONS = 20000, PAGE = 4096, ARENA_BYTES = 8 << 20, FLOOD_BYTES_MAX = 1 << 20 };

struct session {
    bool live, buffered, closing;
    uint32_t generation;
    struct hg_buf out; /* waits for writable */
    unsigned long flood;
    unsigned close_code;
    char close_reason[128];
    bool dirty;
};

static struct session sessions[SESSIONS];
static struct hg_loop *loop;
static struct hg_ws *ws;
static char *arena, *flood_bytes;
static size_t flood_len;
static bool refusing, quitting;
static unsigned long live_max = 10000;
static unsigned live, high; /* sessions now, and one past the highest index ever */

static char *guarded(size_t bytes)
{
    char *memory = mmap(NULL, bytes + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    HG_ASSERT(memory != MAP_FAILED);
    HG_ASSERT(mprotect(memory, PAGE, PROT_NONE) == 0);
    return memory + PAGE;
}

static hg_time now_of(void *context)
{
    (void)context;
    return hg_loop_now(loop);
}

static hg_session_ref ref_of(uint32_t index)
{
    return (hg_session_ref){index, sessions[index].generation};
}

static struct session *session_of(hg_session_ref ref)
{
    HG_ASSERT(ref.index < SESSIONS);
    struct session *session = &sessions[ref.index];
    HG_ASSERT(session->live && session->generation == ref.generation);
    return session;
}

static bool send_bytes(uint32_t index, struct hg_slice bytes)
{
    struct session *session = &sessions[index];
    enum hg_send sent = hg_ws_send(ws, ref_of(index), bytes);
    if (sent == HG_SEND_CLOSED)
        return false;
    session->buffered = sent == HG_SEND_BUFFERED;
    if (session->buffered)
        printf("buffered %u\n", index);
    return true;
}

static void flush_session(uint32_t index)
{
    struct session *session = &sessions[index];
    session->dirty = false;
    if (!session->live || session->closing)
        return;
    if (!session->buffered && session->out.len > 0) {
        HG_ASSERT(session->out.len <= ARENA_BYTES);
        HG_ASSERT(mprotect(arena, ARENA_BYTES, PROT_READ | PROT_WRITE) == 0);
        memcpy(arena, session->out.ptr, session->out.len);
        HG_ASSERT(mprotect(arena, ARENA_BYTES, PROT_READ) == 0);
        size_t len = session->out.len;
        hg_buf_done(&session->out);
        send_bytes(index, hg_slice(arena, len));
    }
    while (!session->buffered && session->flood > 0) {
        session->flood--;
        if (!send_bytes(index, hg_slice(flood_bytes, flood_len)))
            session->flood = 0;
    }
    if (session->close_code) {
        session->closing = true;
        hg_ws_close(ws, ref_of(index), (uint16_t)session->close_code, hg_slice_str(session->close_reason));
        hg_ws_close(ws, ref_of(index), 1000, HG_LIT("a second time"));
    }
}

static bool on_admit(void *context, hg_time now, unsigned *reterr_retry_s)
{
    (void)context, (void)now;
    *reterr_retry_s = 5;
    return live < live_max;
}

static bool on_open(void *context, hg_time now, hg_session_ref *ret_session, int *ret_refusal)
{
    (void)context, (void)now;
    if (refusing) {
        *ret_refusal = HG_CLOSE_OVERLOADED;
        return false;
    }
    uint32_t index = 0;
    while (index < SESSIONS && sessions[index].live)
        index++;
    HG_ASSERT(index < SESSIONS);
    struct session *session = &sessions[index];
    *session = (struct session){.live = true, .generation = session->generation + 1};
    hg_buf_init(&session->out, ARENA_BYTES);
    *ret_session = ref_of(index);
    live++;
    if (index >= high)
        high = index + 1;
    printf("open %u\n", index);
    return true;
}

static void obey(uint32_t index, const char *command)
{
    struct session *session = &sessions[index];
    unsigned code;
    unsigned long count, size;
    char reason[128] = "";
    if (sscanf(command, "!close-now %u %127[^\n]", &code, reason) >= 1) {
        session->closing = true;
        hg_ws_close(ws, ref_of(index), (uint16_t)code, hg_slice_str(reason));
        HG_ASSERT(hg_ws_send(ws, ref_of(index), HG_LIT("\x81\x01x")) == HG_SEND_CLOSED);
        hg_ws_pause(ws, ref_of(index), true);
    } else if (sscanf(command, "!close %u %127[^\n]", &code, session->close_reason) >= 1) {
        session->close_code = code;
    } else if (sscanf(command, "!flood %lu %lu", &count, &size) == 2 && size <= FLOOD_BYTES_MAX) {
        struct hg_buf frame;
        hg_buf_init(&frame, FLOOD_BYTES_MAX + HG_FRAME_HEADER_MAX);
        hg_frame_put_text_header(&frame, size);
        char *to = hg_buf_reserve(&frame, size);
        HG_ASSERT(to);
        memset(to, 'f', size);
        frame.len += size;
        HG_ASSERT(mprotect(flood_bytes, FLOOD_BYTES_MAX + PAGE, PROT_READ | PROT_WRITE) == 0);
        memcpy(flood_bytes, frame.ptr, frame.len);
        HG_ASSERT(mprotect(flood_bytes, FLOOD_BYTES_MAX + PAGE, PROT_READ) == 0);
        flood_len = frame.len;
        hg_buf_done(&frame);
        session->flood = count;
    } else if (strncmp(command, "!pause", 6) == 0) {
        hg_ws_pause(ws, ref_of(index), true);
    }
}

static void on_message(void *context, hg_time now, hg_session_ref ref, bool text, struct hg_slice message)
{
    (void)context, (void)now;
    struct session *session = session_of(ref);
    printf("%s %u %zu\n", text ? "text" : "binary", ref.index, message.len);
    session->dirty = true;
    if (message.len > 0 && message.ptr[0] == '!') {
        char command[256] = "";
        memcpy(command, message.ptr, message.len < sizeof(command) ? message.len : sizeof(command) - 1);
        obey(ref.index, command);
        return;
    }
    hg_frame_put_text_header(&session->out, message.len);
    hg_buf_put(&session->out, message);
}

static void on_too_big(void *context, hg_time now, hg_session_ref ref)
{
    (void)context, (void)now;
    struct session *session = session_of(ref);
    printf("too_big %u\n", ref.index);
    session->dirty = true;
    session->close_code = 1009;
}

static void on_deflates(void *context, hg_time now, hg_session_ref ref)
{
    (void)context, (void)now;
    session_of(ref);
    printf("deflates %u\n", ref.index);
}

static void on_garbled(void *context, hg_time now, hg_session_ref ref)
{
    (void)context, (void)now;
    struct session *session = session_of(ref);
    printf("garbled %u\n", ref.index);
    session->dirty = true;
    session->close_code = 1007;
}

static void on_pong(void *context, hg_time now, hg_session_ref ref)
{
    (void)context, (void)now;
    session_of(ref);
    printf("pong %u\n", ref.index);
}

static void on_writable(void *context, hg_time now, hg_session_ref ref)
{
    (void)context, (void)now;
    struct session *session = session_of(ref);
    HG_ASSERT(session->buffered);
    session->buffered = false;
    session->dirty = true;
    printf("writable %u\n", ref.index);
}

static void on_closed(void *context, hg_time now, hg_session_ref ref)
{
    (void)context, (void)now;
    struct session *session = session_of(ref);
    session->live = false;
    hg_buf_done(&session->out);
    live--;
    printf("closed %u\n", ref.index);
}

static void on_log(void *context, enum hg_log_level level, struct hg_slice line)
{
    (void)context;
    printf("log %d %.*s\n", level, HG_SLICE_ARG(line));
}

static hg_time on_turn_end(void *context, hg_time now)
{
    (void)context, (void)now;
    for (uint32_t i = 0; i < high; i++)
        if (sessions[i].dirty)
            flush_session(i);
    fflush(stdout);
    if (quitting)
        hg_loop_stop(loop);
    return HG_TIME_NEVER;
}

static void on_stop(void *context, hg_time now)
{
    (void)context, (void)now;
    quitting = true;
}

static void on_line(const char *line)
{
    if (strcmp(line, "quit") == 0)
        quitting = true;
    else if (strcmp(line, "refuse") == 0 || strcmp(line, "accept") == 0)
        refusing = strcmp(line, "refuse") == 0;
    else if (strcmp(line, "stop-accepting") == 0)
        hg_ws_stop_accepting(ws);
    for (uint32_t i = 0; i < high; i++) {
        if (!sessions[i].live)
            continue;
        if (strcmp(line, "resume") == 0)
            hg_ws_pause(ws, ref_of(i), false);
        if (strcmp(line, "close-all") == 0) {
            sessions[i].close_code = 1012;
            sessions[i].dirty = true;
        }
    }
    if (strcmp(line, "rusage") == 0) {
        struct rusage usage;
        getrusage(RUSAGE_SELF, &usage);
        printf("cpu %ld\n", (long)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
                                (long)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000);
    } else {
        printf("did %s\n", line);
    }
}

static void on_stdin(void *context, hg_time now, int events)
{
    (void)context, (void)now, (void)events;
    static char line[256];
    static size_t len;
    char c;
    for (;;) {
        ssize_t got = read(STDIN_FILENO, &c, 1);
        if (got == 0)
            quitting = true;
        if (got <= 0)
            return;
        if (c != '\n') {
            if (len < sizeof(line) - 1)
                line[len++] = c;
            continue;
        }
        line[len] = '\0';
        len = 0;
        on_line(line);
    }
}

int main(int argc, char **argv)
{
    struct hg_ws_config config = {.host = "127.0.0.1", .message_bytes_max = 1 << 20, .handshakes_max = 1000};
    config.handshake_timeout = hg_ms(10000);
    const char *origins[8];
    struct hg_ws_files files = {0};
    struct hg_buf error;
    hg_buf_init(&error, 1024);
    for (int i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--connections") == 0)
            live_max = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--handshakes") == 0)
            config.handshakes_max = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--handshake-ms") == 0)
            config.handshake_timeout = hg_ms(strtoul(argv[i + 1], NULL, 10));
        else if (strcmp(argv[i], "--message-max") == 0)
            config.message_bytes_max = strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--deflate") == 0)
            config.deflate_window_bits = (unsigned)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--origin") == 0 && config.origin_count < 8)
            origins[config.origin_count++] = argv[i + 1];
        else if (strcmp(argv[i], "--host") == 0)
            config.host = argv[i + 1];
        else if (strcmp(argv[i], "--port") == 0)
            config.port = (uint16_t)strtoul(argv[i + 1], NULL, 10);
        else if (strcmp(argv[i], "--files") == 0 &&
                 hg_ws_files_read(argv[i + 1], "/", &files, &error).code != HG_ERR_OK) {
            fprintf(stderr, "%.*s\n", HG_SLICE_ARG(hg_buf_slice(&error)));
            return 1;
        } else if (strcmp(argv[i], "--nofile") == 0) {
            rlim_t count = strtoul(argv[i + 1], NULL, 10);
            setrlimit(RLIMIT_NOFILE, &(struct rlimit){count, count});
        }
    }
    arena = guarded(ARENA_BYTES);
    flood_bytes = guarded(FLOOD_BYTES_MAX + PAGE);
    struct hg_loop_hooks hooks = {.turn_end = on_turn_end, .stop = on_stop};
    HG_ASSERT(hg_loop_new(hooks, &loop).code == HG_ERR_OK);
    config.origins = origins;
    config.files = &files;
    config.native_loop = hg_loop_native(loop);
    struct hg_ws_sink sink = {.now = now_of,
                              .admit = on_admit,
                              .open = on_open,
                              .message = on_message,
                              .deflates = on_deflates,
                              .too_big = on_too_big,
                              .garbled = on_garbled,
                              .pong = on_pong,
                              .writable = on_writable,
                              .closed = on_closed,
                              .log = on_log};
    if (hg_ws_new(&config, sink, &ws, &error).code != HG_ERR_OK) {
        fprintf(stderr, "%.*s\n", HG_SLICE_ARG(hg_buf_slice(&error)));
        hg_buf_done(&error);
        hg_loop_free(loop);
        return 1;
    }
    printf("port %u\n", hg_ws_port(ws));
    fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK);
    struct hg_watch *input;
    HG_ASSERT(hg_watch_open(loop, STDIN_FILENO, on_stdin, NULL, &input).code == HG_ERR_OK);
    hg_watch_set(input, HG_READABLE);
    hg_loop_run(loop);

    hg_watch_close(input);
    hg_ws_end(ws);
    HG_ASSERT(live == 0);
    hg_loop_free(loop);
    hg_ws_free(ws);
    hg_ws_files_done(&files);
    hg_buf_done(&error);
    printf("bye\n");
    return 0;
}
