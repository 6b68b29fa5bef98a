#include "encode.h"

#include "frame.h"

enum { STATE_CREATED = 1, STATE_UPDATED = 2, STATE_SNAPSHOT = 3 };
enum { FLAG_PREVIOUS = 1 };
enum {
    STATE_BYTES = 84,
    DELETED_BYTES = 60,
    FIXED_BYTES = 4,
    PREVIOUS_BYTES = 4,
    RESULT_BYTES = CVGI_FRAME_HEADER_BYTES + 28
};
enum { AHEAD = 8 }; /* changes between a prefetch and its use */

/* ----------------------------------------------------------------------------------------------------------- forms */

static void form(cvgi_form *form, const cvgi_frame_kind *kind, cvg_class klass, uint16_t opcode, uint8_t what,
                 bool previous) {
    uint64_t bytes = opcode == CVGI_OPCODE_STATE ? STATE_BYTES + (uint64_t)kind->fixed_bytes : DELETED_BYTES;
    if (previous) bytes += PREVIOUS_BYTES + kind->fixed_bytes;
    if (previous && opcode == CVGI_OPCODE_DELETED) bytes += FIXED_BYTES;
    form->frame_bytes = (uint32_t)bytes;
    cvgi_frame_header(form->head, 0, opcode, form->frame_bytes - CVGI_FRAME_HEADER_BYTES);
    cvgi_store16(form->head + 12, kind->kind);
    cvgi_store16(form->head + 14, klass.number);
    form->head[16] = what;
    form->head[17] = previous ? FLAG_PREVIOUS : 0;
    form->head[18] = kind->schema;
    form->head[19] = 0;
}

void cvgi_forms_init(cvgi_forms *forms, const cvgi_frame_kind *kind, cvg_class klass) {
    CVGI_ASSERT(kind->fixed_bytes <= CVG_ROW_BYTES_MAX);
    form(&forms->created, kind, klass, CVGI_OPCODE_STATE, STATE_CREATED, false);
    form(&forms->updated, kind, klass, CVGI_OPCODE_STATE, STATE_UPDATED, false);
    form(&forms->updated_previous, kind, klass, CVGI_OPCODE_STATE, STATE_UPDATED, true);
    form(&forms->deleted, kind, klass, CVGI_OPCODE_DELETED, CVG_REASON_RETRACT, false);
    form(&forms->deleted_previous, kind, klass, CVGI_OPCODE_DELETED, CVG_REASON_RETRACT, true);
    form(&forms->snapshot, kind, klass, CVGI_OPCODE_STATE, STATE_SNAPSHOT, false);
    form(&forms->gone, kind, klass, CVGI_OPCODE_DELETED, CVG_REASON_CATCH_UP, false);
    forms->all_fields = kind->all_fields;
    forms->fixed_bytes = kind->fixed_bytes;
    forms->block_at = kind->block_at;
    forms->previous = klass.flags & CVG_CLASS_PREVIOUS;
}

/* --------------------------------------------------------------------------------------------------- frame writers */

/* Both zones. */
static inline void copy_zones(uint8_t *to, const uint8_t *row, uint32_t fixed_bytes, const cvgi_block *block) {
    cvgi_copy(to, cvgi_row_data_const(row), fixed_bytes);
    if (block != NULL) memcpy(to + fixed_bytes, block->zone, block->bytes);
}

static inline void put_previous(uint8_t *to, const uint8_t *before, uint32_t fixed_bytes, const cvgi_block *block) {
    cvgi_store32(to, fixed_bytes + cvgi_block_bytes(block));
    copy_zones(to + PREVIOUS_BYTES, before, fixed_bytes, block);
}

