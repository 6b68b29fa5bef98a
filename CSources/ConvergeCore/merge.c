#include "merge.h"

/* Most fields are scalars: a copy of known size is one load and one store. */
static inline void copy_field(uint8_t *into, const uint8_t *from, uint32_t bytes) {
    switch (bytes) {
    case 1:
        *into = *from;
        return;
    case 2:
        memcpy(into, from, 2);
        return;
    case 4:
        memcpy(into, from, 4);
        return;
    case 8:
        memcpy(into, from, 8);
        return;
    case 16:
        memcpy(into, from, 16);
        return;
    default:
        memcpy(into, from, bytes);
    }
}

void cvgi_merge_fields(const cvgi_schema *schema, uint8_t *into, const uint8_t *data, uint64_t mask) {
    for (; mask != 0; mask &= mask - 1) {
        const cvgi_field *field = &schema->fields[__builtin_ctzll(mask)];
        copy_field(into + field->offset, data + field->offset, field->bytes);
    }
}

void cvgi_merge_patch(const cvgi_schema *schema, uint8_t *row, uint8_t source, uint64_t mask, const uint8_t *data) {
    cvgi_row_set_source_set(row, cvgi_row_source_set(row) | UINT64_C(1) << source);
    for (; mask != 0; mask &= mask - 1) {
        const cvgi_field *field = &schema->fields[__builtin_ctzll(mask)];
        copy_field(cvgi_row_data(row) + field->offset, data, field->bytes);
        data += field->bytes;
    }
}

void cvgi_merge_retract(const cvgi_schema *schema, uint8_t *row, uint8_t source) {
    uint64_t before = cvgi_row_source_set(row);
    uint64_t left = before & ~(UINT64_C(1) << source);
    if (left == before) return;
    cvgi_row_set_source_set(row, left);
    if (left == 0) {
        memset(cvgi_row_data(row), 0, schema->data_bytes);
        return;
    }
    for (uint64_t clearing = schema->clearing & schema->writable[source]; clearing != 0; clearing &= clearing - 1) {
        const cvgi_field *field = &schema->fields[__builtin_ctzll(clearing)];
        if ((field->owners & left) == 0) memset(cvgi_row_data(row) + field->offset, 0, field->bytes);
    }
}

uint64_t cvgi_merge_changed(const cvgi_schema *schema, const uint8_t *before, const uint8_t *now) {
    uint64_t changed = 0;
    uint32_t bytes = schema->data_bytes;
    uint32_t at = 0;
    unsigned ordinal = 0;
    while (at < bytes) {
        uint32_t differs; /* offset of the next byte that does */
        if (bytes - at >= 8) {
            uint64_t difference = cvgi_load64(before + at) ^ cvgi_load64(now + at);
            if (difference == 0) {
                at += 8;
                continue;
            }
            differs = at + (uint32_t)__builtin_ctzll(difference) / 8;
        } else {
            if (before[at] == now[at]) {
                at++;
                continue;
            }
            differs = at;
        }
        while (schema->fields[ordinal].offset + schema->fields[ordinal].bytes <= differs) ordinal++;
        changed |= UINT64_C(1) << ordinal;
        at = schema->fields[ordinal].offset + schema->fields[ordinal].bytes;
    }
    return changed;
}
