#include "schema.h"

/* Bytes of a value of each scalar type, by cvg_type; 0: not a scalar. */
static const uint8_t scalar_bytes[] = {
    [CVG_U8] = 1,  [CVG_U16] = 2, [CVG_U32] = 4, [CVG_U64] = 8, [CVG_U128] = 16, [CVG_I8] = 1,
    [CVG_I16] = 2, [CVG_I32] = 4, [CVG_I64] = 8, [CVG_F32] = 4, [CVG_F64] = 8,   [CVG_BOOL] = 1,
};

/* Bytes of a value that lies inline: a scalar, string or bytes. 0: it is none, or its max is out of range. */
static uint32_t inline_bytes(uint8_t type, uint16_t max) {
    if (type == CVG_STRING || type == CVG_BYTES) return max == 0 ? 0 : 2u + max;
    if (type >= sizeof scalar_bytes || max != 0) return 0;
    return scalar_bytes[type];
}

static bool is_checked(uint8_t type) {
    return type == CVG_BOOL || type == CVG_STRING || type == CVG_BYTES;
}

/* Bytes of a struct. 0: it is none, or a member is out of range. */
static uint32_t struct_bytes(const cvg_field *field) {
    if (field->members == NULL || field->member_count < 1 || field->member_count > CVG_FIELDS_MAX) return 0;
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < field->member_count; i++) {
        uint32_t member = inline_bytes(field->members[i].type, field->members[i].max);
        if (member == 0) return 0;
        bytes += member; /* 64 members of 64 KiB: cannot wrap */
    }
    return bytes;
}

/* Bytes of an array's element. 0: the array is out of range. */
static uint32_t element_bytes(const cvg_field *field) {
    if (field->max < 1 || field->max > CVGI_ELEMENTS_MAX) return 0;
    if (field->element != CVG_STRUCT)
        return field->member_count != 0 ? 0 : inline_bytes(field->element, field->element_max);
    return field->element_max != 0 ? 0 : struct_bytes(field);
}

/* The field's bytes in the fixed zone, and its unit. False: out of the limits. */
static bool measure(const cvg_field *field, uint32_t *bytes, uint32_t *unit) {
    *unit = 0;
    *bytes = CVGI_ENTRY_BYTES;
    if (field->type == CVG_ARRAY) {
        *unit = element_bytes(field);
        return *unit != 0;
    }
    if (field->element != 0 || field->element_max != 0) return false;
    if (field->type == CVG_STRUCT) {
        *bytes = struct_bytes(field);
        return *bytes != 0 && field->max == 0;
    }
    if (field->member_count != 0) return false;
    if (field->type == CVG_VARSTRING || field->type == CVG_VARBYTES) {
        *unit = 1;
        return field->max != 0;
    }
    *bytes = inline_bytes(field->type, field->max);
    return *bytes != 0;
}

/* Adds the parts of the field that are looked at; only counts them while there is no room. */
static void add_parts(cvgi_schema *schema, cvgi_field *to, const cvg_field *field) {
    const cvg_member element = {.max = field->element_max, .type = field->element};
    const bool nested = field->member_count != 0;
    const cvg_member *members = nested ? field->members : &element;
    uint32_t count = nested ? field->member_count : field->type == CVG_ARRAY, offset = 0;
    to->part_first = (uint16_t)schema->part_count;
    for (uint32_t i = 0; i < count; i++) {
        if (is_checked(members[i].type)) {
            if (schema->parts != NULL)
                schema->parts[schema->part_count] = (cvgi_part){offset, members[i].max, members[i].type};
            schema->part_count++;
        }
        offset += inline_bytes(members[i].type, members[i].max);
    }
    to->part_count = (uint16_t)(schema->part_count - to->part_first);
}

