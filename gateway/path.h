/* path.h – paths in the configuration, which begin in the folder of its file. Ownership: nothing is kept. Errors: those
 * of the buffer. Calls out: none. */
#ifndef HG_PATH_H
#define HG_PATH_H

#include "base/buf.h"

/* The path as it is opened, with a NUL behind it that counts in its length. `file`: the configuration's; NULL: none,
 * relative paths begin where the process does. */
void hg_path_put(const char *path, const char *file, struct hg_buf *into);

#endif
