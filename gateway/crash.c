#include "crash.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/assert.h"

#define STACK_BYTES (64u << 10)

static const struct {
    int number;
    const char *name;
} crashes[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"}, {SIGILL, "SIGILL"}, {SIGFPE, "SIGFPE"}};

static char *put(char *to, const char *end, const char *text)
{
    while (*text && to < end)
        *to++ = *text++;
    return to;
}

/* Nothing but what signal-safety(7) allows. */
static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    char line[128], *end = line + sizeof(line), *at = put(line, end, "headgate: ");
    const char *thread = hg_panic_name();
    if (thread)
        at = put(put(at, end, thread), end, ": ");
    at = put(at, end, "panic: ");
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++)
        if (crashes[i].number == number)
            at = put(at, end, crashes[i].name);
    at = put(at, end, "\n");
    ssize_t written = write(STDERR_FILENO, line, (size_t)(at - line));
    (void)written;
    /* The handler is gone by now: a fault happens again on return, where it belongs; a signal that was sent does not.
     */
    if (info->si_code <= 0)
        raise(number);
}

void hg_crash_tell(void)
{
    for (size_t i = 0; i < sizeof(crashes) / sizeof(crashes[0]); i++) {
        struct sigaction before,
            ours = {.sa_sigaction = on_crash, .sa_flags = (int)(SA_SIGINFO | SA_ONSTACK | SA_RESETHAND)};
        sigemptyset(&ours.sa_mask);
        if (sigaction(crashes[i].number, NULL, &before) == 0 && before.sa_handler == SIG_DFL)
            sigaction(crashes[i].number, &ours, NULL);
    }
}

void hg_crash_prepare_thread(void)
{
    stack_t before, stack = {.ss_size = STACK_BYTES};
    if (sigaltstack(NULL, &before) != 0 || !(before.ss_flags & SS_DISABLE))
        return;
    stack.ss_sp = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (stack.ss_sp != MAP_FAILED)
        sigaltstack(&stack, NULL);
}
