/* A disk that loses its power: what was written to a file and not synced since is taken back.
 *
 * Loaded into a process (LD_PRELOAD), it notes for each file below $FORGETFUL_FOLDER what every write covers up, in
 * FILE.undo: its place, and the bytes that were there (and the length of the file before, when it grows). A sync of the
 * file empties the note. After the process was killed, `tests/nemesis/power.py` takes the notes back, the last one first.
 * Notes begin with 'U', offset, number of bytes, length of the file before; then the bytes.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static ssize_t (*real_pwrite)(int, const void *, size_t, off_t);
static int (*real_fdatasync)(int);
static int (*real_fsync)(int);
static int (*real_ftruncate)(int, off_t);
static const char *folder;

__attribute__((constructor)) static void begin(void) {
    real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
    real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
    real_fsync = dlsym(RTLD_NEXT, "fsync");
    real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
    folder = getenv("FORGETFUL_FOLDER");
}

/* The note of an open file below the folder; -1: it is another one. */
static int note_of(int fd, int flags) {
    char link[64], path[PATH_MAX], note[PATH_MAX + 8];
    if (folder == NULL) return -1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return -1;
    path[length] = 0;
    if (strncmp(path, folder, strlen(folder)) != 0 || strstr(path, "-shm") || strstr(path, ".lock") ||
        strstr(path, ".status") || strstr(path, ".undo"))
        return -1;
    snprintf(note, sizeof note, "%s.undo", path);
    return open(note, flags | O_CLOEXEC, 0600);
}

static void remember(int fd, off_t offset, size_t count) {
    int note = note_of(fd, O_WRONLY | O_CREAT | O_APPEND);
    if (note < 0) return;
    struct stat before;
    fstat(fd, &before);
    size_t there = offset >= before.st_size ? 0 : (size_t)(before.st_size - offset);
    if (there > count) there = count;
    size_t head = 1 + 3 * sizeof(int64_t);
    char *entry = malloc(head + there);
    int64_t numbers[3] = {offset, (int64_t)there, before.st_size};
    entry[0] = 'U';
    memcpy(entry + 1, numbers, sizeof numbers);
    if (there && pread(fd, entry + head, there, offset) != (ssize_t)there) abort();
    if (write(note, entry, head + there) != (ssize_t)(head + there)) abort();
    free(entry);
    close(note);
}

static void synced(int fd) {
    int note = note_of(fd, O_WRONLY | O_TRUNC);
    if (note >= 0) close(note);
}

ssize_t pwrite64(int fd, const void *data, size_t count, off_t offset) {
    remember(fd, offset, count);
    return real_pwrite(fd, data, count, offset);
}

ssize_t pwrite(int fd, const void *data, size_t count, off_t offset) { return pwrite64(fd, data, count, offset); }

int ftruncate64(int fd, off_t length) {
    struct stat before;
    if (fstat(fd, &before) == 0 && length < before.st_size) remember(fd, length, (size_t)(before.st_size - length));
    return real_ftruncate(fd, length);
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fdatasync(int fd) {
    int result = real_fdatasync(fd);
    if (result == 0) synced(fd);
    return result;
}

int fsync(int fd) {
    int result = real_fsync(fd);
    if (result == 0) synced(fd);
    return result;
}
