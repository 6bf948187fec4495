/* schemas.h – the JSON Schemas that topic rules name: read from their files and compiled when the process starts.
 * Ownership: the configuration borrows them until hg_schemas_free(). */
#ifndef HG_SCHEMAS_H
#define HG_SCHEMAS_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"

/* `file`: the configuration's path, in whose folder relative ones begin; NULL: none, they begin where the process does.
 * BAD_REQUEST with one line in `reterr`: where in the configuration, which file, what is wrong there. NOMEM. */
HG_RESULT hg_schemas_read(struct hg_config *config, const char *file, struct hg_buf *reterr);
/* Frees what was read; `config` may be NULL. */
void hg_schemas_free(struct hg_config *config);

#endif
