/* table.h – rows of words for people: columns aligned, two spaces between them.
 *
 * Rows are held until they are flushed; columns only grow, so that pages that follow each other stay in line.
 * Ownership: hg_table_done() frees all; `columns` is borrowed. A cell's buffer is valid until the next one is begun.
 * Errors: a flush that fails (memory, writing) returns false. Calls out: none. */
#ifndef HG_DEADLETTER_TABLE_H
#define HG_DEADLETTER_TABLE_H

#include <stdio.h>

#include "base/buf.h"

#define HG_TABLE_COLUMNS_MAX 8

struct hg_table_column {
    const char *title;
    bool is_number; /* to the right */
};

struct hg_table {
    const struct hg_table_column *columns;
    size_t column_count;
    size_t widths[HG_TABLE_COLUMNS_MAX];
    bool titled;
    struct hg_buf text; /* the cells, each ended by NUL */
    size_t cell_count;
};

void hg_table_init(struct hg_table *table, const struct hg_table_column *columns, size_t column_count);
void hg_table_done(struct hg_table *table);
/* Begins the next cell, of the next row after the last column: append its text, without NUL. */
struct hg_buf *hg_table_cell(struct hg_table *table);
/* Writes the rows, the titles before the first of them, and forgets them. */
bool hg_table_flush(struct hg_table *table, FILE *to);

#endif
