#include "path.h"

#include <string.h>

void hg_path_put(const char *path, const char *file, struct hg_buf *into)
{
    const char *slash = file && path[0] != '/' ? strrchr(file, '/') : NULL;
    if (slash)
        hg_buf_put(into, hg_slice(file, (size_t)(slash + 1 - file)));
    hg_buf_put_str(into, path);
    hg_buf_put_char(into, '\0');
}
