/* base/file.h - whole files, and with them paths (base/path.h). */
#ifndef NAB_BASE_FILE_H
#define NAB_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/path.h"

/* The whole file, NUL-terminated, in *out (caller frees with mem_free) and its length in *len (may be NULL).
 * Gzip content is decompressed when `gunzip` is set and the file starts with gzip's magic. More than `limit`
 * bytes (after decompression) is an error. */
int file_read(char **out, size_t *len, const char *path, size_t limit, bool gunzip, struct err *e);

/* Writes path.tmp, syncs it and renames it to path: a reader sees the old file or the new one, never a part.
 * Of a link its target is replaced. What is there but is no file (a pipe, /dev/stdout) is written to as it stands. */
int file_write(const char *path, const void *data, size_t len, struct err *e);

/* All bytes to an open file; -1 with errno. */
int file_put(int fd, const void *data, size_t len);

bool file_exists(const char *path);
int file_mkdirs(const char *path, struct err *e); /* like mkdir -p, mode 0777 less the umask */

#endif
