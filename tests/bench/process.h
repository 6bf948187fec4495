/* process.h – what a benchmark asks of the machine: the time, what a process has used, numbers on the command line;
 * and how it ends when something is amiss: one sentence to standard error and status 1, or 2 for wrong usage.
 *
 * Units: times in nanoseconds of the monotonic clock, memory in bytes. Calls out: /proc of the process. */
#ifndef HGT_BENCH_PROCESS_H
#define HGT_BENCH_PROCESS_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

#define HGT_SECOND UINT64_C(1000000000)

/* Stands before each sentence. */
extern const char *hgt_program;
__attribute__((format(printf, 1, 2))) _Noreturn void hgt_die(const char *format, ...);

uint64_t hgt_now(void);

struct hgt_cpu {
    uint64_t total, user, system, waited; /* waited: ready to run while others had the core */
};

/* The sum is exact; how it divides into user and system, the kernel samples at its ticks. */
struct hgt_cpu hgt_cpu_of(pid_t pid);
struct hgt_cpu hgt_cpu_between(struct hgt_cpu before, struct hgt_cpu after);
uint64_t hgt_own_cpu(void);
/* `name` as in /proc/PID/status: "VmRSS:". */
double hgt_memory_of(pid_t pid, const char *name);
/* The number behind `name` in a file of the kernel's that tells of the whole system, times `unit`; 0: it is not told.
 */
double hgt_memory_of_system(const char *file, const char *name, double unit);
/* From here on VmHWM is the peak since now. */
void hgt_memory_forget_peak(pid_t pid);
size_t hgt_descriptors_of(pid_t pid);
/* As many open files as the system lets this process have; its children inherit that. */
void hgt_raise_open_files(void);

/* Values of options; what is wrong ends the program with status 2. */
uint64_t hgt_number_from(const char *option, const char *text, uint64_t least, uint64_t most);
struct sockaddr_in hgt_address_from(const char *option, char *text);

#endif
