#include "sim/runner.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sim/env.h"
#include "sim/mutants.h"

enum { TAIL = 150, SECONDS_PER_SEED_MAX = 60 };

/* Shared with the child. */
struct progress {
    uint64_t seed;
    uint64_t sums[SIM_SUMS_MAX];
    char violation[600];
};

static const struct sim_program *program;

static int run_seeds(struct progress *progress, uint64_t from, uint64_t count)
{
    for (uint64_t seed = from; seed < from + count; seed++) {
        progress->seed = seed;
        alarm(SECONDS_PER_SEED_MAX);
        if (!program->run(seed, progress->sums, progress->violation, sizeof progress->violation))
            return 1;
    }
    return 0;
}

static const char *why_ended(const struct progress *progress, int status)
{
    static char text[80];

    if (progress->violation[0])
        return progress->violation;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
        return "the core panicked (see above)";
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        return "the run does not end";
    snprintf(text, sizeof text, "the run ended with status %d (see above)", status);
    return text;
}

/* Runs in a child and returns its wait status; `quiet`: its standard error is thrown away. */
static int in_child(struct progress *progress, uint64_t from, uint64_t count, bool quiet)
{
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        if (quiet && !freopen("/dev/null", "w", stderr))
            _exit(2);
        exit(run_seeds(progress, from, count));
    }
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid) {
        perror(program->name);
        exit(2);
    }
    return status;
}

/* Runs the seed once more with a trace and prints its end. */
static void print_tail(uint64_t seed)
{
    int fds[2];
    char *lines[TAIL] = {NULL};
    size_t count = 0, size = 0;
    char *line = NULL;

    fflush(stdout);
    if (pipe(fds) != 0)
        return;
    pid_t pid = fork();
    if (pid == 0) {
        struct progress ignored = {0};
        close(fds[0]);
        if (dup2(fds[1], STDOUT_FILENO) < 0 || !freopen("/dev/null", "w", stderr))
            _exit(2);
        setvbuf(stdout, NULL, _IOLBF, 0); /* a panic loses nothing */
        sim_tracing = true;
        _exit(run_seeds(&ignored, seed, 1));
    }
    close(fds[1]);
    FILE *in = fdopen(fds[0], "r");
    while (in && getline(&line, &size, in) > 0) {
        free(lines[count % TAIL]);
        lines[count++ % TAIL] = strdup(line);
    }
    if (in)
        fclose(in);
    free(line);
    printf("trace (%zu lines; the last %d):\n", count, TAIL);
    for (size_t i = count > TAIL ? count - TAIL : 0; i < count; i++)
        printf("%s", lines[i % TAIL]);
    for (size_t i = 0; i < TAIL; i++)
        free(lines[i]);
    waitpid(pid, NULL, 0);
}

