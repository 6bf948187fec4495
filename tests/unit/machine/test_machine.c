/* What the machine allows, from files as a kernel writes them, and what the settings need of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "machine/need.h"

#define MIB HG_MIB

static char root[64];

static void put_file(const char *path, const char *text)
{
    char whole[512];
    snprintf(whole, sizeof(whole), "%s%s", root, path);
    for (char *slash = whole + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(whole, 0700);
        *slash = '/';
    }
    FILE *file = fopen(whole, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/headgate-machine-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", root);
    return system(command);
}

static struct hg_machine read_machine(void)
{
    struct hg_machine machine;
    hg_machine_read(root, &machine);
    return machine;
}

static void test_without_a_cgroup(void **state)
{
    (void)state;
    put_file("/proc/meminfo", "MemTotal:        2048 kB\nMemFree:  5 kB\n");
    struct hg_machine machine = read_machine();
    assert_int_equal(machine.memory, 2 * MIB);
    assert_string_equal(machine.memory_of, "the machine");
    put_file("/proc/self/cgroup", "0::/a/b\n");
    put_file("/sys/fs/cgroup/a/b/memory.max", "max\n");
    machine = read_machine();
    assert_int_equal(machine.memory, 2 * MIB);
    assert_true(machine.files_soft > 0 && machine.files_soft <= machine.files_hard);
}

static void test_cgroups_of_version_2(void **state)
{
    (void)state;
    put_file("/proc/meminfo", "MemTotal:        4096 kB\n");
    put_file("/proc/self/cgroup", "0::/a/b\n");
    put_file("/sys/fs/cgroup/a/b/memory.max", "3145728\n");
    struct hg_machine machine = read_machine();
    assert_int_equal(machine.memory, 3 * MIB);
    assert_string_equal(machine.memory_of, "the cgroup");
    put_file("/sys/fs/cgroup/a/memory.max", "1048576\n"); /* one above is tighter */
    assert_int_equal(read_machine().memory, 1 * MIB);
    put_file("/sys/fs/cgroup/a/memory.max", "max\n");
    put_file("/sys/fs/cgroup/memory.max", "2097152\n"); /* and the one at the top, which is all that a container sees */
    assert_int_equal(read_machine().memory, 2 * MIB);
    put_file("/sys/fs/cgroup/memory.max", "999999999999\n");
    put_file("/sys/fs/cgroup/a/b/memory.max", "999999999999\n");
    machine = read_machine();
    assert_int_equal(machine.memory, 4 * MIB);
    assert_string_equal(machine.memory_of, "the machine");
}

static void test_cgroups_of_version_1(void **state)
{
    (void)state;
    put_file("/proc/meminfo", "MemTotal:        4096 kB\n");
    put_file("/proc/self/cgroup", "12:cpu,cpuacct:/x\n9:memory:/x/y\n");
    put_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    assert_int_equal(read_machine().memory, 4 * MIB);
    put_file("/sys/fs/cgroup/memory/x/y/memory.limit_in_bytes", "2097152\n");
    assert_int_equal(read_machine().memory, 2 * MIB);
}

static void test_a_machine_that_tells_nothing(void **state)
{
    (void)state;
    put_file("/proc/meminfo", "nonsense\n");
    put_file("/proc/self/cgroup", "x\n\n::\n");
    assert_int_equal(read_machine().memory, 0);
}

struct told {
    struct hg_need need;
    char files[2000], memory[2000];
};

static struct told tell(struct hg_config *config, uint64_t files_hard, uint64_t memory)
{
    struct told told;
    struct hg_machine machine = {1024, files_hard, memory, "the cgroup"};
    struct hg_buf text;
    told.need = hg_need_of(config, 1, &machine);
    hg_buf_init(&text, sizeof(told.files));
    hg_need_put_files_warning(&told.need, config, &text);
    snprintf(told.files, sizeof(told.files), "%.*s", HG_SLICE_ARG(hg_buf_slice(&text)));
    hg_buf_clear(&text);
    hg_need_put_memory_warning(&told.need, config, &machine, &text);
    snprintf(told.memory, sizeof(told.memory), "%.*s", HG_SLICE_ARG(hg_buf_slice(&text)));
    hg_buf_done(&text);
    return told;
}

static void test_files(void **state)
{
    (void)state;
    struct hg_config *config;
    assert_true(hg_ok(hg_config_new(&config)));
    struct told told = tell(config, HG_FILES_ENDLESS, 0);
    assert_int_equal(told.need.files, told.need.files_wanted);
    assert_int_equal(told.need.connections, config->connections_max);
    assert_string_equal(told.files, "");

    told = tell(config, 1024, 0);
    assert_int_equal(told.need.files, 1024);
    assert_string_equal(told.files,
                        "connections_max is 10000, but the system allows 1024 open files, which is enough for 624 "
                        "clients; raise that limit to 11600 (ulimit -n, LimitNOFILE= of systemd) or lower "
                        "connections_max");
    hg_need_apply(&told.need, config);
    assert_int_equal(config->connections_max, 624);
    hg_config_free(config);

    /* Whatever the limit: never more than it has room for, never nobody, never fewer for a higher limit. */
    assert_true(hg_ok(hg_config_new(&config)));
    uint64_t before = 0;
    for (uint64_t limit = 1; limit < 13000; limit++) {
        told = tell(config, limit, 0);
        assert_true(told.need.connections >= 1 && told.need.handshakes >= 1);
        assert_true(limit < 100 || told.need.connections + told.need.handshakes < limit - 32);
        assert_true(told.need.connections >= before);
        assert_int_equal(told.files[0] == '\0', told.need.connections == config->connections_max);
        before = told.need.connections;
    }
    hg_config_free(config);
}

static void test_memory(void **state)
{
    (void)state;
    struct hg_config *config;
    assert_true(hg_ok(hg_config_new(&config)));
    struct told told = tell(config, HG_FILES_ENDLESS, 4096 * MIB);
    assert_string_equal(told.memory, "");
    assert_int_equal(told.need.memory_max, 3072 * MIB - told.need.besides);
    assert_int_equal(told.need.counted, 10000 * 3072 + 256 * MIB + 64 * MIB);

    told = tell(config, HG_FILES_ENDLESS, 256 * MIB);
    assert_non_null(strstr(told.memory, "the settings allow for up to 350 MiB (clients 30 MiB, events kept 256 MiB, "
                                        "emits 64 MiB), but the ceiling is "));
    assert_non_null(strstr(told.memory, "of what the cgroup allows; lower log_bytes_total_max"));

    config->memory_bytes_max = 300 * MIB;
    told = tell(config, HG_FILES_ENDLESS, 256 * MIB);
    assert_string_equal(told.memory, "memory_bytes_max is 300 MiB, but the cgroup allows 256 MiB; set it to at most "
                                     "three quarters of that, or to 0");
    assert_int_equal(told.need.memory_max, 300 * MIB);
    told = tell(config, HG_FILES_ENDLESS, 0);
    assert_non_null(strstr(told.memory, "but the ceiling is 300 MiB; lower"));

    config->memory_bytes_max = 0;
    told = tell(config, HG_FILES_ENDLESS, 0); /* not known: no ceiling */
    assert_int_equal(told.need.memory_max, 0);
    assert_string_equal(told.memory, "");
    told = tell(config, HG_FILES_ENDLESS, 8 * MIB); /* less than it needs itself: some ceiling all the same */
    assert_int_equal(told.need.memory_max, 1 * MIB);
    hg_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_a_cgroup, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_cgroups_of_version_2, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_cgroups_of_version_1, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_a_machine_that_tells_nothing, make_root, remove_root),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
