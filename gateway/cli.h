/* cli.h – the command line, the environment and the configuration file: what the gateway shall do.
 *
 * Precedence: the file, then HEADGATE_… variables, then flags. Prints what was asked for to standard output and what is
 * wrong to standard error. Ownership: hg_cli_done() frees all. Calls out: none. */
#ifndef HG_CLI_H
#define HG_CLI_H

#include <stdbool.h>

#include "config/config.h"
#include "config/listen.h"
#include "config/redis_url.h"

struct hg_ws_tls;

enum { HG_EXIT_FAILURE = 1, HG_EXIT_USAGE = 2 };

struct hg_cli {
    struct hg_config *config; /* checked */
    struct hg_redis_url redis;
    struct hg_listen listen;
    unsigned workers;      /* at least 1 */
    struct hg_ws_tls *tls; /* NULL: plain */
    const char
        *web; /* folder of page and documentation, borrowed from the arguments or the environment; NULL: not given */
};

/* True: run with `ret_cli`. False: all is done or wrong; end with `*ret_exit`. */
bool hg_cli_read(int argc, char **argv, char **environment, struct hg_cli *ret_cli, int *ret_exit);
void hg_cli_done(struct hg_cli *cli);

#endif
