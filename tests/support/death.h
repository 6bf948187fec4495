/* death.h – shows that an assertion holds the line: hgt_dies() runs the function in a child process and tells whether
 * it ended by abort(). The child's standard error is discarded. */
#ifndef HGT_SUPPORT_DEATH_H
#define HGT_SUPPORT_DEATH_H

#include <stdbool.h>

bool hgt_dies(void (*function)(void));

#endif
