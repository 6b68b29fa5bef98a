#include "connection.h"

#include <stdlib.h>

void cvgi_connections_init(cvgi_connections *table, uint32_t max) {
    *table = (cvgi_connections){.max = max};
    cvgi_list_init(&table->idle);
}

void cvgi_connections_free(cvgi_connections *table) {
    for (uint32_t slot = 0; slot < table->count; slot++) free(table->slots[slot]);
    free(table->slots);
}

static cvgi_connection *add_slot(cvgi_connections *table) {
    if (table->count == table->capacity) {
        uint32_t capacity = table->capacity == 0 ? 64 : table->capacity * 2;
        cvgi_connection **slots = realloc(table->slots, capacity * sizeof *slots);
        if (slots == NULL) return NULL;
        table->slots = slots;
        table->capacity = capacity;
    }
    cvgi_connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) return NULL;
    connection->id = (cvg_connection)1 << 32 | table->count;
    table->slots[table->count] = connection;
    table->count += 1;
    return connection;
}

cvgi_connection *cvgi_connections_take(cvgi_connections *table) {
    if (cvgi_connections_full(table)) return NULL;
    cvgi_connection *connection;
    if (cvgi_list_empty(&table->idle)) {
        connection = add_slot(table);
        if (connection == NULL) return NULL;
    } else {
        connection = CVGI_LINKED_IN(table->idle.next, cvgi_connection, in_rest);
        cvgi_list_remove(&connection->in_rest);
    }
    table->taken += 1;
    connection->fd = -1;
    connection->reading = true;
    return connection;
}

void cvgi_connections_give_back(cvgi_connections *table, cvgi_connection *connection) {
    cvg_connection id = connection->id + ((cvg_connection)1 << 32);
    if (id >> 32 == 0) id += (cvg_connection)1 << 32;
    *connection = (cvgi_connection){.id = id};
    cvgi_list_append(&table->idle, &connection->in_rest);
    table->taken -= 1;
}
