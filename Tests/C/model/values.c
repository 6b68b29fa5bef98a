/*
 * values.c - which writes are acceptable: K3, K4, W5.
 *
 * The first fault decides, in this order: code, kind, source, schema, mask, length, values by ordinal, ownership by
 * ordinal. The whole row of an ASSERT is checked, also the fields its source may not write.
 */
#include "model.h"

uint32_t model_field_bytes(const cvg_field *field) {
    switch (field->type) {
    case CVG_U8:
    case CVG_I8:
    case CVG_BOOL:
        return 1;
    case CVG_U16:
    case CVG_I16:
        return 2;
    case CVG_U32:
    case CVG_I32:
    case CVG_F32:
        return 4;
    case CVG_U64:
    case CVG_I64:
    case CVG_F64:
        return 8;
    case CVG_U128:
        return 16;
    case CVG_STRING:
    case CVG_BYTES:
        return 2u + field->max;
    default:
        return 0;
    }
}

bool model_may_write(const cvg_field *field, unsigned source) {
    return field->owners == 0 || (field->owners >> source & 1) != 0;
}

/* RFC 3629: decode one code point at a time, then ask whether it was allowed to look like that. */
bool model_utf8_valid(const uint8_t *bytes, size_t count) {
    static const uint32_t smallest[] = {0, 0x80, 0x800, 0x10000};
    size_t at = 0;
    while (at < count) {
        uint8_t lead = bytes[at++];
        unsigned more = lead < 0x80 ? 0 : lead >> 5 == 6 ? 1 : lead >> 4 == 14 ? 2 : lead >> 3 == 30 ? 3 : 4;
        if (more == 4 || count - at < more) return false;
        uint32_t point = more == 0 ? lead : lead & (0x3Fu >> more);
        for (unsigned i = 0; i < more; i++) {
            uint8_t next = bytes[at++];
            if (next >> 6 != 2) return false;
            point = point << 6 | (next & 0x3Fu);
        }
        if (point < smallest[more] || point > 0x10FFFF) return false;
        if (point >= 0xD800 && point <= 0xDFFF) return false;
    }
    return true;
}

static int check_value(const cvg_field *field, const uint8_t *value) {
    if (field->type == CVG_BOOL) return value[0] > 1 ? CVG_E_BOOL : CVG_OK;
    if (field->type != CVG_STRING && field->type != CVG_BYTES) return CVG_OK;
    uint32_t length = value[0] | (uint32_t)value[1] << 8;
    const uint8_t *text = value + 2;
    if (length > field->max) return CVG_E_TOO_LONG;
    if (field->type == CVG_STRING && !model_utf8_valid(text, length)) return CVG_E_UTF8;
    for (uint32_t i = length; i < field->max; i++)
        if (text[i] != 0) return CVG_E_PADDING;
    return CVG_OK;
}

static model_verdict verdict(int status, unsigned field) {
    return (model_verdict){.status = status, .field = (uint16_t)field};
}

static model_verdict check_data(const model_kind *kind, const cvg_op *op) {
    uint64_t mask = op->code == CVG_PATCH ? op->mask : kind->all_fields;
    for (unsigned f = 0; f < 64; f++)
        if ((mask & ~kind->all_fields) >> f & 1) return verdict(CVG_E_MASK, (uint16_t)f);

    uint64_t length = 0;
    for (unsigned f = 0; f < kind->field_count; f++)
        if (mask >> f & 1) length += kind->sizes[f];
    if (op->data_bytes != length) return verdict(CVG_E_LENGTH, MODEL_NO_FIELD);

    const uint8_t *value = op->data;
    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1)) continue;
        int status = check_value(&kind->fields[f], value);
        if (status != CVG_OK) return verdict(status, f);
        value += kind->sizes[f];
    }
    if (op->code == CVG_PATCH)
        for (unsigned f = 0; f < kind->field_count; f++)
            if ((mask >> f & 1) && !model_may_write(&kind->fields[f], op->source)) return verdict(CVG_E_NOT_OWNER, f);
    return verdict(CVG_OK, MODEL_NO_FIELD);
}

model_verdict model_check(const model *m, const cvg_op *op) {
    if (op->code != CVG_ASSERT && op->code != CVG_PATCH && op->code != CVG_RETRACT)
        return verdict(CVG_E_OPERATION, MODEL_NO_FIELD);
    const model_kind *kind = model_kind_find(m, op->kind);
    if (kind == NULL) return verdict(CVG_E_KIND, MODEL_NO_FIELD);
    if (op->source >= CVG_SOURCES) return verdict(CVG_E_SOURCE, MODEL_NO_FIELD);
    if (op->code == CVG_RETRACT) return verdict(CVG_OK, MODEL_NO_FIELD);
    if (op->schema != kind->schema) return verdict(CVG_E_SCHEMA, MODEL_NO_FIELD);
    return check_data(kind, op);
}
