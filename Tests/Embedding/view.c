/*
 * An in-memory view of services, in C: three sources write, a tick seals and installs, the program polls what changed
 * and keeps a copy; a second copy is filled by catch-up frames while writes go on. Both end equal to the engine.
 */
#include <converge.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                                    \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

enum { SERVICE = 1, FIXED_BYTES = 21, ADDRESS_MAX = 64, PORTS_MAX = 4, DATA_MAX = FIXED_BYTES + ADDRESS_MAX + 8 };
enum { REGISTRY = 1, BACKUP = 2, HEALTH = 7 }; /* sources */
enum { LOAD, ZONE, HEALTHY, ADDRESS, PORTS };  /* fields */
enum { FRAME_STATE = 0x81, FRAME_DELETED = 0x82 };

static const cvg_field fields[] = {
    [LOAD] = {.type = CVG_U16},
    [ZONE] = {.type = CVG_STRING, .max = 8},
    [HEALTHY] = {.type = CVG_BOOL, .owners = 1ull << HEALTH},
    [ADDRESS] = {.type = CVG_VARSTRING, .max = ADDRESS_MAX},
    [PORTS] = {.type = CVG_ARRAY, .element = CVG_U16, .max = PORTS_MAX},
};

/* What other languages declare (view.py does). */
_Static_assert(sizeof(cvg_options) == 40 && sizeof(cvg_field) == 24 && sizeof(cvg_definition) == 16, "definitions");
_Static_assert(sizeof(cvg_op) == 48 && sizeof(cvg_refusal) == 8 && sizeof(cvg_applied) == 16, "writing");
_Static_assert(sizeof(cvg_data) == 24 && sizeof(cvg_change) == 88 && sizeof(cvg_row) == 56, "reading");
_Static_assert(sizeof(cvg_segment) == 40 && sizeof(cvg_slice) == 24 && sizeof(cvg_catchup_progress) == 32, "frames");

/* ------------------------------------------------- an allocator that counts, to show that nothing is left at the end
 */

static void *counted_allocate(void *context, size_t bytes, size_t alignment) {
    void *pointer = aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
    if (pointer != NULL) *(size_t *)context += bytes;
    return pointer;
}

static void counted_release(void *context, void *pointer, size_t bytes) {
    *(size_t *)context -= bytes;
    free(pointer);
}

/* -------------------------------------------------------------------------------------------------- one row's data */

static uint8_t *put(uint8_t *to, const void *from, size_t bytes) {
    memcpy(to, from, bytes);
    return to + bytes;
}

/* The whole row: the fixed zone, and behind it the address and the ports. */
static uint32_t encode(uint8_t *to, uint16_t load, const char *zone, const char *address, const uint16_t *ports,
                       uint32_t port_count) {
    const uint16_t zone_bytes = (uint16_t)strlen(zone);
    const uint32_t address_bytes = (uint32_t)strlen(address);
    uint8_t *at = put(to, &load, sizeof load);
    at = put(at, &zone_bytes, sizeof zone_bytes);
    memset(at, 0, 8);
    memcpy(at, zone, zone_bytes);
    at += 8;
    *at++ = 0; /* healthy: another source's, so what an ASSERT of ours says is not looked at */
    at = put(at, &address_bytes, sizeof address_bytes);
    at = put(at, &port_count, sizeof port_count);
    at = put(at, address, address_bytes);
    return (uint32_t)(put(at, ports, port_count * sizeof *ports) - to);
}

static void id_of(uint8_t id[CVG_ID_BYTES], const char *name) {
    memset(id, 0, CVG_ID_BYTES);
    memcpy(id, name, strlen(name));
}

/* ----------------------------------------------------------------------------------------- a copy, kept by changes */

typedef struct entry {
    uint8_t id[CVG_ID_BYTES];
    uint64_t version;
    uint32_t bytes;
    uint8_t data[DATA_MAX];
} entry;

typedef struct copy {
    entry entries[16];
    size_t count;
} copy;

