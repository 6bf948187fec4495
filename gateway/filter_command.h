/* filter_command.h – `headgate filter`: what a filter makes of an event, and whether a filter is well formed at all.
 *
 * Reads the event from standard input, prints the result and which part decided; what is wrong goes to standard error
 * with the place under the text. Calls out: none. */
#ifndef HG_FILTER_COMMAND_H
#define HG_FILTER_COMMAND_H

/* argv[0] is "filter". Returns the exit code: 0 it passes (or, with --check, it is well formed), 1 it does not pass,
 * 2 it is not well formed or the options are wrong. */
int hg_filter_command(int argc, char **argv);

#endif
