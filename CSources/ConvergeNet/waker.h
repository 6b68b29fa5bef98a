/*
 * waker - an eventfd that any thread and any signal handler may write to, alive as long as someone holds it.
 */
#ifndef CVGI_WAKER_H
#define CVGI_WAKER_H

#include "converge_net.h"

int cvgi_waker_create(cvg_waker **waker); /* one reference; -ENOMEM, -EMFILE, -ENFILE */
void cvgi_waker_retain(cvg_waker *waker);
int cvgi_waker_fd(const cvg_waker *waker); /* non-blocking */

#endif
