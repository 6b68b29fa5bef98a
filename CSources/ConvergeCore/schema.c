#include "schema.h"

/* Bytes of a value of each scalar type, by cvg_type; 0: not a scalar. */
static const uint8_t scalar_bytes[] = {
    [CVG_U8] = 1,  [CVG_U16] = 2, [CVG_U32] = 4, [CVG_U64] = 8, [CVG_U128] = 16, [CVG_I8] = 1,
    [CVG_I16] = 2, [CVG_I32] = 4, [CVG_I64] = 8, [CVG_F32] = 4, [CVG_F64] = 8,   [CVG_BOOL] = 1,
};

static uint32_t field_bytes(const cvg_field *field) {
    switch (field->type) {
    case CVG_STRING:
    case CVG_BYTES:
        return field->max == 0 ? 0 : 2u + field->max;
    default:
        if (field->type >= sizeof scalar_bytes || field->max != 0) return 0;
        return scalar_bytes[field->type];
    }
}

int cvgi_schema_compile(cvgi_schema *schema, const cvg_definition *definition) {
    if (definition->fields == NULL || definition->schema == 0) return CVG_E_DEFINITION;
    if (definition->field_count < 1 || definition->field_count > CVG_FIELDS_MAX) return CVG_E_DEFINITION;
    memset(schema, 0, sizeof *schema);
    schema->field_count = definition->field_count;
    schema->version = definition->schema;
    for (uint32_t ordinal = 0; ordinal < definition->field_count; ordinal++) {
        const cvg_field *given = &definition->fields[ordinal];
        uint64_t bit = UINT64_C(1) << ordinal;
        uint32_t bytes = field_bytes(given);
        if (bytes == 0 || given->on_retract > CVG_CLEAR) return CVG_E_DEFINITION;
        schema->fields[ordinal] = (cvgi_field){
            .owners = given->owners == 0 ? UINT64_MAX : given->owners,
            .offset = schema->data_bytes,
            .bytes = bytes,
            .max = given->max,
            .type = given->type,
        };
        schema->data_bytes += bytes; /* 64 fields of 64 KiB: cannot wrap */
        schema->all |= bit;
        if (given->type >= CVG_BOOL) schema->checked |= bit;
        if (given->on_retract == CVG_CLEAR) schema->clearing |= bit;
        for (uint32_t source = 0; source < CVG_SOURCES; source++)
            if (schema->fields[ordinal].owners >> source & 1) schema->writable[source] |= bit;
    }
    if (schema->data_bytes > CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES) return CVG_E_DEFINITION;
    return CVG_OK;
}

static bool continues(uint8_t byte) {
    return (byte & 0xC0) == 0x80;
}

bool cvgi_utf8_valid(const uint8_t *text, size_t bytes) {
    const uint8_t *end = text + bytes;
    while (text < end) {
        if (end - text >= 8 && (cvgi_load64(text) & UINT64_C(0x8080808080808080)) == 0) {
            text += 8;
            continue;
        }
        uint8_t lead = text[0];
        size_t left = (size_t)(end - text);
        if (lead < 0x80) {
            text += 1;
        } else if (lead < 0xC2) {
            return false; /* a continuation byte, or an overlong form of ASCII */
        } else if (lead < 0xE0) {
            if (left < 2 || !continues(text[1])) return false;
            text += 2;
        } else if (lead < 0xF0) {
            if (left < 3 || !continues(text[1]) || !continues(text[2])) return false;
            if (lead == 0xE0 && text[1] < 0xA0) return false; /* overlong */
            if (lead == 0xED && text[1] > 0x9F) return false; /* surrogate */
            text += 3;
        } else {
            if (lead > 0xF4 || left < 4) return false;
            if (!continues(text[1]) || !continues(text[2]) || !continues(text[3])) return false;
            if (lead == 0xF0 && text[1] < 0x90) return false; /* overlong */
            if (lead == 0xF4 && text[1] > 0x8F) return false; /* above U+10FFFF */
            text += 4;
        }
    }
    return true;
}

static bool all_zero(const uint8_t *from, size_t bytes) {
    for (; bytes >= 8; from += 8, bytes -= 8)
        if (cvgi_load64(from) != 0) return false;
    for (; bytes > 0; from++, bytes--)
        if (*from != 0) return false;
    return true;
}

static int check_value(const cvgi_field *field, const uint8_t *value) {
    if (field->type == CVG_BOOL) return value[0] > 1 ? CVG_E_BOOL : CVG_OK;
    uint16_t length = cvgi_load16(value);
    if (length > field->max) return CVG_E_TOO_LONG;
    if (field->type == CVG_STRING && !cvgi_utf8_valid(value + 2, length)) return CVG_E_UTF8;
    return all_zero(value + 2 + length, (size_t)field->max - length) ? CVG_OK : CVG_E_PADDING;
}

int cvgi_schema_check_values(const cvgi_schema *schema, const uint8_t *data, uint16_t *field) {
    for (uint64_t left = schema->checked; left != 0; left &= left - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(left);
        int status = check_value(&schema->fields[ordinal], data + schema->fields[ordinal].offset);
        if (CVGI_UNLIKELY(status != CVG_OK)) {
            *field = (uint16_t)ordinal;
            return status;
        }
    }
    return CVG_OK;
}

int cvgi_schema_check_patch(const cvgi_schema *schema, uint8_t source, uint64_t mask, const uint8_t *data,
                            uint32_t bytes, uint16_t *field) {
    uint64_t unknown = mask & ~schema->all;
    if (CVGI_UNLIKELY(unknown != 0)) {
        *field = (uint16_t)__builtin_ctzll(unknown);
        return CVG_E_MASK;
    }
    uint32_t expected = 0;
    for (uint64_t left = mask; left != 0; left &= left - 1) expected += schema->fields[__builtin_ctzll(left)].bytes;
    if (bytes != expected) return CVG_E_LENGTH;
    if ((mask & schema->checked) != 0) {
        const uint8_t *value = data;
        for (uint64_t left = mask; left != 0; left &= left - 1) {
            unsigned ordinal = (unsigned)__builtin_ctzll(left);
            if (schema->checked >> ordinal & 1) {
                int status = check_value(&schema->fields[ordinal], value);
                if (CVGI_UNLIKELY(status != CVG_OK)) {
                    *field = (uint16_t)ordinal;
                    return status;
                }
            }
            value += schema->fields[ordinal].bytes;
        }
    }
    uint64_t foreign = mask & ~schema->writable[source];
    if (CVGI_UNLIKELY(foreign != 0)) {
        *field = (uint16_t)__builtin_ctzll(foreign);
        return CVG_E_NOT_OWNER;
    }
    return CVG_OK;
}
