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

/* The fields that become zero when, but for the sources in `left`, `source` was their only owner. */
static uint64_t cleared_fields(const cvgi_schema *schema, uint8_t source, uint64_t left) {
    uint64_t cleared = 0;
    for (uint64_t clearing = schema->clearing & schema->writable[source]; clearing != 0; clearing &= clearing - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(clearing);
        if ((schema->fields[ordinal].owners & left) == 0) cleared |= UINT64_C(1) << ordinal;
    }
    return cleared;
}

void cvgi_merge_retract(const cvgi_schema *schema, uint8_t *row, uint8_t source) {
    uint64_t before = cvgi_row_source_set(row);
    uint64_t left = before & ~(UINT64_C(1) << source);
    if (left == before) return;
    cvgi_row_set_source_set(row, left);
    if (left == 0) {
        memset(cvgi_row_data(row), 0, schema->fixed_bytes);
        return;
    }
    for (uint64_t cleared = cleared_fields(schema, source, left); cleared != 0; cleared &= cleared - 1) {
        const cvgi_field *field = &schema->fields[__builtin_ctzll(cleared)];
        memset(cvgi_row_data(row) + field->offset, 0, field->bytes);
    }
}

/* --------------------------------------------------------------------------------------------------- variable zone */

/* A walk over the variable fields of a row and of a write's data, in ordinal order. */
typedef struct zones {
    const uint8_t *row;                      /* NULL: all its entries are 0 */
    const uint8_t *row_zone;                 /* the row's bytes of the field at hand */
    const uint8_t *given_fixed, *given_zone; /* the same of the write's data */
} zones;

/* What field `ordinal` has afterwards: its bytes, and where they are now. Moves on to the next field. */
static inline uint32_t next_bytes(const cvgi_schema *schema, const cvgi_zone_plan *plan, zones *at, unsigned ordinal,
                                  const uint8_t **from) {
    const cvgi_field *field = &schema->fields[ordinal];
    uint32_t has = 0, given = 0, bytes = 0;
    if (at->row != NULL && field->unit != 0)
        has = cvgi_field_variable_bytes(field, cvgi_row_data_const(at->row) + field->offset);
    if (plan->given >> ordinal & 1) {
        if (field->unit != 0) given = cvgi_field_variable_bytes(field, at->given_fixed);
        at->given_fixed += field->bytes;
    }
    if (plan->replaced >> ordinal & 1) {
        bytes = given;
        *from = at->given_zone;
    } else if (!(plan->cleared >> ordinal & 1)) {
        bytes = has;
        *from = at->row_zone;
    }
    if (has != 0) at->row_zone += has;
    at->given_zone += given;
    return bytes;
}

static zones start_walk(const cvgi_schema *schema, uint32_t block_at, const uint8_t *row, const cvg_op *op,
                        const cvgi_zone_plan *plan) {
    const cvgi_block *block = row == NULL ? NULL : cvgi_row_block(row, block_at);
    zones at = {.row = row, .row_zone = block == NULL ? NULL : block->zone};
    if (plan->given == 0) return at;
    at.given_fixed = op->data;
    at.given_zone = op->data + cvgi_schema_fixed_bytes(schema, plan->given);
    return at;
}

static uint32_t planned_bytes(const cvgi_schema *schema, uint32_t block_at, const uint8_t *row, const cvg_op *op,
                              const cvgi_zone_plan *plan) {
    zones at = start_walk(schema, block_at, row, op, plan);
    const uint8_t *from;
    uint32_t bytes = 0;
    for (uint64_t left = plan->given | schema->variable; left != 0; left &= left - 1)
        bytes += next_bytes(schema, plan, &at, (unsigned)__builtin_ctzll(left), &from);
    return bytes;
}

static void plan_retract(const cvgi_schema *schema, const uint8_t *row, uint8_t source, cvgi_zone_plan *plan) {
    uint64_t before = row == NULL ? 0 : cvgi_row_source_set(row);
    uint64_t left = before & ~(UINT64_C(1) << source);
    if (left == before) return;
    plan->cleared = schema->variable & (left == 0 ? schema->all : cleared_fields(schema, source, left));
}

