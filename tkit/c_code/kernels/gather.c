/* GATHER of the rows of a table; -1 where an id has none. */
static INLINE int gather(const void *table, int32_t rows, size_t row_bytes, const int32_t *ids, int count, void *y)
{
    for (int i = 0; i < count; i++) {
        if (ids[i] < 0 || ids[i] >= rows)
            return -1;
        memcpy((char *)y + (size_t)i * row_bytes, (const char *)table + (size_t)ids[i] * row_bytes, row_bytes);
    }
    return 0;
}
