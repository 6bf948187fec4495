/* bell.h – wakes a loop from another thread: a descriptor that becomes readable (eventfd(2)). It carries nothing; what
 * is to be told stands elsewhere before it is rung. Ownership: the descriptor is the caller's. */
#ifndef HG_BELL_H
#define HG_BELL_H

/* -1: refused by the system. */
int hg_bell_new(void);
/* From any thread. */
void hg_bell_ring(int bell);
/* It is quiet until it is rung again. */
void hg_bell_hush(int bell);

#endif
