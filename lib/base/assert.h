/* assert.h – our own mistakes end the process, in release builds too; peers' data is never asserted on.
 *
 * A thread may have a name, and a way to end alone: then its mistakes end that thread and the process goes on. What it
 * was working on is not to be trusted after that; whoever installs the way sees to it that nobody touches it again.
 * Calls out: hg_panic writes one line to standard error, then calls what the thread installed; when there is nothing or
 * it returns, it aborts. It never returns. */
#ifndef HG_BASE_ASSERT_H
#define HG_BASE_ASSERT_H

_Noreturn void hg_panic(const char *file, int line, const char *what);

/* Of the calling thread, for the line; borrowed; NULL: none. */
void hg_panic_set_name(const char *name);
const char *hg_panic_name(void);
/* Of the calling thread. `instead` is called once at most; NULL: abort. */
void hg_panic_set_way_out(void (*instead)(void *context), void *context);

#define HG_ASSERT(condition) ((condition) ? (void)0 : hg_panic(__FILE__, __LINE__, #condition))
#define HG_UNREACHABLE()     hg_panic(__FILE__, __LINE__, "unreachable")

#ifdef HG_PARANOID
#define HG_PARANOID_CHECK(statement) statement
#else
#define HG_PARANOID_CHECK(statement) ((void)0)
#endif

#endif
