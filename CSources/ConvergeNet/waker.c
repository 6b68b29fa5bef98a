#define _GNU_SOURCE 1
#include "waker.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct cvg_waker {
    int fd;
    uint32_t references;
};

int cvgi_waker_create(cvg_waker **waker) {
    cvg_waker *created = malloc(sizeof *created);
    if (created == NULL) return -ENOMEM;
    created->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    created->references = 1;
    if (created->fd < 0) {
        int error = errno;
        free(created);
        return -error;
    }
    *waker = created;
    return 0;
}

int cvgi_waker_fd(const cvg_waker *waker) {
    return waker->fd;
}

void cvgi_waker_retain(cvg_waker *waker) {
    __atomic_add_fetch(&waker->references, 1, __ATOMIC_RELAXED);
}

void cvg_waker_wake(cvg_waker *waker) {
    int error = errno; /* a signal handler must leave it as it was */
    uint64_t one = 1;
    ssize_t written = write(waker->fd, &one, sizeof one);
    (void)written; /* only a full counter refuses it, and then the poll is woken already */
    errno = error;
}

void cvg_waker_release(cvg_waker *waker) {
    if (__atomic_sub_fetch(&waker->references, 1, __ATOMIC_ACQ_REL) > 0) return;
    close(waker->fd);
    free(waker);
}