static inline void put_state(uint8_t *to, const cvgi_form *form, const uint8_t *row, uint64_t changed,
                             uint32_t fixed_bytes, const cvgi_block *block) {
    memcpy(to, form->head, CVGI_FORM_BYTES);
    memcpy(to + 20, cvgi_row_id(row), CVG_ID_BYTES);
    cvgi_store64(to + 52, cvgi_row_version(row));
    cvgi_store64(to + 60, cvgi_row_source_set(row));
    cvgi_store64(to + 68, changed);
    cvgi_store32(to + 76, fixed_bytes);
    cvgi_store32(to + 80, fixed_bytes + cvgi_block_bytes(block));
    copy_zones(to + STATE_BYTES, row, fixed_bytes, block);
}

/* A DELETED has no data whose fixed zone would say how the one before is split. */
static inline void put_deleted_previous(uint8_t *to, const uint8_t *before, uint32_t fixed_bytes,
                                        const cvgi_block *block) {
    cvgi_store32(to + DELETED_BYTES, fixed_bytes);
    put_previous(to + DELETED_BYTES + FIXED_BYTES, before, fixed_bytes, block);
}

/* The header again, when the frame is longer than its form says. */
static inline void put_length(uint8_t *to, uint16_t opcode, size_t bytes) {
    cvgi_frame_header(to, 0, opcode, (uint32_t)bytes - CVGI_FRAME_HEADER_BYTES);
}

static inline void put_deleted(uint8_t *to, const cvgi_form *form, const uint8_t *row, uint8_t reason) {
    memcpy(to, form->head, CVGI_FORM_BYTES);
    to[16] = reason;
    memcpy(to + 20, cvgi_row_id(row), CVG_ID_BYTES);
    cvgi_store64(to + 52, cvgi_row_version(row));
}

/* --------------------------------------------------------------------------------------------------------- encoder */

/* A run under way and two more slices: what one frame can add at most. */
enum { SLICES_AHEAD = 3 };

static bool reserve_slices(cvgi_encoder *encoder) {
    return cvgi_grow(encoder->memory, (void **)&encoder->slices, &encoder->slice_capacity,
                     encoder->slice_count + SLICES_AHEAD, sizeof *encoder->slices);
}

int cvgi_encoder_init(cvgi_encoder *encoder, cvgi_memory *memory) {
    *encoder = (cvgi_encoder){.memory = memory};
    if (!reserve_slices(encoder)) return CVG_E_MEMORY;
    encoder->pool = cvgi_segment_pool_create(memory);
    if (encoder->pool) return CVG_OK;
    cvgi_release(memory, encoder->slices, encoder->slice_capacity * sizeof *encoder->slices);
    *encoder = (cvgi_encoder){0};
    return CVG_E_MEMORY;
}

static void drop_slices(cvgi_encoder *encoder) {
    for (size_t i = 0; i < encoder->slice_count; i++) cvg_segment_release(encoder->slices[i].segment);
    encoder->slice_count = 0;
}

void cvgi_encoder_free(cvgi_encoder *encoder) {
    if (!encoder->pool) return;
    drop_slices(encoder);
    if (encoder->open) cvg_segment_release(encoder->open);
    cvgi_release(encoder->memory, encoder->slices, encoder->slice_capacity * sizeof *encoder->slices);
    cvgi_segment_pool_release(encoder->pool);
    *encoder = (cvgi_encoder){0};
}

uint64_t cvgi_encoder_segment_bytes(const cvgi_encoder *encoder) {
    return cvgi_segment_pool_bytes(encoder->pool);
}

static void add_slice(cvgi_encoder *encoder, cvg_segment *segment, uint32_t offset, uint32_t bytes, uint32_t frames) {
    CVGI_ASSERT(encoder->slice_count < encoder->slice_capacity);
    encoder->slices[encoder->slice_count++] = (cvg_slice){segment, offset, bytes, frames};
}

