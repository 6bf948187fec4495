/* assert.h – our own mistakes end the process, in release builds too; peers' data is never asserted on.
 * Calls out: hg_panic writes one line to standard error and aborts; it never returns. */
#ifndef HG_BASE_ASSERT_H
#define HG_BASE_ASSERT_H

_Noreturn void hg_panic(const char *file, int line, const char *what);

#define HG_ASSERT(condition) ((condition) ? (void)0 : hg_panic(__FILE__, __LINE__, #condition))
#define HG_UNREACHABLE()     hg_panic(__FILE__, __LINE__, "unreachable")

#ifdef HG_PARANOID
#define HG_PARANOID_CHECK(statement) statement
#else
#define HG_PARANOID_CHECK(statement) ((void)0)
#endif

#endif
