/* owner.h – which thread a descriptor belongs to, so that all of a thread's can be closed although nothing that it kept
 * is to be trusted any more. The kernel keeps it with the open file (fcntl(2), F_SETOWN_EX with F_OWNER_TID), where a
 * descriptor that is closed and used again by another thread cannot be mistaken. Nothing else comes of it: signals for
 * the owner would need O_ASYNC, and SIGURG is ignored. Errors: none are told; without /proc, or where the kernel
 * refuses, descriptors stay open that could have been closed. */
#ifndef HG_OWNER_H
#define HG_OWNER_H

/* It is the calling thread's. */
void hg_owner_claim(int fd);
/* All that have no owner yet, but the standard streams, which other processes share. */
void hg_owner_claim_rest(void);
/* Closes all of the calling thread's, those first that listen. */
void hg_owner_close_all(void);

#endif
