/*
 * rows.c - row data taken apart into values, and values put together into row data.
 *
 *   fixed zone:    | field 0 | field 1: u32 entry | ...     the masked fields, packed, in ordinal order
 *   variable zone: | field 1: entry x unit bytes | ...      their variable bytes, in the same order
 */
#include "model.h"
#include <stdlib.h>
#include <string.h>

uint32_t model_number(const uint8_t bytes[4]) {
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

uint64_t model_fixed_bytes(const model_kind *kind, uint64_t mask) {
    uint64_t bytes = 0;
    for (unsigned f = 0; f < kind->field_count; f++)
        if (mask >> f & 1) bytes += kind->sizes[f];
    return bytes;
}

bool model_split(const model_kind *kind, uint64_t mask, const uint8_t *data, uint64_t bytes, model_value values[]) {
    uint64_t fixed_at = 0, variable_at = model_fixed_bytes(kind, mask);
    if (bytes < variable_at) return false;
    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1)) continue;
        model_value *value = &values[f];
        *value = (model_value){.fixed = data + fixed_at, .fixed_bytes = kind->sizes[f]};
        fixed_at += kind->sizes[f];
        if (kind->units[f] == 0) continue;
        uint64_t length = (uint64_t)model_number(value->fixed) * kind->units[f];
        if (length > bytes - variable_at) return false;
        value->variable = data + variable_at;
        value->variable_bytes = (uint32_t)length;
        variable_at += length;
    }
    return variable_at == bytes;
}

uint32_t model_join(const model_kind *kind, uint64_t mask, const model_value values[], uint8_t *out) {
    uint8_t *at = out;
    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1)) continue;
        memcpy(at, values[f].fixed, values[f].fixed_bytes);
        at += values[f].fixed_bytes;
    }
    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1) || values[f].variable_bytes == 0) continue;
        memcpy(at, values[f].variable, values[f].variable_bytes);
        at += values[f].variable_bytes;
    }
    return (uint32_t)(at - out);
}

void model_values(const model_kind *kind, const uint8_t *row, uint32_t bytes, model_value values[]) {
    if (!model_split(kind, kind->all_fields, row, bytes, values)) abort();
}

bool model_same_value(const model_value *a, const model_value *b) {
    return memcmp(a->fixed, b->fixed, a->fixed_bytes) == 0 && a->variable_bytes == b->variable_bytes &&
           (a->variable_bytes == 0 || memcmp(a->variable, b->variable, a->variable_bytes) == 0);
}
