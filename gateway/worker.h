/* worker.h – one worker: a loop with its core, its links to Redis and its clients, tied together by small functions.
 * Decides nothing. A worker alone in its process takes the signals itself; one of several is told to stop by a bell.
 *
 * Ownership: all that the plan points to is borrowed and must outlive the worker. Threads: a worker belongs to the
 * thread that made it; only hg_worker_port() may be asked by another once it is made. Errors: what is wrong is logged
 * where it happens. */
#ifndef HG_WORKER_H
#define HG_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "board.h"
#include "config/config.h"
#include "config/listen.h"
#include "config/redis_url.h"
#include "logger.h"
#include "tally.h"
#include "ws/ws.h"

struct hg_worker;

struct hg_worker_plan {
    const struct hg_config *settings; /* its share of them */
    const struct hg_redis_url *redis;
    const struct hg_listen *listen;
    const struct hg_ws_files *files;
    const struct hg_logger *logger;
    struct hg_ws_tls *tls; /* NULL: plain */

    /* One of several: */
    unsigned number; /* from 0 */
    enum hg_ws_sharing sharing;
    uint16_t port;          /* where the others listen; 0: as `listen` has it */
    struct hg_tally *tally; /* NULL: it is alone */
    struct hg_board *board;
    int bell;                 /* rung when `stops` has changed; -1: it takes the signals itself */
    const atomic_uint *stops; /* signals so far */
};

/* Builds and listens; clients are accepted once it runs. */
bool hg_worker_new(const struct hg_worker_plan *plan, struct hg_worker **ret_worker);
/* Until it was told to stop and its clients have gone, or their time is over. */
void hg_worker_run(struct hg_worker *worker);
/* Accepts NULL. */
void hg_worker_free(struct hg_worker *worker);

uint16_t hg_worker_port(const struct hg_worker *worker);
uint64_t hg_worker_clients(const struct hg_worker *worker);

/* Where clients find a port of this address, as in a URL: all addresses are reached by 0.0.0.0 on the machine itself.
 */
void hg_worker_put_address(const struct hg_listen *listen, uint16_t port, char *ret_text, size_t size);

#endif