/* Frames written since the last slice become one. */
static void end_run(cvgi_encoder *encoder) {
    if (encoder->frames == 0) return;
    cvg_segment *open = encoder->open;
    const uint32_t used = (uint32_t)(encoder->to - open->bytes);
    cvg_segment_retain(open);
    add_slice(encoder, open, open->used, used - open->used, encoder->frames);
    open->used = used;
    encoder->frames = 0;
}

/* Points the encoder at the free bytes of its open segment, where an answer or a run begins. */
static void aim(cvgi_encoder *encoder) {
    cvg_segment *open = encoder->open;
    encoder->from = open ? open->used : 0;
    encoder->to = open ? open->bytes + open->used : NULL;
    encoder->end = open ? open->bytes + open->capacity : NULL;
    encoder->frames = 0;
}

void cvgi_encoder_begin(cvgi_encoder *encoder) {
    end_run(encoder);
    drop_slices(encoder);
    if (encoder->open && cvgi_segment_is_unshared(encoder->open)) encoder->open->used = 0;
    aim(encoder);
}

void cvgi_encoder_abort(cvgi_encoder *encoder) {
    drop_slices(encoder);
    if (encoder->open) encoder->open->used = encoder->from;
    aim(encoder);
}

cvg_slices cvgi_encoder_slices(cvgi_encoder *encoder) {
    end_run(encoder);
    return (cvg_slices){encoder->slices, encoder->slice_count};
}

static uint8_t *take_slowly(cvgi_encoder *encoder, size_t bytes) {
    if (!reserve_slices(encoder)) return NULL;
    const bool alone = bytes > CVGI_SEGMENT_ROOM;
    cvg_segment *segment = cvgi_segment_create(encoder->pool, alone ? bytes : CVGI_SEGMENT_ROOM);
    if (!segment) return NULL;
    end_run(encoder);
    if (alone) {
        segment->used = (uint32_t)bytes;
        add_slice(encoder, segment, 0, segment->used, 1);
        return segment->bytes;
    }
    if (encoder->open) cvg_segment_release(encoder->open);
    encoder->open = segment;
    aim(encoder);
    encoder->to += bytes;
    encoder->frames = 1;
    return segment->bytes;
}

/* Room for one frame, to be filled whole. NULL: out of memory. */
static inline uint8_t *take(cvgi_encoder *encoder, size_t bytes) {
    if (CVGI_UNLIKELY(bytes > (size_t)(encoder->end - encoder->to))) return take_slowly(encoder, bytes);
    uint8_t *frame = encoder->to;
    encoder->to += bytes;
    encoder->frames++;
    return frame;
}

/* ------------------------------------------------------------------------------------------------------ the answers */

static inline void prefetch_change(const cvgi_change *change, const cvgi_forms *forms) {
    const size_t bytes = CVGI_ROW_DATA_AT + (size_t)forms->fixed_bytes;
    for (size_t at = 0; at < bytes && at < 256; at += 64) {
        __builtin_prefetch(change->now + at);
        if (forms->previous) __builtin_prefetch(change->before + at);
    }
}

/* The blocks of a change whose images were prefetched before. */
static inline void prefetch_blocks(const cvgi_change *change, const cvgi_forms *forms) {
    const cvgi_block *now = cvgi_row_block(change->now, forms->block_at);
    for (size_t at = 0; now != NULL && at < 256; at += 64) __builtin_prefetch((const uint8_t *)now + at);
    if (forms->previous) __builtin_prefetch(cvgi_row_block(change->before, forms->block_at));
}

static inline bool has_previous(const cvgi_forms *forms, const cvgi_change *change) {
    return forms->previous && cvgi_row_flags(change->before) == CVGI_ROW_LIVE;
}

