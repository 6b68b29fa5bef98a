#include "base.h"

#include <stdlib.h>

static void *default_allocate(void *context, size_t bytes, size_t alignment) {
    (void)context;
    if (alignment <= _Alignof(max_align_t)) return malloc(bytes);
    if (bytes > SIZE_MAX - alignment) return NULL;
    return aligned_alloc(alignment, (bytes + alignment - 1) & ~(alignment - 1));
}

static void default_release(void *context, void *pointer, size_t bytes) {
    (void)context;
    (void)bytes;
    free(pointer);
}

void cvgi_memory_init(cvgi_memory *memory, const cvg_allocator *allocator) {
    *memory = (cvgi_memory){.allocator = *allocator};
    if (memory->allocator.allocate == NULL) {
        memory->allocator.allocate = default_allocate;
        memory->allocator.release = default_release;
    }
}

void *cvgi_allocate(cvgi_memory *memory, size_t bytes, size_t alignment) {
    void *pointer = memory->allocator.allocate(memory->allocator.context, bytes, alignment);
    if (pointer != NULL) memory->in_use += bytes;
    return pointer;
}

void *cvgi_allocate_zeroed(cvgi_memory *memory, size_t bytes, size_t alignment) {
    void *pointer = cvgi_allocate(memory, bytes, alignment);
    if (pointer != NULL) memset(pointer, 0, bytes);
    return pointer;
}

void cvgi_release(cvgi_memory *memory, void *pointer, size_t bytes) {
    if (pointer == NULL) return;
    CVGI_ASSERT(memory->in_use >= bytes);
    memory->in_use -= bytes;
    memory->allocator.release(memory->allocator.context, pointer, bytes);
}

bool cvgi_grow(cvgi_memory *memory, void **array, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity) return true;
    size_t wanted = *capacity < 8 ? 8 : *capacity;
    while (wanted < needed) {
        if (wanted > SIZE_MAX / 2) return false;
        wanted *= 2;
    }
    if (wanted > SIZE_MAX / size) return false;
    void *grown = cvgi_allocate(memory, wanted * size, _Alignof(max_align_t));
    if (grown == NULL) return false;
    if (*array != NULL) memcpy(grown, *array, *capacity * size);
    cvgi_release(memory, *array, *capacity * size);
    *array = grown;
    *capacity = wanted;
    return true;
}

uint32_t cvg_version(void) {
    return CVG_VERSION;
}

const char *cvg_status_text(int status) {
    switch (status) {
    case CVG_OK:
        return "done";
    case CVG_E_MEMORY:
        return "out of memory: the call did nothing, and may be repeated when there is some";
    case CVG_E_KIND:
        return "there is no kind with this number: create it first";
    case CVG_E_EXISTS:
        return "the kind number is taken: choose another";
    case CVG_E_DEFINITION:
        return "the definition is outside the limits: 1 to 64 fields of known type, strings and bytes with a max of 1 "
               "to "
               "65,535, arrays of 1 to 1,024 elements, structs of 1 to 64 members that are scalars or inline strings "
               "or bytes, everything else 0, and a largest row of at most 1 MiB";
    case CVG_E_OPERATION:
        return "not an operation: send ASSERT (2), RETRACT (3) or PATCH (8)";
    case CVG_E_SOURCE:
        return "the source is above 63: use 0 to 63";
    case CVG_E_SCHEMA:
        return "the kind has no such schema version: fetch its definition again";
    case CVG_E_LENGTH:
        return "the data is not exactly as long as the kind's fields, or the masked fields, are together with the "
               "bytes "
               "that their lengths and counts announce";
    case CVG_E_MASK:
        return "the presence mask names a field that the kind does not have";
    case CVG_E_BOOL:
        return "a bool must be 0 or 1";
    case CVG_E_TOO_LONG:
        return "a string, bytes value or array is longer than its max";
    case CVG_E_UTF8:
        return "a string must be valid UTF-8";
    case CVG_E_PADDING:
        return "the bytes behind the end of a string or bytes value must be zero";
    case CVG_E_NOT_OWNER:
        return "the field belongs to other sources: leave it out of the patch";
    case CVG_E_PENDING:
        return "the window is full: seal and install it, then go on";
    case CVG_E_SEALED:
        return "a sealed batch waits: install it first";
    case CVG_E_EMPTY:
        return "nothing is pending, so there is nothing to seal";
    case CVG_E_ROWS:
        return "the kind has reached its limit of 4,294,967,294 rows";
    case CVG_E_SPACE:
        return "the buffer is too small: ask for the size first";
    default:
        return "unknown status";
    }
}