static entry *find(copy *copy, const uint8_t *id) {
    for (size_t i = 0; i < copy->count; i++)
        if (memcmp(copy->entries[i].id, id, CVG_ID_BYTES) == 0) return &copy->entries[i];
    return NULL;
}

/* Takes what has a version not below the one held. */
static void take(copy *copy, const uint8_t *id, uint64_t version, cvg_data data) {
    entry *held = find(copy, id);
    if (held != NULL && version < held->version) return;
    if (held == NULL) {
        CHECK(copy->count < 16);
        held = &copy->entries[copy->count++];
        memcpy(held->id, id, CVG_ID_BYTES);
    }
    held->version = version;
    held->bytes = data.fixed_bytes + data.variable_bytes;
    CHECK(held->bytes <= DATA_MAX);
    uint8_t *at = put(held->data, data.fixed, data.fixed_bytes);
    if (data.variable_bytes > 0) put(at, data.variable, data.variable_bytes);
}

static void forget(copy *copy, const uint8_t *id, uint64_t version) {
    entry *held = find(copy, id);
    if (held != NULL && version >= held->version) *held = copy->entries[--copy->count];
}

static void check_equal(copy *copy, const cvg_engine *engine) {
    uint64_t cursor = 0;
    size_t alive = 0;
    for (cvg_row row; cvg_scan(engine, SERVICE, &cursor, &row);) {
        if (row.presence != CVG_ALIVE) continue;
        const entry *held = find(copy, row.id);
        CHECK(held != NULL && held->version == row.version);
        CHECK(held->bytes == row.data.fixed_bytes + row.data.variable_bytes);
        CHECK(memcmp(held->data, row.data.fixed, row.data.fixed_bytes) == 0);
        CHECK(row.data.variable_bytes == 0 ||
              memcmp(held->data + row.data.fixed_bytes, row.data.variable, row.data.variable_bytes) == 0);
        alive++;
    }
    CHECK(alive == copy->count && alive == cvg_kind_entities(engine, SERVICE));
}

/* --------------------------------------------------------------------------------------------------- writing, ticks */

static cvg_refusal write_one(cvg_engine *engine, cvg_op op, const char *name) {
    uint8_t id[CVG_ID_BYTES];
    id_of(id, name);
    op.id = id;
    op.kind = SERVICE;
    op.schema = 1;
    cvg_refusal refusal = {.status = CVG_OK};
    cvg_applied applied;
    CHECK(cvg_apply(engine, &op, 1, &refusal, 1, &applied) == CVG_OK && applied.consumed == 1);
    return refusal;
}

static void assert_service(cvg_engine *engine, uint8_t source, const char *name, uint16_t load, const char *address) {
    const uint16_t ports[] = {80, 443};
    uint8_t data[DATA_MAX];
    const uint32_t bytes = encode(data, load, "north", address, ports, 2);
    const cvg_op op = {.code = CVG_ASSERT, .source = source, .data = data, .data_bytes = bytes};
    CHECK(write_one(engine, op, name).status == CVG_OK);
}

static void retract(cvg_engine *engine, uint8_t source, const char *name) {
    CHECK(write_one(engine, (cvg_op){.code = CVG_RETRACT, .source = source}, name).status == CVG_OK);
}

static cvg_refusal patch(cvg_engine *engine, uint8_t source, const char *name, int field, const void *data,
                         uint32_t bytes) {
    return write_one(
        engine, (cvg_op){.code = CVG_PATCH, .source = source, .mask = 1ull << field, .data = data, .data_bytes = bytes},
        name);
}

