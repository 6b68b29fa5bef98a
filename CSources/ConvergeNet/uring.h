/*
 * uring - one io_uring, and how requests are named and made.
 *
 *   a tag   ├ generation (of the connection or the listener), 32 ┼ what, 4 ┼ slot or index, 28 ┤
 *
 * A completion names its request by the tag. This header and sends.c know liburing, with whom they are included.
 */
#ifndef CVGI_URING_H
#define CVGI_URING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

enum { CVGI_WHAT_ACCEPT = 8, CVGI_WHAT_WAKER = 9, CVGI_WHAT_CANCEL = 10 }; /* and CVGI_OP_* */

#define CVGI_TAG(generation, what, index) ((uint64_t)(generation) << 32 | (uint64_t)(what) << 28 | (uint64_t)(index))
#define CVGI_TAG_GENERATION(tag) ((uint32_t)((tag) >> 32))
#define CVGI_TAG_WHAT(tag) ((uint32_t)(tag) >> 28)
#define CVGI_TAG_INDEX(tag) ((uint32_t)(tag)&0x0FFFFFFFu)

enum { CVGI_BUFFER_GROUP = 0 };

/* Newer than liburing 2.3: a receive's ioprio, and the bit of a ring's features. */
enum { CVGI_RECEIVE_BUNDLE = 1 << 4, CVGI_FEATURE_BUNDLE = 1 << 14 };

typedef struct cvgi_uring {
    struct io_uring ring;
    struct io_uring_buf_ring *pool;
    uint32_t pool_entries;
    bool waker_watched;
} cvgi_uring;

/* An empty request, to be prepared and then tagged with cvgi_tag. NULL: no room, even after submitting. */
static inline struct io_uring_sqe *cvgi_request(cvgi_uring *uring) {
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    if (sqe == NULL && io_uring_submit(&uring->ring) >= 0) sqe = io_uring_get_sqe(&uring->ring);
    if (sqe != NULL) io_uring_prep_nop(sqe);
    return sqe;
}

/* Asks the request of this tag to end. False: no room. */
static inline bool cvgi_cancel(cvgi_uring *uring, uint64_t tag) {
    struct io_uring_sqe *sqe = cvgi_request(uring);
    if (sqe == NULL) return false;
    io_uring_prep_cancel64(sqe, tag, 0);
    io_uring_sqe_set_data64(sqe, CVGI_TAG(0, CVGI_WHAT_CANCEL, 0));
    return true;
}

#endif