static int compile_fields(cvgi_schema *schema, const cvg_definition *definition) {
    uint64_t fixed = 0, variable = 0;
    for (uint32_t ordinal = 0; ordinal < definition->field_count; ordinal++) {
        const cvg_field *given = &definition->fields[ordinal];
        cvgi_field *field = &schema->fields[ordinal];
        uint64_t bit = UINT64_C(1) << ordinal;
        uint32_t bytes, unit;
        if (!measure(given, &bytes, &unit) || given->on_retract > CVG_CLEAR) return CVG_E_DEFINITION;
        *field = (cvgi_field){
            .owners = given->owners == 0 ? UINT64_MAX : given->owners,
            .offset = (uint32_t)fixed, /* 64 fields of 4 MiB: cannot wrap */
            .bytes = bytes,
            .unit = unit,
            .max = given->max,
            .type = given->type,
        };
        add_parts(schema, field, given);
        fixed += bytes;
        schema->ends[ordinal] = (uint32_t)fixed;
        variable += (uint64_t)unit * given->max;
        schema->all |= bit;
        if (unit != 0) schema->variable |= bit;
        if (is_checked(given->type) || given->type == CVG_VARSTRING || field->part_count != 0) schema->checked |= bit;
        if (given->on_retract == CVG_CLEAR) schema->clearing |= bit;
        for (uint32_t source = 0; source < CVG_SOURCES; source++)
            if (field->owners >> source & 1) schema->writable[source] |= bit;
    }
    if (fixed + variable > CVG_ROW_BYTES_MAX - CVG_ROW_HEADER_BYTES) return CVG_E_DEFINITION;
    schema->fixed_bytes = (uint32_t)fixed;
    schema->variable_bytes_max = (uint32_t)variable;
    return CVG_OK;
}

int cvgi_schema_compile(cvgi_schema *schema, cvgi_memory *memory, const cvg_definition *definition) {
    if (definition->fields == NULL || definition->schema == 0) return CVG_E_DEFINITION;
    if (definition->field_count < 1 || definition->field_count > CVG_FIELDS_MAX) return CVG_E_DEFINITION;
    memset(schema, 0, sizeof *schema);
    schema->field_count = definition->field_count;
    schema->version = definition->schema;
    int status = compile_fields(schema, definition);
    if (status != CVG_OK || schema->part_count == 0) return status;
    schema->parts = cvgi_allocate(memory, schema->part_count * sizeof *schema->parts, _Alignof(cvgi_part));
    if (schema->parts == NULL) return CVG_E_MEMORY;
    schema->part_count = 0;
    for (uint32_t ordinal = 0; ordinal < definition->field_count; ordinal++)
        add_parts(schema, &schema->fields[ordinal], &definition->fields[ordinal]);
    return CVG_OK;
}