/* Frames, one behind the other, merged into the copy. Returns how many. */
static size_t read_frames(copy *copy, cvg_slices slices) {
    size_t frames = 0;
    for (size_t i = 0; i < slices.count; i++) {
        const uint8_t *at = slices.items[i].segment->bytes + slices.items[i].offset;
        const uint8_t *end = at + slices.items[i].bytes;
        while (at < end) {
            uint32_t payload, fixed_bytes, data_bytes;
            uint64_t version;
            memcpy(&payload, at + 6, sizeof payload);
            memcpy(&version, at + 52, sizeof version);
            if (at[4] == FRAME_STATE) {
                memcpy(&fixed_bytes, at + 76, sizeof fixed_bytes);
                memcpy(&data_bytes, at + 80, sizeof data_bytes);
                CHECK(fixed_bytes == FIXED_BYTES && data_bytes >= fixed_bytes);
                take(copy, at + 20, version,
                     (cvg_data){at + 84, at + 84 + fixed_bytes, fixed_bytes, data_bytes - fixed_bytes});
            } else {
                CHECK(at[4] == FRAME_DELETED);
                forget(copy, at + 20, version);
            }
            at += 12 + payload;
            frames++;
        }
        CHECK(at == end);
    }
    return frames;
}

static const char *const whats[] = {"", "created", "updated", "deleted", "sources of"};

/* Closes the window: what changed goes into one copy by polling, and, if there is another, into that one as frames.
 * Returns the bits of `what` seen. */
static unsigned tick(cvg_engine *engine, copy *polled, copy *fed) {
    const cvg_batch *batch;
    CHECK(cvg_seal(engine, &batch) == CVG_OK);
    unsigned seen = 0;
    for (size_t i = 0; i < cvg_batch_changes(batch, SERVICE); i++) {
        cvg_change change;
        cvg_batch_change(batch, SERVICE, i, &change);
        printf("  tick %llu: %s %s v%llu, fields %#llx\n", (unsigned long long)cvg_batch_sequence(batch),
               whats[change.what], (const char *)change.id, (unsigned long long)change.version,
               (unsigned long long)change.changed);
        if (change.what == CVG_DELETED)
            forget(polled, change.id, change.version);
        else
            take(polled, change.id, change.version, change.data);
        seen |= 1u << change.what;
    }
    if (fed != NULL) {
        cvg_slices slices;
        CHECK(cvg_encode(engine, batch, SERVICE, (cvg_class){.number = 1}, &slices) == CVG_OK);
        read_frames(fed, slices);
    }
    cvg_install(engine, batch);
    check_equal(polled, engine);
    return seen;
}

/* ------------------------------------------------------------------------------------------------------- the story */

static void write_and_poll(cvg_engine *engine, copy *polled) {
    puts("three sources write");
    assert_service(engine, REGISTRY, "api-1", 10, "10.0.0.1");
    assert_service(engine, BACKUP, "api-1", 10, "10.0.0.1");
    assert_service(engine, REGISTRY, "api-2", 20, "10.0.0.2");
    assert_service(engine, BACKUP, "db-1", 5, "");
    CHECK(cvg_pending_size(engine).rows == 3);
    CHECK(tick(engine, polled, NULL) == 1u << CVG_CREATED && polled->count == 3);

    puts("patches, one of a variable field, one refused");
    const uint8_t yes = 1;
    CHECK(patch(engine, HEALTH, "api-1", HEALTHY, &yes, 1).status == CVG_OK);
    const cvg_refusal refusal = patch(engine, REGISTRY, "api-2", HEALTHY, &yes, 1);
    CHECK(refusal.status == CVG_E_NOT_OWNER && refusal.field == HEALTHY);
    printf("  refused, field %d: %s\n", refusal.field, cvg_status_text(refusal.status));
    uint8_t address[4 + 26] = {26};
    memcpy(address + 4, "gateway.north.example:8443", 26);
    CHECK(patch(engine, REGISTRY, "api-2", ADDRESS, address, sizeof address).status == CVG_OK);
    CHECK(tick(engine, polled, NULL) == 1u << CVG_UPDATED);

    puts("said again, and there and back: silence");
    assert_service(engine, REGISTRY, "api-1", 10, "10.0.0.1");
    assert_service(engine, BACKUP, "db-1", 6, "");
    assert_service(engine, BACKUP, "db-1", 5, "");
    const uint64_t sequence = 2;
    const cvg_batch *batch;
    CHECK(cvg_seal(engine, &batch) == CVG_OK);
    CHECK(cvg_batch_changes(batch, SERVICE) == 0 && cvg_batch_sequence(batch) == sequence);
    assert_service(engine, REGISTRY, "api-3", 1, "10.0.0.3"); /* the next window fills meanwhile */
    CHECK(cvg_seal(engine, &batch) == CVG_E_SEALED);
    cvg_install(engine, batch);
    CHECK(tick(engine, polled, NULL) == 1u << CVG_CREATED);
    CHECK(cvg_seal(engine, &batch) == CVG_E_EMPTY);

    puts("retractions: the last source's deletes");
    retract(engine, REGISTRY, "api-1");
    retract(engine, REGISTRY, "api-2");
    CHECK(tick(engine, polled, NULL) == (1u << CVG_DELETED | 1u << CVG_SOURCE_CHANGE));
}

