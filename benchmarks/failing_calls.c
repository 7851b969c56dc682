/* Preloaded: the nth call that writes below a folder fails, as a full or a broken disk would. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static atomic_long calls;
static long fails_at, goes_on;
static int error_number;
static const char *folder, *counted;

__attribute__((constructor)) static void begin(void) {
    folder = getenv("FAULT_FOLDER");
    counted = getenv("FAULT_COUNTED");
    fails_at = getenv("FAULT_AT") ? atol(getenv("FAULT_AT")) : 0;
    goes_on = getenv("FAULT_GOES_ON") != NULL;
    error_number = getenv("FAULT_ERRNO") ? atoi(getenv("FAULT_ERRNO")) : EIO;
}

__attribute__((destructor)) static void end(void) {
    FILE *file = counted ? fopen(counted, "w") : NULL;
    if (file) {
        fprintf(file, "%ld", atomic_load(&calls));
        fclose(file);
    }
}

static int fails_below(const char *path) {
    if (!folder || strncmp(path, folder, strlen(folder)) != 0) return 0;
    long number = atomic_fetch_add(&calls, 1) + 1;
    if (!fails_at || (goes_on ? number < fails_at : number != fails_at)) return 0;
    errno = error_number;
    return 1;
}

static int fails_on(int descriptor) {
    char link[64], path[4096];
    if (!folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return fails_below(path);
}

#define REAL(type, name, ...) \
    static type (*real)(__VA_ARGS__); \
    if (!real) real = (type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

ssize_t write(int fd, const void *data, size_t n) {
    REAL(ssize_t, "write", int, const void *, size_t);
    return fails_on(fd) ? -1 : real(fd, data, n);
}

ssize_t writev(int fd, const struct iovec *parts, int n) {
    REAL(ssize_t, "writev", int, const struct iovec *, int);
    return fails_on(fd) ? -1 : real(fd, parts, n);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at) {
    REAL(ssize_t, "pwrite", int, const void *, size_t, off_t);
    return fails_on(fd) ? -1 : real(fd, data, n, at);
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at) {
    REAL(ssize_t, "pwrite64", int, const void *, size_t, off64_t);
    return fails_on(fd) ? -1 : real(fd, data, n, at);
}

int fsync(int fd) {
    REAL(int, "fsync", int);
    return fails_on(fd) ? -1 : real(fd);
}

int fdatasync(int fd) {
    REAL(int, "fdatasync", int);
    return fails_on(fd) ? -1 : real(fd);
}

int ftruncate(int fd, off_t length) {
    REAL(int, "ftruncate", int, off_t);
    return fails_on(fd) ? -1 : real(fd, length);
}

int ftruncate64(int fd, off64_t length) {
    REAL(int, "ftruncate64", int, off64_t);
    return fails_on(fd) ? -1 : real(fd, length);
}

int rename(const char *from, const char *to) {
    REAL(int, "rename", const char *, const char *);
    return fails_below(from) ? -1 : real(from, to);
}
