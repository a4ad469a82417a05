/* wasm/files.c - base/file.h for the page's editor: the only files are those of the block library
 * (build/wasm/library.c, made from configs/blocks/ by the Makefile).
 */
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "wasm/library.h"

static const struct library_file *find(const char *path)
{
	for (const struct library_file *f = library_files; f->name; f++)
		if (strcmp(f->name, path) == 0)
			return f;
	return NULL;
}

bool file_exists(const char *path)
{
	return find(path) != NULL;
}

int file_read(char **out, size_t *len, const char *path, size_t limit, bool gunzip, struct err *e)
{
	const struct library_file *f = find(path);

	(void)gunzip;
	if (!f || strlen(f->text) > limit)
		return ERR(e, ERR_INVALID, path, "cannot be opened: the editor knows the block library alone");
	*out = mem_strdup(f->text);
	if (len)
		*len = strlen(f->text);
	return 0;
}

int file_write(const char *path, const void *data, size_t len, struct err *e)
{
	(void)data;
	(void)len;
	return ERR(e, ERR_RUNTIME, path, "cannot be written: the editor writes no files");
}
