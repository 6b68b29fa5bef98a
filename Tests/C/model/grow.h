/*
 * grow.h - memory for the model and its runner: zeroed blocks and arrays that double. Aborts when there is none.
 */
#ifndef CONVERGE_MODEL_GROW_H
#define CONVERGE_MODEL_GROW_H

#include "model.h"
#include <stdlib.h>
#include <string.h>

static inline void *model_zeroed(size_t bytes) {
    void *block = calloc(1, bytes);
    if (block == NULL) abort();
    return block;
}

static inline void *model_grown(void *array, size_t count, size_t *capacity, size_t item_bytes) {
    if (count < *capacity) return array;
    *capacity = *capacity == 0 ? 8 : *capacity * 2;
    array = realloc(array, *capacity * item_bytes);
    if (array == NULL) abort();
    return array;
}

#define MODEL_PUSH(array, count, capacity, item)                                                                       \
    do {                                                                                                               \
        (array) = model_grown((array), (count), &(capacity), sizeof *(array));                                         \
        (array)[(count)++] = (item);                                                                                   \
    } while (0)

static inline void model_set_data(model_state *state, const uint8_t *data, uint32_t bytes) {
    if (state->data == NULL || bytes > state->capacity) {
        free(state->data);
        state->data = model_zeroed(bytes);
        state->capacity = bytes;
    }
    memcpy(state->data, data, bytes);
    state->bytes = bytes;
}

static inline void model_copy_state(model_state *to, const model_state *from) {
    model_set_data(to, from->data, from->bytes);
    to->source_set = from->source_set;
    to->version = from->version;
    to->presence = from->presence;
}

#endif
