/*
 * queries.c - what the engines answer beside what the model knows: rows, frames, groups of frames, unknown kinds.
 */
#include "frames.h"
#include "grow.h"
#include "run.h"

/* The same query a few times in a group: the same frame as often. */
static void compare_query_group(const run *r, const part *part, const model_kind *kind, const uint8_t id[CVG_ID_BYTES],
                                uint16_t stream, const uint8_t *frame, size_t bytes) {
    enum { TIMES = 3 };
    const cvg_lookup one = {.id = id, .kind = kind->number, .stream = stream}, lookups[TIMES] = {one, one, one};
    uint8_t *frames = model_zeroed(TIMES * bytes);
    cvg_answered answered;
    int status = cvg_encode_queries(part->engine, lookups, TIMES, frames, TIMES * bytes, &answered);
    EQUAL(r, "query group: status", id, CVG_OK, (uint64_t)status);
    EQUAL(r, "query group: answered", id, TIMES, answered.count);
    EQUAL(r, "query group: bytes", id, TIMES * bytes, answered.bytes);
    for (int i = 0; i < TIMES; i++)
        REQUIRE(r, memcmp(frames + (size_t)i * bytes, frame, bytes) == 0, "query group: frame %d differs; id %s", i,
                id_text(id));
    free(frames);
}

static void compare_query_frame(run *r, const part *part, const model_kind *kind, const uint8_t *id,
                                const model_state *state) {
    size_t room = cvg_query_frame_bytes_max(part->engine, kind->number), bytes = 0;
    uint8_t *buffer = model_zeroed(room);
    uint16_t stream = (uint16_t)rng_next(&r->world.random);
    int status = cvg_encode_query(part->engine, kind->number, id, stream, buffer, room, &bytes);
    EQUAL(r, "query frame: status", id, CVG_OK, (uint64_t)status);
    frame f;
    const char *wrong = frame_read(buffer, bytes, &f);
    REQUIRE(r, wrong == NULL, "query frame: %s; id %s", wrong, id_text(id));
    EQUAL(r, "query frame: bytes", id, bytes, f.bytes);
    EQUAL(r, "query frame: opcode", id, FRAME_QUERY_RESULT, f.opcode);
    EQUAL(r, "query frame: stream", id, stream, f.stream);
    EQUAL(r, "query frame: status byte", id, state->presence, f.type);
    EQUAL(r, "query frame: version", id, state->version, f.version);
    EQUAL(r, "query frame: source set", id, state->source_set, f.source_set);
    EQUAL(r, "query frame: data bytes", id, state->presence == CVG_ALIVE ? state->bytes : 0, f.data_bytes);
    if (state->presence == CVG_ALIVE) {
        EQUAL(r, "query frame: schema", id, kind->schema, f.schema);
        EQUAL(r, "query frame: fixed bytes", id, kind->fixed_bytes, f.fixed_bytes);
        cvg_data got = zones(f.data, f.data_bytes, f.fixed_bytes);
        equal_data(r, kind, "query frame: data", id, state->data, state->bytes, got);
    }
    uint8_t *tight = model_zeroed(bytes - 1); /* one byte less must be refused, and not be written past */
    status = cvg_encode_query(part->engine, kind->number, id, stream, tight, bytes - 1, &room);
    EQUAL(r, "query frame: a buffer too small", id, (uint64_t)CVG_E_SPACE, (uint64_t)status);
    free(tight);
    compare_query_group(r, part, kind, id, stream, buffer, bytes);
    free(buffer);
}

/* In the entity's partition it is as the model has it; in the others it is not. */
void compare_query(run *r, const model_kind *kind, const uint8_t id[CVG_ID_BYTES]) {
    static const model_state nothing = {.presence = CVG_NOT_FOUND};
    const model_entity *entity = model_find(kind, id);
    const part *home = entity != NULL ? &r->parts[entity->partition] : draw_part(r);
    for (unsigned p = 0; p < r->partitions; p++) {
        cvg_row row;
        int status = cvg_query(r->parts[p].engine, kind->number, id, &row);
        EQUAL(r, "query: status", id, CVG_OK, (uint64_t)status);
        if (home == &r->parts[p] && entity != NULL && entity->installed.presence != CVG_NOT_FOUND)
            compare_row(r, entity, &row);
        else
            EQUAL(r, "query: presence", id, CVG_NOT_FOUND, row.presence);
    }
    compare_query_frame(r, home, kind, id, entity != NULL ? &entity->installed : &nothing);
    r->totals->queries++;
}

void compare_unknown_kind(run *r, part *part) {
    uint16_t number = 0;
    while (number == 0 || model_kind_find(r->model, number) != NULL) number = (uint16_t)rng_next(&r->world.random);
    uint8_t id[CVG_ID_BYTES] = {0}, buffer[256];
    uint64_t cursor = 0, bad = (uint64_t)CVG_E_KIND;
    size_t bytes;
    cvg_row row;
    cvg_catchup *catchup;
    cvg_class klass = {.number = 1};
    EQUAL(r, "query of an unknown kind", NULL, bad, (uint64_t)cvg_query(part->engine, number, id, &row));
    EQUAL(r, "query frame of an unknown kind", NULL, bad,
          (uint64_t)cvg_encode_query(part->engine, number, id, 1, buffer, sizeof buffer, &bytes));
    EQUAL(r, "catch-up of an unknown kind", NULL, bad,
          (uint64_t)cvg_catchup_begin(part->engine, number, klass, &catchup));
    EQUAL(r, "empty catch-up of an unknown kind", NULL, bad,
          (uint64_t)cvg_catchup_begin_empty(part->engine, number, klass, &catchup));
    REQUIRE(r, !cvg_scan(part->engine, number, &cursor, &row), "scan of an unknown kind has a row");
    EQUAL(r, "entities of an unknown kind", NULL, 0, cvg_kind_entities(part->engine, number));
    EQUAL(r, "fixed bytes of an unknown kind", NULL, 0, cvg_kind_fixed_bytes(part->engine, number));
    EQUAL(r, "query frame size of an unknown kind", NULL, 0, cvg_query_frame_bytes_max(part->engine, number));
    cvg_slices slices;
    if (part->batch != NULL)
        EQUAL(r, "encoding an unknown kind", NULL, bad,
              (uint64_t)cvg_encode(part->engine, part->batch, number, klass, &slices));
}