cvgi_zone_plan cvgi_merge_plan(const cvgi_schema *schema, uint32_t block_at, const uint8_t *row, const cvg_op *op) {
    cvgi_zone_plan plan = {0};
    const cvgi_block *block = row == NULL ? NULL : cvgi_row_block(row, block_at);
    if (op->code == CVG_RETRACT) {
        plan_retract(schema, row, op->source, &plan);
    } else {
        plan.given = op->code == CVG_ASSERT ? schema->all : op->mask;
        plan.replaced = plan.given & schema->variable & schema->writable[op->source];
    }
    plan.whole = plan.replaced == schema->variable && plan.given == schema->all;
    if (plan.whole) {
        plan.bytes = op->data_bytes - schema->fixed_bytes;
        plan.kept = plan.bytes == cvgi_block_bytes(block) &&
                    (block == NULL || memcmp(block->zone, op->data + schema->fixed_bytes, plan.bytes) == 0);
    } else if (plan.cleared == schema->variable) {
        plan.bytes = 0;
        plan.kept = block == NULL;
    } else if ((plan.replaced | plan.cleared) == 0) {
        plan.bytes = cvgi_block_bytes(block);
        plan.kept = true;
    } else {
        plan.bytes = planned_bytes(schema, block_at, row, op, &plan);
        plan.kept = plan.bytes == 0 && block == NULL;
    }
    return plan;
}

void cvgi_merge_zone(const cvgi_schema *schema, uint32_t block_at, const uint8_t *row, const cvg_op *op,
                     const cvgi_zone_plan *plan, uint8_t *zone) {
    if (plan->whole) {
        memcpy(zone, op->data + schema->fixed_bytes, plan->bytes);
        return;
    }
    zones at = start_walk(schema, block_at, row, op, plan);
    const uint8_t *from = NULL, *start = zone;
    for (uint64_t left = plan->given | schema->variable; left != 0; left &= left - 1) {
        uint32_t bytes = next_bytes(schema, plan, &at, (unsigned)__builtin_ctzll(left), &from);
        if (bytes == 0) continue;
        memcpy(zone, from, bytes);
        zone += bytes;
    }
    CVGI_ASSERT((size_t)(zone - start) == plan->bytes);
}

uint64_t cvgi_merge_changed_zone(const cvgi_schema *schema, uint32_t block_at, const uint8_t *before_row,
                                 const uint8_t *now_row, uint64_t changed) {
    const cvgi_block *before = cvgi_row_block(before_row, block_at), *now = cvgi_row_block(now_row, block_at);
    const bool same_layout = (changed & schema->variable) == 0;
    if (same_layout && before == now) return 0;  /* of the same block, or both empty */
    if (before == NULL || now == NULL) return 0; /* what differs has another entry */
    if (same_layout && memcmp(before->zone, now->zone, now->bytes) == 0) return 0;
    const uint8_t *before_at = before->zone, *now_at = now->zone;
    uint64_t more = 0;
    for (uint64_t left = schema->variable; left != 0; left &= left - 1) {
        unsigned ordinal = (unsigned)__builtin_ctzll(left);
        const cvgi_field *field = &schema->fields[ordinal];
        uint32_t had = cvgi_field_variable_bytes(field, cvgi_row_data_const(before_row) + field->offset);
        uint32_t has = cvgi_field_variable_bytes(field, cvgi_row_data_const(now_row) + field->offset);
        if (had == has && memcmp(before_at, now_at, has) != 0) more |= UINT64_C(1) << ordinal;
        before_at += had;
        now_at += has;
    }
    return more;
}

uint64_t cvgi_merge_changed(const cvgi_schema *schema, const uint8_t *before, const uint8_t *now) {
    uint64_t changed = 0;
    uint32_t bytes = schema->fixed_bytes;
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
        while (schema->ends[ordinal] <= differs) ordinal++;
        changed |= UINT64_C(1) << ordinal;
        at = schema->ends[ordinal];
    }
    return changed;
}
