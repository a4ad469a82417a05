/* base/file.c - see file.h. The home of zlib.h for reading compressed files (gzread reads plain ones too). */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/mem.h"

static int open_file(int *fd, const char *path, struct err *e)
{
	struct stat st;

	*fd = open(path, O_RDONLY | O_CLOEXEC);
	if (*fd < 0)
		return ERR(e, ERR_INVALID, path, "cannot be opened: %s", strerror(errno));
	if (fstat(*fd, &st) == 0 && S_ISDIR(st.st_mode)) {
		close(*fd);
		*fd = -1;
		return ERR(e, ERR_INVALID, path, "is a directory, not a file");
	}
	return 0;
}

static int read_all(char **out, size_t *len, gzFile z, const char *path, size_t limit, struct err *e)
{
	size_t n = 0, cap = 1 << 16;
	char *buf = mem_resize(NULL, cap + 1);

	for (;;) {
		int got;

		if (n == cap) {
			cap *= 2;
			buf = mem_resize(buf, cap + 1);
		}
		got = gzread(z, buf + n, (unsigned)(cap - n > 1 << 30 ? 1 << 30 : cap - n));
		if (got < 0) {
			mem_free(buf);
			return ERR(e, ERR_INVALID, path, "cannot be read: the compressed data is damaged");
		}
		if (got == 0)
			break;
		n += (size_t)got;
		if (n > limit) {
			mem_free(buf);
			return ERR(e, ERR_INVALID, path, "holds more than %zu bytes, which is the limit here", limit);
		}
	}
	/* A gzip stream that ends early is no error to gzread when some bytes were delivered: ask again. */
	{
		int code;

		gzerror(z, &code);
		if (code == Z_BUF_ERROR || code == Z_DATA_ERROR) {
			mem_free(buf);
			return ERR(e, ERR_INVALID, path, "ends too early: the compressed data is truncated");
		}
	}
	buf[n] = 0;
	*out = buf;
	if (len)
		*len = n;
	return 0;
}

static int read_plain(char **out, size_t *len, int fd, const char *path, size_t limit, struct err *e)
{
	struct stat st;
	size_t n = 0, cap;
	char *buf;

	cap = fstat(fd, &st) == 0 && st.st_size > 0 ? (size_t)st.st_size : 1 << 12;
	if (cap > limit)
		return ERR(e, ERR_INVALID, path, "holds %zu bytes, more than the limit of %zu", cap, limit);
	buf = mem_resize(NULL, cap + 1);
	for (;;) {
		ssize_t got;

		if (n == cap) {
			cap *= 2;
			buf = mem_resize(buf, cap + 1);
		}
		got = read(fd, buf + n, cap - n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 || n + (size_t)got > limit) {
			int why = errno;

			mem_free(buf);
			if (got >= 0)
				return ERR(e, ERR_INVALID, path, "holds more than %zu bytes", limit);
			return ERR(e, ERR_INVALID, path, "cannot be read: %s", strerror(why));
		}
		if (got == 0)
			break;
		n += (size_t)got;
	}
	buf[n] = 0;
	*out = buf;
	if (len)
		*len = n;
	return 0;
}

int file_read(char **out, size_t *len, const char *path, size_t limit, bool gunzip, struct err *e)
{
	unsigned char magic[2];
	gzFile z;
	int fd, rc;

	if (open_file(&fd, path, e) < 0)
		return -1;
	if (!gunzip || pread(fd, magic, 2, 0) != 2 || magic[0] != 0x1f || magic[1] != 0x8b) {
		rc = read_plain(out, len, fd, path, limit, e);
		close(fd);
		return rc;
	}
	z = gzdopen(fd, "rb");
	if (!z) {
		close(fd);
		return ERR(e, ERR_RUNTIME, path, "cannot be opened for decompression: out of memory");
	}
	gzbuffer(z, 1 << 17);
	rc = read_all(out, len, z, path, limit, e);
	gzclose(z);
	return rc;
}

int file_put(int fd, const void *data, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t put = write(fd, (const char *)data + done, len - done);

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return -1;
		done += (size_t)put;
	}
	return 0;
}

/* What is no file, such as /dev/stdout or a pipe, is written to: a new file in its place would end it for everybody. */
static int write_in_place(const char *path, const void *data, size_t len)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC), rc;

	if (fd < 0)
		return -1;
	rc = file_put(fd, data, len);
	return close(fd) < 0 ? -1 : rc;
}

static int replace(const char *path, const void *data, size_t len)
{
	size_t n = strlen(path) + 16;
	char *tmp = mem_new(n);
	int fd, why, rc = -1;

	snprintf(tmp, n, "%s.tmp%d", path, (int)getpid() % 100000);
	fd = open(tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0) {
		rc = file_put(fd, data, len) < 0 || fsync(fd) < 0 || rename(tmp, path) < 0 ? -1 : 0;
		why = errno; /* of the mistake, not of tidying up */
		if (rc < 0)
			unlink(tmp);
		close(fd);
		errno = why;
	}
	mem_free(tmp);
	return rc;
}

int file_write(const char *path, const void *data, size_t len, struct err *e)
{
	char *target = NULL;
	struct stat s;
	int rc;

	if (stat(path, &s) == 0 && !S_ISREG(s.st_mode)) {
		rc = write_in_place(path, data, len);
	} else {
		target = realpath(path, NULL); /* a link stays one; NULL: a new file */
		rc = replace(target ? target : path, data, len);
	}
	if (rc < 0)
		ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno));
	free(target);
	return rc;
}

bool file_exists(const char *path)
{
	return access(path, F_OK) == 0;
}

int file_mkdirs(const char *path, struct err *e)
{
	char *p = mem_strdup(path);
	int rc = 0;

	for (char *s = *p ? p + 1 : p; rc == 0; s++) {
		char c = *s;

		if (c != '/' && c)
			continue;
		*s = 0;
		if (*p && mkdir(p, 0777) < 0 && errno != EEXIST)
			rc = ERR(e, ERR_RUNTIME, path, "cannot make the folder: %s", strerror(errno));
		*s = c;
		if (!c)
			break;
	}
	mem_free(p);
	return rc;
}
