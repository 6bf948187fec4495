#include "machine/need.h"

#include "core/overload.h"
#include "core/ports.h"

#define FILES_OWN       64u         /* standard streams, loop, listeners, reserve */
#define HANDSHAKE_BYTES (18u << 10) /* libwebsockets keeps a request's headers in 16 KiB until it is answered */
#define OWN_BYTES       (UINT64_C(24) << 20) /* program, libraries, buffers for one event; settings at their defaults */

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void work_out_files(struct hg_need *need, const struct hg_config *config, unsigned workers,
                           const struct hg_machine *machine)
{
    need->files_wanted = config->connections_max + config->handshakes_max + workers * (HG_LINK_COUNT_MAX + FILES_OWN);
    need->files = least(need->files_wanted, machine->files_hard);
    need->connections = config->connections_max;
    need->handshakes = config->handshakes_max;
    if (need->files == need->files_wanted)
        return;
    /* Links are few unless very many streams are followed; a part is kept for them, and of the rest some for those who
     * have not become clients yet. */
    uint64_t reserved = workers * FILES_OWN + least(workers * HG_LINK_COUNT_MAX, need->files / 8);
    uint64_t room = need->files > reserved + 8 ? need->files - reserved : 8;
    need->handshakes = least(config->handshakes_max, room / 4);
    need->connections = least(config->connections_max, room - need->handshakes);
}

static void work_out_memory(struct hg_need *need, const struct hg_config *config, unsigned workers,
                            const struct hg_machine *machine)
{
    need->clients = need->connections * HG_SESSION_BYTES;
    need->logs = config->log_bytes_total_max;
    need->emits = config->emits_bytes_max;
    need->counted = need->clients + need->logs + need->emits;
    /* Scratch for one event, in its worst encoding, stands in a few places. */
    need->besides = OWN_BYTES + workers * 32 * config->event_bytes_max + need->handshakes * HANDSHAKE_BYTES;
    need->memory_max = config->memory_bytes_max;
    if (need->memory_max > 0)
        return;
    /* A quarter is the kernel's, for the buffers of sockets. */
    uint64_t ours = machine->memory - machine->memory / 4, few = machine->memory / 8;
    need->memory_max = ours > need->besides + few ? ours - need->besides : few;
}

struct hg_need hg_need_of(const struct hg_config *config, unsigned workers, const struct hg_machine *machine)
{
    struct hg_need need = {.files = 0};
    work_out_files(&need, config, workers, machine);
    work_out_memory(&need, config, workers, machine);
    return need;
}

void hg_need_apply(const struct hg_need *need, struct hg_config *config)
{
    config->connections_max = need->connections;
    config->handshakes_max = need->handshakes;
    config->memory_bytes_max = need->memory_max;
}

static void put_mib(uint64_t bytes, struct hg_buf *into)
{
    hg_buf_put_u64(into, (bytes + HG_MIB - 1) / HG_MIB);
    hg_buf_put_str(into, " MiB");
}

static void put_parts(const struct hg_need *need, struct hg_buf *into)
{
    put_mib(need->counted, into);
    hg_buf_put_str(into, " (clients ");
    put_mib(need->clients, into);
    hg_buf_put_str(into, ", events kept ");
    put_mib(need->logs, into);
    hg_buf_put_str(into, ", emits ");
    put_mib(need->emits, into);
    hg_buf_put_char(into, ')');
}

void hg_need_put(const struct hg_need *need, const struct hg_config *config, const struct hg_machine *machine,
                 const char *indent, struct hg_buf *into)
{
    hg_buf_printf(into, "%sfiles   up to %llu for %llu clients, %llu handshakes and links to Redis; the system allows ",
                  indent, (unsigned long long)need->files_wanted, (unsigned long long)config->connections_max,
                  (unsigned long long)config->handshakes_max);
    if (machine->files_hard == HG_FILES_ENDLESS)
        hg_buf_put_str(into, "any number");
    else
        hg_buf_put_u64(into, machine->files_hard);
    hg_buf_printf(into, "\n%smemory  up to ", indent);
    put_parts(need, into);
    hg_buf_put_str(into, " of at most ");
    if (need->memory_max > 0)
        put_mib(need->memory_max, into);
    else
        hg_buf_put_str(into, "any number");
    hg_buf_put_str(into, ", and ");
    put_mib(need->besides, into);
    hg_buf_put_str(into, " besides");
    if (machine->memory > 0) {
        hg_buf_printf(into, "; %s allows ", machine->memory_of);
        put_mib(machine->memory, into);
    }
    hg_buf_put_char(into, '\n');
}

void hg_need_put_files_warning(const struct hg_need *need, const struct hg_config *config, struct hg_buf *into)
{
    bool fewer = need->connections < config->connections_max || need->handshakes < config->handshakes_max;
    if (!fewer)
        return;
    hg_buf_printf(into,
                  "connections_max is %llu, but the system allows %llu open files, which is enough for %llu clients; "
                  "raise that limit to %llu (ulimit -n, LimitNOFILE= of systemd) or lower connections_max",
                  (unsigned long long)config->connections_max, (unsigned long long)need->files,
                  (unsigned long long)need->connections, (unsigned long long)need->files_wanted);
}

void hg_need_put_memory_warning(const struct hg_need *need, const struct hg_config *config,
                                const struct hg_machine *machine, struct hg_buf *into)
{
    if (machine->memory > 0 && config->memory_bytes_max > machine->memory) {
        hg_buf_put_str(into, "memory_bytes_max is ");
        put_mib(config->memory_bytes_max, into);
        hg_buf_printf(into, ", but %s allows ", machine->memory_of);
        put_mib(machine->memory, into);
        hg_buf_put_str(into, "; set it to at most three quarters of that, or to 0");
        return;
    }
    if (need->memory_max == 0 || need->counted <= need->memory_max)
        return;
    hg_buf_put_str(into, "the settings allow for up to ");
    put_parts(need, into);
    hg_buf_put_str(into, ", but the ceiling is ");
    put_mib(need->memory_max, into);
    if (config->memory_bytes_max == 0)
        hg_buf_printf(into, ", of what %s allows", machine->memory_of);
    hg_buf_put_str(into, "; lower log_bytes_total_max, emits_bytes_max or connections_max, or give it more memory");
}
