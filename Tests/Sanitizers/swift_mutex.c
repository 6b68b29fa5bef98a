/*
 * swift_mutex - shows the thread sanitizer what Swift's Mutex does when two threads meet at it.
 *
 * The way through a free Mutex is inlined into our code and seen. The way through one that is held lies in
 * libswiftSynchronization, which is not compiled for the sanitizer: without help it takes everything behind such a lock
 * for a race. The linker puts these two functions around it (--wrap, scripts/sanitized.sh); nothing is hidden, only
 * said.
 */
#include <stdint.h>

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context))

void __tsan_acquire(void *address);
void __tsan_release(void *address);

SWIFT void lock_slow(uint32_t thread,
                     SELF void *mutex) __asm__("__real_$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void unlock_slow(SELF void *mutex) __asm__("__real_$s15Synchronization12_MutexHandleV11_unlockSlowyyF");
SWIFT void lock_slow_seen(uint32_t thread,
                          SELF void *mutex) __asm__("__wrap_$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF");
SWIFT void unlock_slow_seen(SELF void *mutex) __asm__("__wrap_$s15Synchronization12_MutexHandleV11_unlockSlowyyF");

SWIFT void lock_slow_seen(uint32_t thread, SELF void *mutex) {
    lock_slow(thread, mutex);
    __tsan_acquire(mutex);
}

SWIFT void unlock_slow_seen(SELF void *mutex) {
    __tsan_release(mutex);
    unlock_slow(mutex);
}
