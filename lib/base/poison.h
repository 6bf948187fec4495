/* poison.h – forced into every file of lib/ and gateway/core/: time and chance come in as arguments.
 * The headers that declare these names are read first, since a poisoned name may not appear after the pragma. */
#ifndef HG_POISON_H
#define HG_POISON_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#pragma GCC poison time gettimeofday clock_gettime rand random srand srandom drand48 getrandom
#endif
