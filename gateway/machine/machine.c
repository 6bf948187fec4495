#include "machine/machine.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define PATH_BYTES 4096
#define ENDLESS    (UINT64_C(1) << 60) /* cgroups of version 1 say so where there is no limit */

/* Reads the first number of a file, or of its first line that begins with `name`. */
static bool read_number(const char *path, const char *name, uint64_t *ret_number)
{
    char line[256];
    bool found = false;
    FILE *file = fopen(path, "re");
    while (file && !found && fgets(line, sizeof(line), file)) {
        char *end, *at = line + strlen(name);
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        *ret_number = strtoull(at, &end, 10);
        found = end > at;
    }
    if (file)
        fclose(file);
    return found;
}

/* The least limit of a cgroup and of all above it. `path` begins with '/' and is cut shorter and shorter. */
static uint64_t least_of(const char *root, const char *mount, const char *limit, char *path)
{
    uint64_t least = ENDLESS, number;
    char file[2 * PATH_BYTES];
    for (;;) {
        snprintf(file, sizeof(file), "%s%s%s/%s", root, mount, path, limit);
        if (read_number(file, "", &number) && number < least)
            least = number;
        char *slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

/* Lines such as "0::/user.slice" of version 2 and "9:memory:/user" of version 1. */
static uint64_t read_cgroups(const char *root)
{
    char line[PATH_BYTES], file[PATH_BYTES];
    uint64_t least = ENDLESS, limit = ENDLESS;
    snprintf(file, sizeof(file), "%s/proc/self/cgroup", root);
    FILE *cgroups = fopen(file, "re");
    while (cgroups && fgets(line, sizeof(line), cgroups)) {
        line[strcspn(line, "\n")] = '\0';
        char *controllers = strchr(line, ':'), *path = controllers ? strchr(controllers + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        if (strcmp(controllers, ":") == 0)
            limit = least_of(root, "/sys/fs/cgroup", "memory.max", path);
        else if (strcmp(controllers, ":memory") == 0)
            limit = least_of(root, "/sys/fs/cgroup/memory", "memory.limit_in_bytes", path);
        least = limit < least ? limit : least;
    }
    if (cgroups)
        fclose(cgroups);
    return least;
}

static uint64_t files_of(rlim_t limit)
{
    return limit == RLIM_INFINITY ? HG_FILES_ENDLESS : limit;
}

void hg_machine_read(const char *root, struct hg_machine *ret_machine)
{
    struct rlimit files;
    uint64_t kib = 0, cgroup = read_cgroups(root);
    char path[PATH_BYTES];
    *ret_machine = (struct hg_machine){HG_FILES_ENDLESS, HG_FILES_ENDLESS, 0, "the machine"};
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        ret_machine->files_soft = files_of(files.rlim_cur);
        ret_machine->files_hard = files_of(files.rlim_max);
    }
    snprintf(path, sizeof(path), "%s/proc/meminfo", root);
    if (read_number(path, "MemTotal:", &kib))
        ret_machine->memory = kib * 1024;
    if (cgroup < ENDLESS && (ret_machine->memory == 0 || cgroup < ret_machine->memory)) {
        ret_machine->memory = cgroup;
        ret_machine->memory_of = "the cgroup";
    }
}
