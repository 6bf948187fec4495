#include "support/death.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/assert.h"

bool hgt_dies(void (*function)(void))
{
    pid_t child = fork();
    HG_ASSERT(child >= 0);
    if (child == 0) {
        /* cmocka's handlers would turn the abort into a failed test, and a core file helps nobody here. */
        signal(SIGABRT, SIG_DFL);
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (null >= 0)
            dup2(null, STDERR_FILENO);
        function();
        _exit(0);
    }
    int status = 0;
    HG_ASSERT(waitpid(child, &status, 0) == child);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}
