#include "owner.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

void hg_owner_claim(int fd)
{
    struct f_owner_ex owner = {.type = F_OWNER_TID, .pid = gettid()};
    (void)fcntl(fd, F_SETOWN_EX, &owner);
}

/* 0: nobody's. */
static pid_t owner_of(int fd)
{
    struct f_owner_ex owner = {0};
    return fcntl(fd, F_GETOWN_EX, &owner) == 0 && owner.type == F_OWNER_TID ? owner.pid : 0;
}

static bool listens(int fd)
{
    int listening = 0;
    socklen_t len = sizeof(listening);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening;
}

/* Each open descriptor but the one that the walk itself needs. */
static void walk(void (*visit)(int fd))
{
    DIR *folder = opendir("/proc/self/fd");
    if (!folder)
        return;
    for (const struct dirent *entry; (entry = readdir(folder));) {
        char *end;
        long fd = strtol(entry->d_name, &end, 10);
        if (end != entry->d_name && !*end && fd != dirfd(folder))
            visit((int)fd);
    }
    closedir(folder);
}

static void claim_orphan(int fd)
{
    if (fd > STDERR_FILENO && owner_of(fd) == 0)
        hg_owner_claim(fd);
}

void hg_owner_claim_rest(void)
{
    walk(claim_orphan);
}

static void close_listener(int fd)
{
    if (owner_of(fd) == gettid() && listens(fd))
        close(fd);
}

static void close_own(int fd)
{
    if (owner_of(fd) == gettid())
        close(fd);
}

void hg_owner_close_all(void)
{
    walk(close_listener);
    walk(close_own);
}
