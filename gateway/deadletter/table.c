#include "deadletter/table.h"

#include <string.h>

#include "base/assert.h"

#define TEXT_BYTES_MAX (16u << 20)

void hg_table_init(struct hg_table *table, const struct hg_table_column *columns, size_t column_count)
{
    HG_ASSERT(column_count > 0 && column_count <= HG_TABLE_COLUMNS_MAX);
    *table = (struct hg_table){.columns = columns, .column_count = column_count};
    for (size_t i = 0; i < column_count; i++)
        table->widths[i] = strlen(columns[i].title);
    hg_buf_init(&table->text, TEXT_BYTES_MAX);
}

void hg_table_done(struct hg_table *table)
{
    hg_buf_done(&table->text);
}

struct hg_buf *hg_table_cell(struct hg_table *table)
{
    if (table->cell_count > 0)
        hg_buf_put_char(&table->text, '\0');
    table->cell_count++;
    return &table->text;
}

/* In characters; those that take two columns are not for keys and names. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static void put_cell(const struct hg_table *table, size_t column, const char *text, FILE *to)
{
    bool last = column + 1 == table->column_count;
    int fill = (int)(table->widths[column] - width_of(text));
    if (table->columns[column].is_number)
        fprintf(to, "%*s%s", fill, "", text);
    else
        fprintf(to, "%s%*s", text, last ? 0 : fill, "");
    fputs(last ? "\n" : "  ", to);
}

static void measure(struct hg_table *table)
{
    const char *text = table->text.ptr;
    for (size_t i = 0; i < table->cell_count; i++) {
        size_t *width = &table->widths[i % table->column_count], found = width_of(text);
        *width = found > *width ? found : *width;
        text += strlen(text) + 1;
    }
}

bool hg_table_flush(struct hg_table *table, FILE *to)
{
    if (table->cell_count == 0)
        return true;
    hg_buf_put_char(&table->text, '\0');
    if (!hg_ok(hg_buf_result(&table->text)))
        return false;
    HG_ASSERT(table->cell_count % table->column_count == 0);
    measure(table);
    for (size_t i = 0; i < table->column_count && !table->titled; i++)
        put_cell(table, i, table->columns[i].title, to);
    table->titled = true;
    const char *text = table->text.ptr;
    for (size_t i = 0; i < table->cell_count; i++) {
        put_cell(table, i % table->column_count, text, to);
        text += strlen(text) + 1;
    }
    hg_buf_clear(&table->text);
    table->cell_count = 0;
    return !ferror(to);
}
