/* files.h – finding one of the files that ws.h reads. Only exact paths are found, so no path can lead out of the list.
 */
#ifndef HG_WS_FILES_H
#define HG_WS_FILES_H

#include "ws/ws.h"

/* NULL when there is none; `files` may be NULL. The list is sorted by hg_ws_files_read(). */
const struct hg_ws_file *hg_ws_files_find(const struct hg_ws_files *files, struct hg_slice path);

#endif
