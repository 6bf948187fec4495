/* crash.h – a signal that says that memory is not to be trusted (SIGSEGV, SIGBUS, SIGILL, SIGFPE) ends the process, as
 * it does anyway; before that one line tells which thread it was. Where somebody else handles such a signal already (a
 * sanitizer), it is left to them. Calls out: the line goes to standard error. */
#ifndef HG_CRASH_H
#define HG_CRASH_H

/* Once, for the whole process. */
void hg_crash_tell(void);
/* For the calling thread: a stack for telling, since its own may be what has run out. */
void hg_crash_prepare_thread(void);

#endif
