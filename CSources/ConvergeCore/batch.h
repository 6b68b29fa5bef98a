/*
 * batch - the value that crosses from the half that decides to the half that acts: what one flush changed.
 *
 * One section a kind. `now` points at the sealed row image (row.h), `before` at the row in the table, which still holds
 * the old state until install. Both, and the blocks that they name, end with cvg_install.
 */
#ifndef CVGI_BATCH_H
#define CVGI_BATCH_H

#include "row.h"

typedef struct cvgi_change {
    const uint8_t *now;    /* image after the flush: source set, version, flags and data are final */
    const uint8_t *before; /* image in the table before it; flags 0 when the entity was never installed */
    uint64_t changed;      /* as in cvg_change */
    uint32_t row;          /* row number in the table */
    uint8_t what;          /* cvg_what */
    uint8_t reason;        /* cvg_reason */
    uint16_t reserved;
} cvgi_change;

typedef struct cvgi_section {
    cvgi_change *changes;
    size_t count;
    uint64_t all_fields; /* a bit for every field of the kind: what Created says has changed */
    uint32_t fixed_bytes;
    uint32_t block_at; /* of the kind's images (row.h) */
    uint16_t kind;
    uint8_t schema; /* the kind's current schema version */
} cvgi_section;

struct cvg_batch {
    uint64_t sequence;
    cvgi_section *sections; /* kinds that were written to, in the order of their first write */
    size_t section_count;
    size_t section_capacity;
    uint32_t *section_of_kind; /* by kind number, + 1; 0: none */
    size_t kind_limit;
    cvgi_change *changes; /* storage of all sections */
    size_t change_capacity;
    bool sealed; /* between cvg_seal and the end of cvg_install */
};

static inline const cvgi_section *cvgi_batch_section(const cvg_batch *batch, uint16_t kind) {
    if (kind >= batch->kind_limit || batch->section_of_kind[kind] == 0) return NULL;
    return &batch->sections[batch->section_of_kind[kind] - 1];
}

#endif
