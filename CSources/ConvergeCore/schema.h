/*
 * schema - a kind's fields: where they lie in the row data, which values are valid, who may write them.
 *
 *   definition ─▶ [SCHEMA] ─▶ apply (validation), merge (field copies), seal (field diff)
 *
 * Row data is two zones. In the fixed one the fields are packed in ordinal order; a variable field has its entry there,
 * and its bytes in the variable zone: entry times unit of them, right behind those of the variable field before it.
 *
 *   fixed zone                                          variable zone
 *   ├ scalar ┼ entry u32 ┼ struct ┼ entry u32 ┼ ... ┤   ├ bytes of the first ┼ elements of the second ┼ ... ┤
 *                 length (unit 1)      elements (unit: bytes of one)
 *
 * Scalars are little-endian. A struct is its members, packed. Inline string and bytes values are
 *
 *   0      2              2+length       2+max
 *   ├──────┼──────────────┼──────────────┤
 *   │ u16  │ value        │ zero         │
 *   └──────┴──────────────┴──────────────┘
 *
 * Invariants
 *   1. Offsets are ascending and gapless; the last field ends at fixed_bytes.
 *   2. Bytes that passed cvgi_schema_check_* are valid values of their fields (K4): nothing later looks at them again.
 *      Their entries are within max, so that entry * unit and all sums of it stay below CVG_ROW_BYTES_MAX.
 *   3. Only fields in `checked` are walked: for the others the length, or the entry, is the whole validation. Of
 * structs only the members that need it are kept. Failure: a definition outside the limits (CVG_E_DEFINITION); no
 * memory for its members; data that is no valid row or patch, with the ordinal of the field at fault.
 */
#ifndef CVGI_SCHEMA_H
#define CVGI_SCHEMA_H

#include "base.h"

#define CVGI_NO_FIELD UINT16_MAX
#define CVGI_ELEMENTS_MAX 1024 /* of an array (K5) */
#define CVGI_ENTRY_BYTES 4     /* a variable field in the fixed zone */

/* A bool, string or bytes value inside of a struct or of an array's element. */
typedef struct cvgi_part {
    uint32_t offset; /* in the struct or element */
    uint16_t max;
    uint8_t type; /* cvg_type */
} cvgi_part;

typedef struct cvgi_field {
    uint64_t owners;     /* sources that may write the field; every source: all ones */
    uint32_t offset;     /* in the fixed zone */
    uint32_t bytes;      /* there */
    uint32_t unit;       /* of a variable field: bytes that its entry counts; else 0 */
    uint16_t max;        /* of a string's or bytes' value, or of the entry; else 0 */
    uint16_t part_first; /* in the schema's parts */
    uint16_t part_count;
    uint8_t type; /* cvg_type */
} cvgi_field;

typedef struct cvgi_schema {
    uint64_t all;      /* a bit for every field */
    uint64_t checked;  /* fields whose values are looked at */
    uint64_t clearing; /* fields that become zero when their last owner retracts (W5) */
    uint64_t variable; /* fields with bytes in the variable zone */
    cvgi_part *parts;  /* of all fields; NULL: none */
    uint32_t part_count;
    uint32_t fixed_bytes;
    uint32_t variable_bytes_max;
    uint16_t field_count;
    uint8_t version;
    uint64_t writable[CVG_SOURCES]; /* by source: fields that it may write (W5) */
    uint32_t ends[CVG_FIELDS_MAX];  /* of the fields in the fixed zone */
    cvgi_field fields[CVG_FIELDS_MAX];
} cvgi_schema;

/* CVG_E_DEFINITION, CVG_E_MEMORY: nothing to free. */
int cvgi_schema_compile(cvgi_schema *schema, cvgi_memory *memory, const cvg_definition *definition);
void cvgi_schema_free(cvgi_schema *schema, cvgi_memory *memory);

/* The values of a whole row without variable fields; `field` gets the ordinal at fault. CVG_E_BOOL, CVG_E_TOO_LONG,
 * CVG_E_UTF8, CVG_E_PADDING. */
int cvgi_schema_check_values(const cvgi_schema *schema, const uint8_t *data, uint16_t *field);

/* Both zones of the masked fields: first every entry and the length, then the values. CVG_E_LENGTH and those of
 * cvgi_schema_check_values. */
int cvgi_schema_check_zones(const cvgi_schema *schema, uint64_t mask, const uint8_t *data, uint32_t bytes,
                            uint16_t *field);

/* An ASSERT's data. CVG_E_LENGTH and those of cvgi_schema_check_values. */
static inline int cvgi_schema_check_row(const cvgi_schema *schema, const uint8_t *data, uint32_t bytes,
                                        uint16_t *field) {
    if (CVGI_UNLIKELY(schema->variable != 0)) return cvgi_schema_check_zones(schema, schema->all, data, bytes, field);
    if (CVGI_UNLIKELY(bytes != schema->fixed_bytes)) return CVG_E_LENGTH;
    if (schema->checked == 0) return CVG_OK;
    return cvgi_schema_check_values(schema, data, field);
}

/* A PATCH's data, mask and ownership. CVG_E_LENGTH, CVG_E_MASK, those of cvgi_schema_check_values, CVG_E_NOT_OWNER. */
int cvgi_schema_check_patch(const cvgi_schema *schema, uint8_t source, uint64_t mask, const uint8_t *data,
                            uint32_t bytes, uint16_t *field);

/* Length of the fixed zone of the masked fields. */
uint32_t cvgi_schema_fixed_bytes(const cvgi_schema *schema, uint64_t mask);

/* Bytes of the variable zone that an entry stands for. */
static inline uint32_t cvgi_field_variable_bytes(const cvgi_field *field, const uint8_t *entry) {
    return cvgi_load32(entry) * field->unit;
}

/* Strict: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool cvgi_utf8_valid(const uint8_t *text, size_t bytes);

#endif
