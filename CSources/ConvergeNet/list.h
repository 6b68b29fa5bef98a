/*
 * list - intrusive doubly linked lists with a sentinel: a connection stands in several at once, and leaves any in O(1).
 *
 * A link that is in no list is all zero.
 */
#ifndef CVGI_LIST_H
#define CVGI_LIST_H

#include <stdbool.h>
#include <stddef.h>

typedef struct cvgi_link {
    struct cvgi_link *previous, *next;
} cvgi_link;

#define CVGI_LINKED_IN(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void cvgi_list_init(cvgi_link *list) {
    list->previous = list->next = list;
}

static inline bool cvgi_list_empty(const cvgi_link *list) {
    return list->next == list;
}

static inline void cvgi_list_remove(cvgi_link *link) {
    if (link->next == NULL) return;
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->previous = link->next = NULL;
}

/* At the end; a link that already stands in a list stays where it is. */
static inline void cvgi_list_append(cvgi_link *list, cvgi_link *link) {
    if (link->next != NULL) return;
    link->previous = list->previous;
    link->next = list;
    list->previous->next = link;
    list->previous = link;
}

/* Moves all of `from` before the first of `list`. */
static inline void cvgi_list_prepend_all(cvgi_link *list, cvgi_link *from) {
    if (cvgi_list_empty(from)) return;
    from->next->previous = list;
    from->previous->next = list->next;
    list->next->previous = from->previous;
    list->next = from->next;
    cvgi_list_init(from);
}

#endif