static void query(cvg_engine *engine) {
    puts("queries");
    uint8_t id[CVG_ID_BYTES];
    cvg_row row;
    id_of(id, "api-1");
    CHECK(cvg_query(engine, SERVICE, id, &row) == CVG_OK && row.presence == CVG_ALIVE && row.version == 2);
    CHECK(row.source_set == (1ull << BACKUP | 1ull << HEALTH));
    CHECK(row.data.fixed_bytes == FIXED_BYTES && row.data.fixed[12] == 1);
    CHECK(row.data.variable_bytes == 12 && memcmp(row.data.variable, "10.0.0.1", 8) == 0);
    id_of(id, "api-2");
    CHECK(cvg_query(engine, SERVICE, id, &row) == CVG_OK && row.presence == CVG_TOMBSTONE && row.version == 3);
    id_of(id, "nobody");
    CHECK(cvg_query(engine, SERVICE, id, &row) == CVG_OK && row.presence == CVG_NOT_FOUND);
    CHECK(cvg_query(engine, 2, id, &row) == CVG_E_KIND);
    puts("  api-1 alive, api-2 a tombstone, nobody not found");
}

static void bootstrap(cvg_engine *engine, copy *polled) {
    puts("a second copy, by catch-up, while writes go on");
    copy fed = {.count = 0};
    cvg_catchup *catchup;
    cvg_catchup_progress progress = {.live = false};
    cvg_slices slices;
    CHECK(cvg_catchup_begin(engine, SERVICE, (cvg_class){.number = 1}, &catchup) == CVG_OK);
    size_t frames = 0;
    for (unsigned step = 0; !progress.live; step++) {
        CHECK(step < 20);
        CHECK(cvg_catchup_step(engine, catchup, 1, &slices, &progress) == CVG_OK);
        frames += read_frames(&fed, slices);
        if (step == 1) { /* behind the walk: a change, a deletion; before it: a creation */
            assert_service(engine, BACKUP, "api-1", 99, "10.0.0.9");
            retract(engine, REGISTRY, "api-3");
            assert_service(engine, REGISTRY, "api-4", 4, "10.0.0.4");
            tick(engine, polled, NULL);
        }
    }
    CHECK(frames == progress.rows && frames > 3 && progress.sequence == 5);
    cvg_catchup_end(engine, catchup);
    printf("  %zu frames, live at sequence %llu\n", frames, (unsigned long long)progress.sequence);
    check_equal(&fed, engine);

    puts("live: both copies follow");
    assert_service(engine, REGISTRY, "api-2", 2, "back.example");
    retract(engine, BACKUP, "db-1");
    CHECK(tick(engine, polled, &fed) == (1u << CVG_CREATED | 1u << CVG_DELETED));
    check_equal(&fed, engine);
}

