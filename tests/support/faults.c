/*
 * Faults of the operating system, preloaded into the gateway (LD_PRELOAD): see faults.rs.
 *
 * Both sides map one file, named by HOOKSWITCH_FAULTS: an array of 64-bit numbers, then the start of the paths that file
 * faults apply to. Where nothing is armed a call costs one load more than before. System calls are made directly, so
 * nothing has to be looked up, and nothing here can be called too early.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* The numbers, in the order of faults.rs. `*_LEFT`: how many calls fail still; negative: all until cleared. */
enum {
    SYNC_LEFT, SYNC_DONE,
    SYNC_DELAY_MS, SYNC_DELAYED,
    WRITE_LEFT, WRITE_ERRNO, WRITE_DONE,
    SHORT_LEFT, SHORT_DONE,
    CLOCK_MS, CLOCK_DONE,
    NUMBERS
};
#define BELOW 512
#define SIZE 4096

static _Atomic int64_t *numbers;
static const char *below;

__attribute__((constructor)) static void open_control(void) {
    const char *path = getenv("HOOKSWITCH_FAULTS");
    if (!path) return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0) return;
    void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map == MAP_FAILED) return;
    numbers = map;
    below = (const char *)map + BELOW;
}

/* Whether the file is one of those. */
static int concerns(int fd) {
    char link[64], path[4096];
    char *end = link + sizeof link - 1;
    unsigned n = (unsigned)fd;
    if (fd < 0) return 0;
    *end = 0;
    do *--end = (char)('0' + n % 10); while (n /= 10);
    const char *dir = "/proc/self/fd/";
    end -= strlen(dir);
    memcpy(end, dir, strlen(dir));
    ssize_t length = syscall(SYS_readlinkat, AT_FDCWD, end, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return strncmp(path, below, strlen(below)) == 0;
}

/* Takes one of what is left, and counts it. */
static int strikes(int left, int done, int fd) {
    if (!numbers || numbers[left] == 0 || !concerns(fd)) return 0;
    int64_t now = numbers[left];
    for (;;) {
        if (now == 0) return 0;
        if (now < 0 || atomic_compare_exchange_weak(&numbers[left], &now, now - 1)) break;
    }
    atomic_fetch_add(&numbers[done], 1);
    return 1;
}

static int sync_file(int fd, long call) {
    if (numbers && numbers[SYNC_DELAY_MS] > 0 && concerns(fd)) {
        int64_t ms = numbers[SYNC_DELAY_MS];
        struct timespec pause = { ms / 1000, (ms % 1000) * 1000000 };
        syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, &pause, NULL);
        atomic_fetch_add(&numbers[SYNC_DELAYED], 1);
    }
    if (strikes(SYNC_LEFT, SYNC_DONE, fd)) { errno = EIO; return -1; }
    return (int)syscall(call, fd);
}

int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

static int write_fails(int fd) {
    if (!strikes(WRITE_LEFT, WRITE_DONE, fd)) return 0;
    errno = (int)numbers[WRITE_ERRNO];
    return 1;
}

/* Half of it, where a write is to be short. */
static size_t shorter(int fd, size_t length) {
    return length > 1 && strikes(SHORT_LEFT, SHORT_DONE, fd) ? length / 2 : length;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    if (write_fails(fd)) return -1;
    return syscall(SYS_write, fd, bytes, shorter(fd, length));
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t at) {
    if (write_fails(fd)) return -1;
    return syscall(SYS_pwrite64, fd, bytes, shorter(fd, length), at);
}
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t at) { return pwrite(fd, bytes, length, at); }

ssize_t writev(int fd, const struct iovec *pieces, int count) {
    if (write_fails(fd)) return -1;
    return syscall(SYS_writev, fd, pieces, count);
}
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t at) {
    if (write_fails(fd)) return -1;
    return syscall(SYS_pwritev, fd, pieces, count, at, 0);
}
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t at) { return pwritev(fd, pieces, count, at); }

int ftruncate(int fd, off_t length) { return write_fails(fd) ? -1 : (int)syscall(SYS_ftruncate, fd, length); }
int ftruncate64(int fd, off64_t length) { return ftruncate(fd, length); }

int fallocate(int fd, int mode, off_t at, off_t length) {
    return write_fails(fd) ? -1 : (int)syscall(SYS_fallocate, fd, mode, at, length);
}
int fallocate64(int fd, int mode, off64_t at, off64_t length) { return fallocate(fd, mode, at, length); }
/* These give the error back, and leave errno alone. */
int posix_fallocate(int fd, off_t at, off_t length) { return fallocate(fd, 0, at, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t at, off64_t length) { return posix_fallocate(fd, at, length); }

static int now(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && numbers && numbers[CLOCK_MS] != 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        int64_t ns = time->tv_nsec + (numbers[CLOCK_MS] % 1000) * 1000000;
        time->tv_sec += numbers[CLOCK_MS] / 1000;
        if (ns < 0) { ns += 1000000000; time->tv_sec -= 1; }
        if (ns >= 1000000000) { ns -= 1000000000; time->tv_sec += 1; }
        time->tv_nsec = ns;
        atomic_fetch_add(&numbers[CLOCK_DONE], 1);
    }
    return result;
}

int clock_gettime(clockid_t clock, struct timespec *time) { return now(clock, time); }

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec exact;
    (void)zone;
    if (now(CLOCK_REALTIME, &exact) != 0) return -1;
    time->tv_sec = exact.tv_sec;
    time->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *out) {
    struct timespec exact;
    if (now(CLOCK_REALTIME, &exact) != 0) return (time_t)-1;
    if (out) *out = exact.tv_sec;
    return exact.tv_sec;
}
