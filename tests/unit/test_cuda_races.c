/* tests/unit/test_cuda_races.c - the emulator's search for races (tests/cuda/races.h): every planted defect is found
 * and named, and the twins without it pass.
 */
#include <dlfcn.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cuda/planted.h"
#include "tests/helper_skip.h"

static const struct planted *kernels;

static void open_planted(void)
{
	char path[2048] = "";
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 64);
	char *end = n > 0 ? strrchr(path, '/') : NULL;
	void *so;

	assert_non_null(end);
	strcpy(end, "/../cuda/planted.so");
	if (access(path, R_OK) != 0)
		SKIP_BECAUSE("no kernels are watched: that needs a C++ compiler with -fsanitize=thread, and no SAN");
	so = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		fail_msg("%s", dlerror());
	kernels = dlsym(so, "planted");
	assert_non_null(kernels);
}

/* In a process of its own: its status, and what it said on stderr. */
static int run(const struct planted *k, int sound, char *said, size_t size)
{
	FILE *f = tmpfile();
	pid_t child;
	int status;

	assert_non_null(f);
	child = fork();
	if (child == 0) {
		signal(SIGABRT, SIG_DFL);
		dup2(fileno(f), 2);
		_exit(k->run(sound));
	}
	assert_true(child > 0 && waitpid(child, &status, 0) == child);
	rewind(f);
	said[fread(said, 1, size - 1, f)] = '\0';
	fclose(f);
	return status;
}

static void test_twins_pass(void **state)
{
	char said[4096];

	(void)state;
	open_planted();
	for (const struct planted *k = kernels; k->name; k++)
		if (run(k, 1, said, sizeof said) != 0 || *said)
			fail_msg("%s: %s", k->name, said);
}

static void test_defects_are_found(void **state)
{
	char said[4096], names[128];

	(void)state;
	open_planted();
	for (const struct planted *k = kernels; k->name; k++) {
		int status = run(k, 0, said, sizeof said);
		snprintf(names, sizeof names, "emulated kernel %s: ", k->name);
		if (k->says ? !WIFSIGNALED(status) || WTERMSIG(status) != SIGABRT : status != 0)
			fail_msg("%s: status %d: %s", k->name, status, said);
		if (k->says && (!strstr(said, k->says) || !strstr(said, names)))
			fail_msg("%s: \"%s\" is not in: %s", k->name, k->says, said);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_twins_pass),
		cmocka_unit_test(test_defects_are_found),
	};

	return cmocka_run_group_tests_name("cuda_races", tests, NULL, NULL);
}
