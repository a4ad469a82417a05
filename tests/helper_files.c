/* tests/helper_files.c - see helper_files.h. */
#include "tests/helper_files.h"

#include <assert.h>
#include <dirent.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

static char dirs[64][64];
static int n_dirs;

const char *temp_dir(void)
{
	char *d = dirs[n_dirs];

	if (n_dirs == 64)
		abort();
	n_dirs++;
	strcpy(d, "/tmp/nab-test-XXXXXX");
	if (!mkdtemp(d))
		abort();
	return d;
}

static int unlink_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void temp_clean(void)
{
	while (n_dirs > 0)
		nftw(dirs[--n_dirs], unlink_one, 16, FTW_DEPTH | FTW_PHYS);
}

int temp_teardown(void **state)
{
	(void)state;
	temp_clean();
	return 0;
}

const char *temp_file(const char *dir, const char *name, const void *data, size_t len)
{
	static char ring[16][256];
	static int turn;
	char *path = ring[turn++ % 16], *slash;
	FILE *f;

	snprintf(path, sizeof ring[0], "%s/%s", dir, name);
	slash = strrchr(path, '/');
	*slash = 0;
	if (file_mkdirs(path, NULL) < 0)
		abort();
	*slash = '/';
	f = fopen(path, "wb");
	if (!f || fwrite(data, 1, len, f) != len || fclose(f) != 0)
		abort();
	return path;
}

const char *temp_text(const char *dir, const char *name, const char *text)
{
	return temp_file(dir, name, text, strlen(text));
}

int each_json(const char *dir, void (*try)(const char *path))
{
	DIR *d = opendir(dir);
	char path[300];
	int n = 0;

	if (!d)
		return -1;
	for (struct dirent *f; (f = readdir(d));) {
		const char *dot = strrchr(f->d_name, '.');

		if (!dot || strcmp(dot, ".json"))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, f->d_name);
		try(path);
		n++;
	}
	closedir(d);
	return n;
}

bool program_there(const char *program)
{
	char command[128];

	snprintf(command, sizeof command, "command -v %s >/dev/null 2>&1", program);
	return system(command) == 0;
}

char *program_output(const char *command, int *status, struct arena *a)
{
	FILE *p = popen(command, "r");
	struct str t = { 0 };
	char buf[4096], *out;
	size_t n;

	if (!p)
		abort();
	while ((n = fread(buf, 1, sizeof buf, p)) > 0)
		str_addn(&t, buf, n);
	*status = pclose(p);
	out = arena_strdup(a, str_get(&t));
	str_release(&t);
	return out;
}

const char *real_data(const char *file)
{
	static char path[256];

	snprintf(path, sizeof path, "../shared/data/%s", file);
	return access(path, R_OK) == 0 ? path : NULL;
}
