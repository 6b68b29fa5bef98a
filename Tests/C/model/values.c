/*
 * values.c - which writes are acceptable: K3, K4, W5.
 *
 * The first fault decides, in this order: code, kind, source, schema, mask, length, directory entries above their max,
 * values by ordinal (inside one: by element, then by member), ownership by ordinal. The whole row of an ASSERT is
 * checked, also the fields its source may not write. Not ordered: a length that is wrong together with an entry above
 * its max; text that is not UTF-8 together with padding that is not zero.
 */
#include "model.h"

uint32_t model_value_bytes(unsigned type, uint32_t max) {
    switch (type) {
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
        return 2 + max;
    default:
        return 0;
    }
}

static uint32_t struct_bytes(const cvg_field *field) {
    uint32_t bytes = 0;
    for (unsigned i = 0; i < field->member_count; i++)
        bytes += model_value_bytes(field->members[i].type, field->members[i].max);
    return bytes;
}

static bool is_variable(const cvg_field *field) {
    return field->type == CVG_VARSTRING || field->type == CVG_VARBYTES || field->type == CVG_ARRAY;
}

uint32_t model_field_bytes(const cvg_field *field) {
    if (is_variable(field)) return 4;
    return field->type == CVG_STRUCT ? struct_bytes(field) : model_value_bytes(field->type, field->max);
}

uint32_t model_element_bytes(const cvg_field *field) {
    return field->element == CVG_STRUCT ? struct_bytes(field) : model_value_bytes(field->element, field->element_max);
}

uint32_t model_unit_bytes(const cvg_field *field) {
    if (!is_variable(field)) return 0;
    return field->type == CVG_ARRAY ? model_element_bytes(field) : 1;
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

static model_verdict verdict(int status, unsigned field) {
    return (model_verdict){.status = status, .field = (uint16_t)field};
}

static model_verdict check_string(unsigned field, unsigned type, uint32_t max, const uint8_t *value) {
    uint32_t length = value[0] | (uint32_t)value[1] << 8;
    const uint8_t *text = value + 2;
    if (length > max) return verdict(CVG_E_TOO_LONG, field);
    bool padded = true, utf8 = type != CVG_STRING || model_utf8_valid(text, length);
    for (uint32_t i = length; i < max; i++) padded &= text[i] == 0;
    if (utf8) return verdict(padded ? CVG_OK : CVG_E_PADDING, field);
    model_verdict result = verdict(CVG_E_UTF8, field);
    result.also = padded ? CVG_OK : CVG_E_PADDING;
    result.also_field = (uint16_t)field;
    return result;
}

static model_verdict check_inline(unsigned field, unsigned type, uint32_t max, const uint8_t *value) {
    if (type == CVG_STRING || type == CVG_BYTES) return check_string(field, type, max, value);
    return verdict(type == CVG_BOOL && value[0] > 1 ? CVG_E_BOOL : CVG_OK, field);
}

static model_verdict check_struct(unsigned ordinal, const cvg_field *field, const uint8_t *value) {
    for (unsigned i = 0; i < field->member_count; i++) {
        const cvg_member *member = &field->members[i];
        model_verdict result = check_inline(ordinal, member->type, member->max, value);
        if (result.status != CVG_OK) return result;
        value += model_value_bytes(member->type, member->max);
    }
    return verdict(CVG_OK, ordinal);
}

static model_verdict check_array(unsigned ordinal, const cvg_field *field, const model_value *value) {
    uint32_t bytes = model_element_bytes(field);
    for (uint32_t at = 0; at < value->variable_bytes; at += bytes) {
        const uint8_t *element = value->variable + at;
        model_verdict result = field->element == CVG_STRUCT
                                   ? check_struct(ordinal, field, element)
                                   : check_inline(ordinal, field->element, field->element_max, element);
        if (result.status != CVG_OK) return result;
    }
    return verdict(CVG_OK, ordinal);
}

model_verdict model_check_value(const model_kind *kind, unsigned ordinal, const model_value *value) {
    const cvg_field *field = &kind->fields[ordinal];
    model_verdict result = verdict(CVG_OK, ordinal);
    if (field->type == CVG_VARSTRING) {
        if (!model_utf8_valid(value->variable, value->variable_bytes)) result.status = CVG_E_UTF8;
    } else if (field->type == CVG_ARRAY) {
        result = check_array(ordinal, field, value);
    } else if (field->type == CVG_STRUCT) {
        result = check_struct(ordinal, field, value->fixed);
    } else if (field->type != CVG_VARBYTES) {
        result = check_inline(ordinal, field->type, field->max, value->fixed);
    }
    result.inside = result.status != CVG_OK && (field->type == CVG_ARRAY || field->type == CVG_STRUCT);
    return result;
}

/* The first directory entry above its field's max. `data` has the fixed zone of the masked fields. */
static model_verdict check_directory(const model_kind *kind, uint64_t mask, const uint8_t *data) {
    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1)) continue;
        if (kind->units[f] > 0 && model_number(data) > kind->fields[f].max) {
            model_verdict result = verdict(CVG_E_TOO_LONG, f);
            result.directory = true;
            return result;
        }
        data += kind->sizes[f];
    }
    return verdict(CVG_OK, MODEL_NO_FIELD);
}

static model_verdict check_data(const model_kind *kind, const cvg_op *op) {
    uint64_t mask = op->code == CVG_PATCH ? op->mask : kind->all_fields;
    for (unsigned f = 0; f < 64; f++)
        if ((mask & ~kind->all_fields) >> f & 1) return verdict(CVG_E_MASK, f);

    model_value values[CVG_FIELDS_MAX];
    bool exact = model_split(kind, mask, op->data, op->data_bytes, values);
    model_verdict too_long = verdict(CVG_OK, MODEL_NO_FIELD);
    if (op->data_bytes >= model_fixed_bytes(kind, mask)) too_long = check_directory(kind, mask, op->data);
    if (!exact) {
        model_verdict result = verdict(CVG_E_LENGTH, MODEL_NO_FIELD);
        result.also = too_long.status;
        result.also_field = too_long.field;
        result.directory = too_long.directory;
        return result;
    }
    if (too_long.status != CVG_OK) return too_long;

    for (unsigned f = 0; f < kind->field_count; f++) {
        if (!(mask >> f & 1)) continue;
        model_verdict result = model_check_value(kind, f, &values[f]);
        if (result.status != CVG_OK) return result;
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