/* A change of a kind whose frames are as long as their form says. */
static inline bool encode_fixed(cvgi_encoder *encoder, const cvgi_forms *forms, const cvgi_change *change) {
    const bool previous = has_previous(forms, change);
    const uint32_t bytes = forms->fixed_bytes;
    const cvgi_form *form;
    uint8_t *to;
    switch (change->what) {
    case CVG_CREATED:
        if (!(to = take(encoder, forms->created.frame_bytes))) return false;
        put_state(to, &forms->created, change->now, forms->all_fields, bytes, NULL);
        return true;
    case CVG_UPDATED:
        form = previous ? &forms->updated_previous : &forms->updated;
        if (!(to = take(encoder, form->frame_bytes))) return false;
        put_state(to, form, change->now, change->changed, bytes, NULL);
        if (previous) put_previous(to + STATE_BYTES + bytes, change->before, bytes, NULL);
        return true;
    case CVG_DELETED:
        form = previous ? &forms->deleted_previous : &forms->deleted;
        if (!(to = take(encoder, form->frame_bytes))) return false;
        put_deleted(to, form, change->now, change->reason);
        if (previous) put_deleted_previous(to, change->before, bytes, NULL);
        return true;
    default:
        CVGI_ASSERT(change->what == CVG_SOURCE_CHANGE);
        return true;
    }
}

/* A STATE of a kind with variable fields; `before` NULL: without previous. Its bytes; 0: out of memory. */
static size_t encode_state(cvgi_encoder *encoder, const cvgi_forms *forms, const cvgi_form *form, const uint8_t *row,
                           uint64_t changed, const uint8_t *before) {
    const cvgi_block *now = cvgi_row_block(row, forms->block_at);
    const cvgi_block *old = before == NULL ? NULL : cvgi_row_block(before, forms->block_at);
    const size_t bytes = (size_t)form->frame_bytes + cvgi_block_bytes(now) + cvgi_block_bytes(old);
    uint8_t *to = take(encoder, bytes);
    if (!to) return 0;
    put_state(to, form, row, changed, forms->fixed_bytes, now);
    put_length(to, CVGI_OPCODE_STATE, bytes);
    if (before != NULL)
        put_previous(to + STATE_BYTES + forms->fixed_bytes + cvgi_block_bytes(now), before, forms->fixed_bytes, old);
    return bytes;
}

/* The same for DELETED. */
static size_t encode_deleted(cvgi_encoder *encoder, const cvgi_forms *forms, const cvgi_form *form, const uint8_t *row,
                             uint8_t reason, const uint8_t *before) {
    const cvgi_block *old = before == NULL ? NULL : cvgi_row_block(before, forms->block_at);
    const size_t bytes = (size_t)form->frame_bytes + cvgi_block_bytes(old);
    uint8_t *to = take(encoder, bytes);
    if (!to) return 0;
    put_deleted(to, form, row, reason);
    put_length(to, CVGI_OPCODE_DELETED, bytes);
    if (before != NULL) put_deleted_previous(to, before, forms->fixed_bytes, old);
    return bytes;
}

static bool encode_variable(cvgi_encoder *encoder, const cvgi_forms *forms, const cvgi_change *change) {
    const uint8_t *before = has_previous(forms, change) ? change->before : NULL;
    const cvgi_form *form;
    switch (change->what) {
    case CVG_CREATED:
        return encode_state(encoder, forms, &forms->created, change->now, forms->all_fields, NULL) != 0;
    case CVG_UPDATED:
        form = before != NULL ? &forms->updated_previous : &forms->updated;
        return encode_state(encoder, forms, form, change->now, change->changed, before) != 0;
    case CVG_DELETED:
        form = before != NULL ? &forms->deleted_previous : &forms->deleted;
        return encode_deleted(encoder, forms, form, change->now, change->reason, before) != 0;
    default:
        CVGI_ASSERT(change->what == CVG_SOURCE_CHANGE);
        return true;
    }
}

