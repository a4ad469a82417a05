/* tests/helper_files.h - a temporary folder with files for tests of readers. */
#ifndef NAB_TESTS_HELPER_FILES_H
#define NAB_TESTS_HELPER_FILES_H

#include <stdbool.h>
#include <stddef.h>

struct arena;

const char *temp_dir(void); /* a fresh folder; all are removed by temp_clean() */
void temp_clean(void);
int temp_teardown(void **state); /* temp_clean() as a fixture of a test or a group */

/* dir/name with these bytes (folders in name are made). Returns its path, valid for the next 15 calls.
 */
const char *temp_file(const char *dir, const char *name, const void *data, size_t len);
const char *temp_text(const char *dir, const char *name, const char *text);

/* Calls `try` with every .json file of a folder. Returns their number, -1 if the folder cannot be read. */
int each_json(const char *dir, void (*try)(const char *path));

bool program_there(const char *program); /* is it on the PATH? */
/* What a command line of the shell writes to stdout; its exit status as of system(). */
char *program_output(const char *command, int *status, struct arena *a);

/* The folder of real data beside the checkout with this file in it, or NULL: then skip(). */
const char *real_data(const char *file);

#endif
