/*
 * schema - a kind's fields: where they lie in the row data, which values are valid, who may write them.
 *
 *   definition ─▶ [SCHEMA] ─▶ apply (validation), merge (field copies), seal (field diff)
 *
 * Row data is the fields packed in ordinal order, scalars little-endian; inline string and bytes fields as
 *
 *   0      2              2+length       2+max
 *   ├──────┼──────────────┼──────────────┤
 *   │ u16  │ value        │ zero         │
 *   └──────┴──────────────┴──────────────┘
 *
 * Invariants
 *   1. Offsets are ascending and gapless; the last field ends at data_bytes.
 *   2. Bytes that passed cvgi_schema_check_* are valid values of their fields (K4): nothing later looks at them again.
 *   3. Only fields in `checked` (bool, string, bytes) are walked: for other fields the length is the whole validation.
 * Failure: a definition outside the limits (CVG_E_DEFINITION); data that is no valid row or patch, with the ordinal of
 * the field at fault.
 */
#ifndef CVGI_SCHEMA_H
#define CVGI_SCHEMA_H

#include "base.h"

#define CVGI_NO_FIELD UINT16_MAX

typedef struct cvgi_field {
    uint64_t owners; /* sources that may write the field; every source: all ones */
    uint32_t offset; /* in the row data */
    uint32_t bytes;
    uint16_t max; /* of a string's or bytes' value; else 0 */
    uint8_t type; /* cvg_type */
} cvgi_field;

typedef struct cvgi_schema {
    uint64_t all;      /* a bit for every field */
    uint64_t checked;  /* fields whose values are looked at */
    uint64_t clearing; /* fields that become zero when their last owner retracts (W5) */
    uint32_t data_bytes;
    uint16_t field_count;
    uint8_t version;
    uint64_t writable[CVG_SOURCES]; /* by source: fields that it may write (W5) */
    cvgi_field fields[CVG_FIELDS_MAX];
} cvgi_schema;

/* CVG_E_DEFINITION. */
int cvgi_schema_compile(cvgi_schema *schema, const cvg_definition *definition);

/* The values of a whole row; `field` gets the ordinal at fault. CVG_E_BOOL, CVG_E_TOO_LONG, CVG_E_UTF8, CVG_E_PADDING.
 */
int cvgi_schema_check_values(const cvgi_schema *schema, const uint8_t *data, uint16_t *field);

/* An ASSERT's data. CVG_E_LENGTH and those of cvgi_schema_check_values. */
static inline int cvgi_schema_check_row(const cvgi_schema *schema, const uint8_t *data, uint32_t bytes,
                                        uint16_t *field) {
    if (CVGI_UNLIKELY(bytes != schema->data_bytes)) return CVG_E_LENGTH;
    if (schema->checked == 0) return CVG_OK;
    return cvgi_schema_check_values(schema, data, field);
}

/* A PATCH's data, mask and ownership. CVG_E_LENGTH, CVG_E_MASK, those of cvgi_schema_check_values, CVG_E_NOT_OWNER. */
int cvgi_schema_check_patch(const cvgi_schema *schema, uint8_t source, uint64_t mask, const uint8_t *data,
                            uint32_t bytes, uint16_t *field);

/* Strict: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool cvgi_utf8_valid(const uint8_t *text, size_t bytes);

#endif
