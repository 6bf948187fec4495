#include "bench/process.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

const char *hgt_program = "bench";

void hgt_die(const char *format, ...)
{
    va_list args;
    fprintf(stderr, "%s: ", hgt_program);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static uint64_t read_clock(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        hgt_die("a clock cannot be read: %s", strerror(errno));
    return (uint64_t)now.tv_sec * HGT_SECOND + (uint64_t)now.tv_nsec;
}

uint64_t hgt_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

uint64_t hgt_own_cpu(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static void proc_path(pid_t pid, const char *file, char *path, size_t size)
{
    snprintf(path, size, "/proc/%d/%s", (int)pid, file);
}

static void read_proc(pid_t pid, const char *file, char *text, size_t size)
{
    char path[64];
    proc_path(pid, file, path, sizeof(path));
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, size - 1);
    if (len <= 0)
        hgt_die("cannot read %s: has the process ended?", path);
    text[len] = '\0';
    close(fd);
}

struct hgt_cpu hgt_cpu_of(pid_t pid)
{
    char text[4096];
    unsigned long long user, system, waited;
    clockid_t clock;
    read_proc(pid, "stat", text, sizeof(text));
    const char *after_name = strrchr(text, ')');
    if (!after_name ||
        sscanf(after_name + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system) != 2 ||
        clock_getcpuclockid(pid, &clock) != 0)
        hgt_die("cannot read the CPU time of process %d", (int)pid);
    read_proc(pid, "schedstat", text, sizeof(text));
    if (sscanf(text, "%*u %llu", &waited) != 1)
        waited = 0;
    return (struct hgt_cpu){read_clock(clock), user, system, waited};
}

struct hgt_cpu hgt_cpu_between(struct hgt_cpu before, struct hgt_cpu after)
{
    struct hgt_cpu cpu = {.total = after.total - before.total, .waited = after.waited - before.waited};
    double user = (double)(after.user - before.user), system = (double)(after.system - before.system);
    cpu.user = user + system > 0 ? (uint64_t)((double)cpu.total * user / (user + system)) : 0;
    cpu.system = cpu.total - cpu.user;
    return cpu;
}

double hgt_memory_of(pid_t pid, const char *name)
{
    char text[8192];
    read_proc(pid, "status", text, sizeof(text));
    const char *line = strstr(text, name);
    if (!line)
        hgt_die("the kernel does not tell %s", name);
    return (double)strtoull(line + strlen(name), NULL, 10) * 1024;
}

double hgt_memory_of_system(const char *file, const char *name, double unit)
{
    char text[8192];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
    if (fd >= 0)
        close(fd);
    text[len < 0 ? 0 : len] = '\0';
    const char *at = strstr(text, name);
    return at ? (double)strtoull(at + strlen(name), NULL, 10) * unit : 0;
}

void hgt_memory_forget_peak(pid_t pid)
{
    char path[64];
    proc_path(pid, "clear_refs", path, sizeof(path));
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "5", 1) != 1)
        hgt_die("cannot write to %s: %s", path, strerror(errno));
    close(fd);
}

size_t hgt_descriptors_of(pid_t pid)
{
    char path[64];
    size_t count = 0;
    proc_path(pid, "fd", path, sizeof(path));
    DIR *folder = opendir(path);
    if (!folder)
        hgt_die("cannot read %s: has the process ended?", path);
    while (readdir(folder))
        count++;
    closedir(folder);
    return count;
}

void hgt_raise_open_files(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

uint64_t hgt_number_from(const char *option, const char *text, uint64_t least, uint64_t most)
{
    char *end;
    errno = 0;
    uint64_t number = strtoull(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || text[0] == '-' || number < least || number > most) {
        fprintf(stderr, "%s: --%s wants a whole number from %" PRIu64 " to %" PRIu64 "\n", hgt_program, option, least,
                most);
        exit(2);
    }
    return number;
}

struct sockaddr_in hgt_address_from(const char *option, char *text)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    char *colon = strrchr(text, ':');
    if (colon)
        *colon = '\0';
    if (!colon || inet_pton(AF_INET, text, &address.sin_addr) != 1) {
        fprintf(stderr, "%s: --%s wants an IPv4 address and a port\n", hgt_program, option);
        exit(2);
    }
    address.sin_port = htons((uint16_t)hgt_number_from(option, colon + 1, 1, 65535));
    return address;
}