/* Frames of everything there is after some windows, in an engine with that seed. */
static size_t frames_of(uint64_t seed, uint8_t *to, size_t capacity) {
    const cvg_options options = {.hash_seed = seed};
    const cvg_definition definition = {.fields = fields, .field_count = 5, .schema = 1};
    cvg_engine *engine;
    CHECK(cvg_version() == CVG_VERSION);
    CHECK(cvg_engine_create(&options, &engine) == CVG_OK);
    CHECK(cvg_kind_create(engine, SERVICE, &definition) == CVG_OK);
    for (uint16_t i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "node-%d", i * 37 % 500);
        if (i % 9 == 8)
            retract(engine, REGISTRY, name);
        else
            assert_service(engine, REGISTRY, name, i, name);
        const cvg_batch *batch;
        if (i % 100 == 99 && cvg_seal(engine, &batch) == CVG_OK) cvg_install(engine, batch);
    }
    cvg_catchup *catchup;
    cvg_slices slices;
    cvg_catchup_progress progress;
    CHECK(cvg_catchup_begin(engine, SERVICE, (cvg_class){.number = 1}, &catchup) == CVG_OK);
    CHECK(cvg_catchup_step(engine, catchup, 1 << 20, &slices, &progress) == CVG_OK && progress.live);
    size_t bytes = 0;
    for (size_t i = 0; i < slices.count; i++) {
        CHECK(bytes + slices.items[i].bytes <= capacity);
        memcpy(to + bytes, slices.items[i].segment->bytes + slices.items[i].offset, slices.items[i].bytes);
        bytes += slices.items[i].bytes;
    }
    cvg_engine_destroy(engine);
    return bytes;
}

static void determinism(void) {
    puts("the same operations, two seeds: the same frames");
    static uint8_t one[1 << 17], other[1 << 17];
    const size_t bytes = frames_of(1, one, sizeof one);
    CHECK(bytes > CVG_SEGMENT_BYTES / 2 && frames_of(2, other, sizeof other) == bytes);
    CHECK(memcmp(one, other, bytes) == 0);
    printf("  %zu bytes\n", bytes);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    size_t outstanding = 0;
    const cvg_options options = {.allocator = {&outstanding, counted_allocate, counted_release}, .hash_seed = 1};
    const cvg_definition definition = {.fields = fields, .field_count = 5, .schema = 1};
    cvg_engine *engine;
    CHECK(cvg_engine_create(&options, &engine) == CVG_OK);
    CHECK(cvg_kind_create(engine, SERVICE, &definition) == CVG_OK);
    CHECK(cvg_kind_create(engine, SERVICE, &definition) == CVG_E_EXISTS);
    CHECK(cvg_kind_fixed_bytes(engine, SERVICE) == FIXED_BYTES);
    copy polled = {.count = 0};
    write_and_poll(engine, &polled);
    query(engine);
    bootstrap(engine, &polled);

    puts("a segment outlives its engine");
    cvg_stats stats;
    cvg_stats_read(engine, &stats);
    CHECK(stats.memory_bytes > 0 && stats.memory_bytes <= outstanding && stats.catchups == 0 && stats.sequence == 6);
    assert_service(engine, REGISTRY, "api-5", 5, "10.0.0.5");
    const cvg_batch *batch;
    cvg_slices slices;
    CHECK(cvg_seal(engine, &batch) == CVG_OK);
    CHECK(cvg_encode(engine, batch, SERVICE, (cvg_class){.number = 1}, &slices) == CVG_OK && slices.count == 1);
    const cvg_slice kept = slices.items[0];
    cvg_segment_retain(kept.segment);
    assert_service(engine, BACKUP, "api-6", 6, "10.0.0.6");
    cvg_catchup *catchup;
    CHECK(cvg_catchup_begin(engine, SERVICE, (cvg_class){.number = 1}, &catchup) == CVG_OK);
    cvg_engine_destroy(engine); /* with a sealed batch, an open window and a reader */
    CHECK(outstanding > 0);
    CHECK(read_frames(&polled, (cvg_slices){&kept, 1}) == 1);
    cvg_segment_release(kept.segment);
    CHECK(outstanding == 0);
    puts("  all memory given back");
    determinism();
    return 0;
}