CVGI_INLINE bool encode_changes(cvgi_encoder *encoder, const cvgi_forms *forms, const cvgi_section *section,
                                bool zones) {
    const cvgi_change *changes = section->changes;
    for (size_t i = 0; i < section->count; i++) {
        if (i + AHEAD < section->count) prefetch_change(&changes[i + AHEAD], forms);
        if (zones && i + AHEAD / 2 < section->count) prefetch_blocks(&changes[i + AHEAD / 2], forms);
        const bool encoded =
            zones ? encode_variable(encoder, forms, &changes[i]) : encode_fixed(encoder, forms, &changes[i]);
        if (CVGI_UNLIKELY(!encoded)) return false;
    }
    return true;
}

int cvgi_encode_section(cvgi_encoder *encoder, const cvgi_section *section, cvg_class klass) {
    const cvgi_frame_kind kind = {section->all_fields, section->fixed_bytes, section->block_at, section->kind,
                                  section->schema};
    cvgi_forms forms;
    cvgi_forms_init(&forms, &kind, klass);
    cvgi_encoder_begin(encoder);
    const bool encoded = CVGI_LIKELY(forms.block_at == 0) ? encode_changes(encoder, &forms, section, false)
                                                          : encode_changes(encoder, &forms, section, true);
    if (CVGI_LIKELY(encoded)) return CVG_OK;
    cvgi_encoder_abort(encoder);
    return CVG_E_MEMORY;
}

size_t cvgi_encode_row(cvgi_encoder *encoder, const cvgi_forms *forms, const uint8_t *row) {
    if (cvgi_row_flags(row) == CVGI_ROW_LIVE) {
        if (forms->block_at != 0) return encode_state(encoder, forms, &forms->snapshot, row, forms->all_fields, NULL);
        uint8_t *to = take(encoder, forms->snapshot.frame_bytes);
        if (!to) return 0;
        put_state(to, &forms->snapshot, row, forms->all_fields, forms->fixed_bytes, NULL);
        return forms->snapshot.frame_bytes;
    }
    uint8_t *to = take(encoder, forms->gone.frame_bytes);
    if (!to) return 0;
    put_deleted(to, &forms->gone, row, CVG_REASON_CATCH_UP);
    return forms->gone.frame_bytes;
}

size_t cvgi_result_bytes_max(uint32_t data_bytes) {
    return RESULT_BYTES + (size_t)data_bytes;
}

int cvgi_encode_result(const cvgi_frame_kind *kind, const uint8_t *row, uint16_t stream, uint8_t *buffer,
                       size_t capacity, size_t *bytes) {
    const uint8_t flags = row ? cvgi_row_flags(row) : 0;
    const uint8_t status = flags == CVGI_ROW_LIVE        ? CVG_ALIVE
                           : flags == CVGI_ROW_TOMBSTONE ? CVG_TOMBSTONE
                                                         : CVG_NOT_FOUND;
    const uint32_t fixed_bytes = status == CVG_ALIVE ? kind->fixed_bytes : 0;
    const cvgi_block *block = status == CVG_ALIVE ? cvgi_row_block(row, kind->block_at) : NULL;
    const uint32_t data_bytes = fixed_bytes + cvgi_block_bytes(block);
    const size_t needed = RESULT_BYTES + (size_t)data_bytes;
    if (capacity < needed) return CVG_E_SPACE;
    cvgi_frame_header(buffer, stream, CVGI_OPCODE_QUERY_RESULT, (uint32_t)needed - CVGI_FRAME_HEADER_BYTES);
    buffer[12] = status;
    buffer[13] = kind->schema;
    cvgi_store16(buffer + 14, 0);
    cvgi_store64(buffer + 16, status == CVG_NOT_FOUND ? 0 : cvgi_row_version(row));
    cvgi_store64(buffer + 24, status == CVG_ALIVE ? cvgi_row_source_set(row) : 0);
    cvgi_store32(buffer + 32, fixed_bytes);
    cvgi_store32(buffer + 36, data_bytes);
    if (data_bytes) copy_zones(buffer + RESULT_BYTES, row, fixed_bytes, block);
    *bytes = needed;
    return CVG_OK;
}
