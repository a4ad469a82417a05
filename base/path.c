/* base/path.c - see path.h. */
#include "base/path.h"

#include <string.h>

#include "base/mem.h"

char *path_join(struct arena *a, const char *dir, const char *path)
{
	if (path[0] == '/' || !dir || !dir[0])
		return arena_strdup(a, path);
	return arena_printf(a, "%s%s%s", dir, dir[strlen(dir) - 1] == '/' ? "" : "/", path);
}

char *path_dir(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return arena_strdup(a, "");
	return arena_printf(a, "%.*s", (int)(slash == path ? 1 : slash - path), path);
}

const char *path_base(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}
