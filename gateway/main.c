/* main.c – the process: its limits, its files, its settings, and one worker or a crew of them. Decides nothing. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "certificate_log.h"
#include "cli.h"
#include "crash.h"
#include "crew.h"
#include "deadletter_command.h"
#include "filter_command.h"
#include "logger.h"
#include "machine/need.h"
#include "worker.h"
#include "ws/ws.h"

#define ERROR_BYTES_MAX 4096

struct gateway {
    const struct hg_cli *cli;
    struct hg_logger logger;
    struct hg_ws_files files;
};

/* A closed standard stream would be reused for a socket, and lines meant for it sent to a client. */
static bool keep_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
            return false;
    return true;
}

/* As many descriptors as the settings may need, within the system's hard limit. Not more either: libwebsockets keeps a
 * table as long as the limit, which some systems set to a thousand million. */
static void fit_to_machine(const struct gateway *gateway)
{
    struct hg_config *config = gateway->cli->config;
    struct hg_machine machine;
    struct rlimit limit;
    struct hg_buf why;
    hg_machine_read("", &machine);
    struct hg_need need = hg_need_of(config, gateway->cli->workers, &machine);
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = (rlim_t)need.files;
        if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
            hg_logger_printf(&gateway->logger, HG_LOG_WARNING, "cannot set the limit of open files: %s",
                             strerror(errno));
    }
    hg_buf_init(&why, ERROR_BYTES_MAX);
    hg_need_put_files_warning(&need, config, &why);
    if (why.len > 0)
        hg_logger_put(&gateway->logger, HG_LOG_WARNING, hg_buf_slice(&why));
    hg_buf_clear(&why);
    hg_need_put_memory_warning(&need, config, &machine, &why);
    if (why.len > 0)
        hg_logger_put(&gateway->logger, HG_LOG_WARNING, hg_buf_slice(&why));
    hg_buf_done(&why);
    hg_need_apply(&need, config);
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Where the bundled page is, from where the program is: installed, or in the tree it was built in. */
static bool find_web(char *ret_path, size_t size)
{
    static const char *const candidates[] = {HG_WEB_INSTALLED, HG_WEB_BUILT};
    char program[4096], page[8192 + 8];
    ssize_t len = readlink("/proc/self/exe", program, sizeof(program) - 1);
    if (len <= 0)
        return false;
    program[len] = '\0';
    char *slash = strrchr(program, '/');
    if (!slash)
        return false;
    *slash = '\0';
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        int fits = snprintf(ret_path, size, "%s/%s", program, candidates[i]);
        snprintf(page, sizeof(page), "%s/page", ret_path);
        if (fits > 0 && (size_t)fits < size && is_folder(page))
            return true;
    }
    return false;
}

static bool read_web(struct gateway *gateway)
{
    static const struct {
        const char *folder, *prefix;
        bool may_be_absent;
    } parts[] = {{"page", "/", false}, {"docs", "/docs/", false}, {"client", "/client/", true}};
    char found[8192];
    const char *web = gateway->cli->web;
    if (!gateway->cli->config->page)
        return true;
    if (!web && !find_web(found, sizeof(found))) {
        hg_logger_printf(
            &gateway->logger, HG_LOG_ERROR,
            "the page's files are not where they were installed; say where with --web DIR, or set \"page\": false");
        return false;
    }
    web = web ? web : found;

    bool good = true;
    struct hg_buf why;
    hg_buf_init(&why, ERROR_BYTES_MAX);
    for (size_t i = 0; good && i < sizeof(parts) / sizeof(parts[0]); i++) {
        char folder[8192 + 16];
        snprintf(folder, sizeof(folder), "%s/%s", web, parts[i].folder);
        if (parts[i].may_be_absent && !is_folder(folder))
            continue;
        good = hg_ok(hg_ws_files_read(folder, parts[i].prefix, &gateway->files, &why));
    }
    if (!good)
        hg_logger_printf(&gateway->logger, HG_LOG_ERROR, "the page cannot be served: %.*s",
                         HG_SLICE_ARG(hg_buf_slice(&why)));
    hg_buf_done(&why);
    return good;
}

static void tell_end(const struct gateway *gateway, uint64_t clients_left)
{
    if (clients_left > 0)
        hg_logger_printf(&gateway->logger, HG_LOG_WARNING, "stopped with %" PRIu64 " clients left", clients_left);
    else
        hg_logger_printf(&gateway->logger, HG_LOG_INFO, "stopped");
}

/* In this thread. */
static bool run_one(struct gateway *gateway)
{
    struct hg_worker_plan plan = {
        .settings = gateway->cli->config,
        .redis = &gateway->cli->redis,
        .listen = &gateway->cli->listen,
        .files = &gateway->files,
        .logger = &gateway->logger,
        .tls = gateway->cli->tls,
        .bell = -1,
    };
    struct hg_worker *worker;
    if (!hg_worker_new(&plan, &worker))
        return false;
    hg_worker_run(worker);
    tell_end(gateway, hg_worker_clients(worker));
    hg_worker_free(worker);
    return true;
}

static bool run(struct gateway *gateway)
{
    fit_to_machine(gateway);
    if (!read_web(gateway))
        return false;
    hg_logger_printf(&gateway->logger, HG_LOG_INFO, "headgate " HG_VERSION);
    hg_certificate_tell(gateway->cli->tls, &gateway->logger);
    return gateway->cli->workers == 1 ? run_one(gateway) : hg_crew_run(gateway->cli, &gateway->files, &gateway->logger);
}

int main(int argc, char **argv)
{
    struct hg_cli cli;
    int code;
    if (!keep_standard_streams())
        return HG_EXIT_FAILURE;
    if (argc > 1 && strcmp(argv[1], "filter") == 0)
        return hg_filter_command(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "deadletter") == 0)
        return hg_deadletter_command(argc - 1, argv + 1, environ);
    if (!hg_cli_read(argc, argv, environ, &cli, &code))
        return code;
    signal(SIGPIPE, SIG_IGN);
    struct gateway gateway = {.cli = &cli};
    hg_logger_init(&gateway.logger, cli.config->log_level);
    hg_crash_tell();
    hg_crash_prepare_thread();
    code = run(&gateway) ? EXIT_SUCCESS : HG_EXIT_FAILURE;
    hg_ws_files_done(&gateway.files);
    hg_cli_done(&cli);
    return code;
}
