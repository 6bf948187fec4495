/* deadletter_command.h – `headgate deadletter`: lists, shows, replays and drops emits that were refused and kept
 * (web/docs/dead-letters.md).
 *
 * Results go to standard output, what is wrong to standard error. Blocks: each call on Redis, for redis_timeout_ms at
 * most. Calls out: none. */
#ifndef HG_DEADLETTER_COMMAND_H
#define HG_DEADLETTER_COMMAND_H

/* argv[0] is "deadletter". Returns the exit code: 0 all was done, 1 a letter stayed or was not there or Redis failed,
 * 2 the command line or the configuration is wrong. */
int hg_deadletter_command(int argc, char **argv, char **environment);

#endif