void cvgi_schema_free(cvgi_schema *schema, cvgi_memory *memory) {
    cvgi_release(memory, schema->parts, schema->part_count * sizeof *schema->parts);
    schema->parts = NULL;
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

static int check_inline(uint8_t type, uint16_t max, const uint8_t *value) {
    if (type == CVG_BOOL) return value[0] > 1 ? CVG_E_BOOL : CVG_OK;
    uint16_t length = cvgi_load16(value);
    if (length > max) return CVG_E_TOO_LONG;
    if (type == CVG_STRING && !cvgi_utf8_valid(value + 2, length)) return CVG_E_UTF8;
    return all_zero(value + 2 + length, (size_t)max - length) ? CVG_OK : CVG_E_PADDING;
}

/* A struct, or an array's element. */
static int check_parts(const cvgi_schema *schema, const cvgi_field *field, const uint8_t *value) {
    const cvgi_part *part = schema->parts + field->part_first;
    for (uint32_t i = 0; i < field->part_count; i++) {
        int status = check_inline(part[i].type, part[i].max, value + part[i].offset);
        if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    }
    return CVG_OK;
}

/* A field that is `checked` and lies in the fixed zone. */
static inline int check_value(const cvgi_schema *schema, const cvgi_field *field, const uint8_t *value) {
    if (CVGI_UNLIKELY(field->type == CVG_STRUCT)) return check_parts(schema, field, value);
    return check_inline(field->type, field->max, value);
}

/* A field that is `checked` and lies in the variable zone. */
static int check_variable(const cvgi_schema *schema, const cvgi_field *field, const uint8_t *value, uint32_t bytes) {
    if (field->type == CVG_VARSTRING) return cvgi_utf8_valid(value, bytes) ? CVG_OK : CVG_E_UTF8;
    for (const uint8_t *end = value + bytes; value != end; value += field->unit) {
        int status = check_parts(schema, field, value);
        if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    }
    return CVG_OK;
}

int cvgi_schema_check_values(const cvgi_schema *schema, const uint8_t *data, uint16_t *field) {
    for (uint64_t left = schema->checked; left != 0; left &= left - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(left);
        int status = check_value(schema, &schema->fields[ordinal], data + schema->fields[ordinal].offset);
        if (CVGI_UNLIKELY(status != CVG_OK)) {
            *field = (uint16_t)ordinal;
            return status;
        }
    }
    return CVG_OK;
}

uint32_t cvgi_schema_fixed_bytes(const cvgi_schema *schema, uint64_t mask) {
    if (mask == schema->all) return schema->fixed_bytes;
    uint32_t bytes = 0;
    for (; mask != 0; mask &= mask - 1) bytes += schema->fields[__builtin_ctzll(mask)].bytes;
    return bytes;
}

/* Whether the entries are within their max and add up to the length. `fixed` is the length of the fixed zone. */
static int check_entries(const cvgi_schema *schema, uint64_t mask, const uint8_t *data, uint32_t fixed, uint32_t bytes,
                         uint16_t *field) {
    if (bytes < fixed) return CVG_E_LENGTH;
    uint32_t expected = fixed; /* at most the largest row: every entry that is added is within its max */
    for (; mask != 0; mask &= mask - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(mask);
        const cvgi_field *at = &schema->fields[ordinal];
        if (at->unit != 0) {
            if (CVGI_UNLIKELY(cvgi_load32(data) > at->max)) {
                *field = (uint16_t)ordinal;
                return CVG_E_TOO_LONG;
            }
            expected += cvgi_field_variable_bytes(at, data);
        }
        data += at->bytes;
    }
    return bytes == expected ? CVG_OK : CVG_E_LENGTH;
}

int cvgi_schema_check_zones(const cvgi_schema *schema, uint64_t mask, const uint8_t *data, uint32_t bytes,
                            uint16_t *field) {
    uint32_t fixed = cvgi_schema_fixed_bytes(schema, mask);
    int status = check_entries(schema, mask, data, fixed, bytes, field);
    if (CVGI_UNLIKELY(status != CVG_OK) || (mask & schema->checked) == 0) return status;
    const uint8_t *variable = data + fixed;
    for (uint64_t left = mask; left != 0; left &= left - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(left);
        const cvgi_field *at = &schema->fields[ordinal];
        uint32_t length = at->unit != 0 ? cvgi_field_variable_bytes(at, data) : 0;
        if (schema->checked >> ordinal & 1) {
            status = at->unit != 0 ? check_variable(schema, at, variable, length) : check_value(schema, at, data);
            if (CVGI_UNLIKELY(status != CVG_OK)) {
                *field = (uint16_t)ordinal;
                return status;
            }
        }
        data += at->bytes;
        variable += length;
    }
    return CVG_OK;
}

static int check_fixed_patch(const cvgi_schema *schema, uint64_t mask, const uint8_t *data, uint32_t bytes,
                             uint16_t *field) {
    if (bytes != cvgi_schema_fixed_bytes(schema, mask)) return CVG_E_LENGTH;
    if ((mask & schema->checked) == 0) return CVG_OK;
    for (uint64_t left = mask; left != 0; left &= left - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(left);
        if (schema->checked >> ordinal & 1) {
            int status = check_value(schema, &schema->fields[ordinal], data);
            if (CVGI_UNLIKELY(status != CVG_OK)) {
                *field = (uint16_t)ordinal;
                return status;
            }
        }
        data += schema->fields[ordinal].bytes;
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
    int status = (mask & schema->variable) != 0 ? cvgi_schema_check_zones(schema, mask, data, bytes, field)
                                                : check_fixed_patch(schema, mask, data, bytes, field);
    if (CVGI_UNLIKELY(status != CVG_OK)) return status;
    uint64_t foreign = mask & ~schema->writable[source];
    if (CVGI_UNLIKELY(foreign != 0)) {
        *field = (uint16_t)__builtin_ctzll(foreign);
        return CVG_E_NOT_OWNER;
    }
    return CVG_OK;
}
