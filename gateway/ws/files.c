#include "ws/files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"

enum { FILE_BYTES_MAX = 16 << 20, PATH_BYTES_MAX = 4096, DEPTH_MAX = 16 };

static const struct {
    const char *ending, *type;
} types[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".ts", "text/plain; charset=utf-8"}, /* types, for those who build with them */
    {".css", "text/css; charset=utf-8"},
    {".svg", "image/svg+xml; charset=utf-8"},
    {".png", "image/png"},
    {".ico", "image/vnd.microsoft.icon"},
    {".json", "application/json"},
    {".md", "text/markdown; charset=utf-8"},
    {".txt", "text/plain; charset=utf-8"},
};

static const char *type_of(const char *name)
{
    const char *ending = strrchr(name, '.');
    for (size_t i = 0; ending && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(ending, types[i].ending) == 0)
            return types[i].type;
    return NULL;
}

static hg_result complain(struct hg_buf *reterr, const char *what, const char *path, const char *why)
{
    hg_buf_printf(reterr, "%s %s: %s", what, path, why);
    return HG_FAIL(INTERNAL);
}

/* The bytes of a file; the file must not grow past what was seen first. */
static hg_result read_bytes(const char *path, size_t size, struct hg_ws_file *file, struct hg_buf *reterr)
{
    FILE *stream = fopen(path, "rbe");
    if (!stream)
        return complain(reterr, "cannot read", path, strerror(errno));
    file->bytes = malloc(size + 1);
    if (!file->bytes) {
        fclose(stream);
        return HG_FAIL(NOMEM);
    }
    file->len = fread(file->bytes, 1, size, stream);
    bool failed = ferror(stream) || file->len != size;
    fclose(stream);
    return failed ? complain(reterr, "cannot read", path, "it changed while it was read") : HG_OK;
}

/* The name in the list: index.html is the folder itself. */
static char *url_of(const char *prefix, const char *name)
{
    bool index = strcmp(name, "index.html") == 0;
    size_t len = strlen(prefix) + strlen(name) + 2;
    char *url = malloc(len);
    if (url)
        snprintf(url, len, "%s/%s", prefix, index ? "" : name);
    return url;
}

static hg_result add_file(const char *path, size_t size, const char *prefix, const char *name,
                          struct hg_ws_files *files, struct hg_buf *reterr)
{
    if (size > FILE_BYTES_MAX)
        return complain(reterr, "cannot serve", path, "it is larger than 16 MiB");
    struct hg_ws_file *items = realloc(files->items, (files->count + 1) * sizeof(*items));
    if (!items)
        return HG_FAIL(NOMEM);
    files->items = items;
    struct hg_ws_file *file = &items[files->count];
    *file = (struct hg_ws_file){.type = type_of(name)};
    file->path = url_of(prefix, name);
    if (!file->path)
        return HG_FAIL(NOMEM);
    files->count++;
    hg_result result = read_bytes(path, size, file, reterr);
    if (result.code != HG_ERR_OK)
        return result;
    /* A validator, not a secret: the key is of no matter. */
    uint64_t hash = hg_hash_bytes((struct hg_hash_key){1, 2}, hg_slice(file->bytes, file->len));
    snprintf(file->etag, sizeof(file->etag), "\"%016llx\"", (unsigned long long)hash);
    return HG_OK;
}

static hg_result walk(const char *folder, const char *prefix, int depth, struct hg_ws_files *files,
                      struct hg_buf *reterr)
{
    if (depth > DEPTH_MAX)
        return complain(reterr, "cannot serve", folder, "its folders are nested too deep");
    DIR *stream = opendir(folder);
    if (!stream)
        return complain(reterr, "cannot read the folder", folder, strerror(errno));
    hg_result result = HG_OK;
    struct dirent *entry;
    while (result.code == HG_ERR_OK && (entry = readdir(stream))) {
        if (entry->d_name[0] == '.')
            continue;
        char path[PATH_BYTES_MAX], url[PATH_BYTES_MAX];
        int path_len = snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        int url_len = snprintf(url, sizeof(url), "%s/%s", prefix, entry->d_name);
        if (path_len >= PATH_BYTES_MAX || url_len >= PATH_BYTES_MAX) {
            result = complain(reterr, "cannot serve", folder, "a path in it is too long");
            break;
        }
        struct stat status;
        if (stat(path, &status) != 0)
            continue; /* a link to nowhere, or gone since */
        if (S_ISDIR(status.st_mode))
            result = walk(path, url, depth + 1, files, reterr);
        else if (S_ISREG(status.st_mode) && type_of(entry->d_name))
            result = add_file(path, (size_t)status.st_size, prefix, entry->d_name, files, reterr);
    }
    closedir(stream);
    return result;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct hg_ws_file *)a)->path, ((const struct hg_ws_file *)b)->path);
}

hg_result hg_ws_files_read(const char *folder, const char *prefix, struct hg_ws_files *files, struct hg_buf *reterr)
{
    size_t len = strlen(prefix);
    while (len > 0 && prefix[len - 1] == '/')
        len--;
    char *start = strndup(prefix, len);
    if (!start)
        return HG_FAIL(NOMEM);
    hg_result result = walk(folder, start, 0, files, reterr);
    free(start);
    if (result.code != HG_ERR_OK)
        return result;
    if (files->count > 1)
        qsort(files->items, files->count, sizeof(*files->items), by_path);
    for (size_t i = 1; i < files->count; i++)
        if (by_path(&files->items[i - 1], &files->items[i]) == 0)
            return complain(reterr, "two files would be served at", files->items[i].path, "rename one");
    return HG_OK;
}

void hg_ws_files_done(struct hg_ws_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        free(files->items[i].path);
        free(files->items[i].bytes);
    }
    free(files->items);
    *files = (struct hg_ws_files){0};
}

const struct hg_ws_file *hg_ws_files_find(const struct hg_ws_files *files, struct hg_slice path)
{
    size_t low = 0, high = files ? files->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct hg_slice found = hg_slice_str(files->items[middle].path);
        size_t shared = found.len < path.len ? found.len : path.len;
        int order = shared ? memcmp(found.ptr, path.ptr, shared) : 0;
        if (order == 0 && found.len == path.len)
            return &files->items[middle];
        if (order < 0 || (order == 0 && found.len < path.len))
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}
