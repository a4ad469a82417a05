/* base/path.h - paths of files: plain text; '~' is not expanded. */
#ifndef NAB_BASE_PATH_H
#define NAB_BASE_PATH_H

struct arena;

/* `path` if it is absolute or dir is NULL or "", else dir/path. */
char *path_join(struct arena *a, const char *dir, const char *path);
char *path_dir(struct arena *a, const char *path); /* "" for a bare name */
const char *path_base(const char *path);           /* what follows the last '/' */

#endif