static int report(struct progress *progress, uint64_t from, uint64_t count, bool brief)
{
    struct timespec begin, end;

    clock_gettime(CLOCK_MONOTONIC, &begin);
    int status = in_child(progress, from, count, false);
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (status == 0) {
        printf("sim: %" PRIu64 " seeds from %" PRIu64 " in %.1f s without a violation:", count, from,
               (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9);
        for (size_t i = 0; program->sums[i]; i++)
            printf("%s %" PRIu64 " %s", i > 0 ? "," : "", progress->sums[i], program->sums[i]);
        printf("\n");
        return 0;
    }
    printf("sim: seed %" PRIu64 ": %s\n", progress->seed, why_ended(progress, status));
    if (!brief) {
        printf("again: %s --seed %" PRIu64 " --trace\noptions:\n", program->name, progress->seed);
        program->print_options(progress->seed);
        print_tail(progress->seed);
        printf("sim: seed %" PRIu64 ": %s\n", progress->seed, why_ended(progress, status));
    }
    return 1;
}

/* Tells all violations among the seeds, not only the first. */
static int survey(struct progress *progress, uint64_t from, uint64_t count)
{
    uint64_t found = 0, end = from + count;

    while (from < end) {
        memset(progress, 0, sizeof *progress);
        int status = in_child(progress, from, end - from, true);
        if (status == 0)
            break;
        printf("%" PRIu64 ": %s\n", progress->seed, why_ended(progress, status));
        found++;
        from = progress->seed + 1;
    }
    printf("sim: %" PRIu64 " of %" PRIu64 " seeds broke a rule\n", found, count);
    return found > 0;
}

static int try_mutants(struct progress *progress, uint64_t from, uint64_t count)
{
    int survivors = 0, tried = 0;

    for (int mutant = 1; mutant < sim_mutant_count(); mutant++) {
        if (!program->catches(mutant))
            continue;
        tried++;
        sim_mutant_choose(mutant);
        memset(progress, 0, sizeof *progress);
        int status = in_child(progress, from, count, true);
        if (status == 0)
            survivors++;
        printf("%-18s %s", sim_mutant_name(mutant), status == 0 ? "SURVIVED" : "caught");
        if (status != 0)
            printf(" by seed %" PRIu64 ": %s", progress->seed, why_ended(progress, status));
        printf("\n");
    }
    printf("sim: %d of %d mutants caught\n", tried - survivors, tried);
    return survivors > 0;
}

static int usage(void)
{
    fprintf(stderr,
            "%1$s [--seeds N] [--from S] [--brief]   runs N seeds (1000) from S (1)\n"
            "%1$s --survey [--seeds N] [--from S]    tells every violation, not only the first\n"
            "%1$s --seed S [--trace]                 runs one\n"
            "%1$s_mutants --mutants [--seeds N]      each fault must be caught by one of N seeds (%2$" PRIu64 ")\n"
            "%1$s_mutants --list-mutants\n"
            "%1$s_mutants --mutant NAME …            runs seeds with that fault\n",
            program->name, program->mutant_seeds);
    return 2;
}

int sim_runner_main(const struct sim_program *of, int argc, char **argv)
{
    static const struct option options[] = {
        {"seeds", required_argument, NULL, 'n'},  {"from", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'},   {"trace", no_argument, NULL, 't'},
        {"mutants", no_argument, NULL, 'm'},      {"list-mutants", no_argument, NULL, 'l'},
        {"mutant", required_argument, NULL, 'M'}, {"brief", no_argument, NULL, 'b'},
        {"survey", no_argument, NULL, 'v'},       {NULL, 0, NULL, 0},
    };
    uint64_t from = 1, count = 0;
    bool one = false, mutants = false, brief = false, all = false;
    int option;

    program = of;
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        switch (option) {
        case 'n':
            count = strtoull(optarg, NULL, 10);
            break;
        case 'f':
            from = strtoull(optarg, NULL, 10);
            break;
        case 's':
            from = strtoull(optarg, NULL, 10);
            one = true;
            break;
        case 't':
            setvbuf(stdout, NULL, _IOLBF, 0); /* a panic loses nothing */
            sim_tracing = true;
            break;
        case 'b':
            brief = true;
            break;
        case 'v':
            all = true;
            break;
        case 'm':
            mutants = true;
            break;
        case 'M':
            if (!sim_mutant_choose_name(optarg))
                return usage();
            break;
        case 'l':
            for (int mutant = 1; mutant < sim_mutant_count(); mutant++)
                if (program->catches(mutant))
                    printf("%-18s %s\n", sim_mutant_name(mutant), sim_mutant_text(mutant));
            return 0;
        default:
            return usage();
        }
    }
    if (optind < argc)
        return usage();
    struct progress *progress = mmap(NULL, sizeof *progress, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (progress == MAP_FAILED)
        return 2;
    if (mutants && sim_mutant_count() <= 1) {
        fprintf(stderr, "this program has no mutants in it; see %s_mutants\n", program->name);
        return 2;
    }
    if (mutants)
        return try_mutants(progress, from, count ? count : program->mutant_seeds);
    if (one && sim_tracing) {
        int result = run_seeds(progress, from, 1);
        printf("sim: seed %" PRIu64 ": %s\n", from, result ? progress->violation : "good");
        return result;
    }
    if (all)
        return survey(progress, from, count ? count : 1000);
    return report(progress, from, one ? 1 : count ? count : 1000, brief);
}
