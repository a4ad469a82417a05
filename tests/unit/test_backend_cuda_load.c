/* tests/unit/test_backend_cuda_load.c - the CUDA plugin is opened once, by any thread, and a failure is not for ever.
 * What can be wrong with it: tests/system/cuda_load.sh. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/helper_cuda.h"
#include "train/backend_cuda_load.h"

static void *load(void *out)
{
	*(const struct cuda_plugin **)out = cuda_load(NULL);
	return NULL;
}

static void a_failure_is_said_and_forgotten(void **state)
{
	static struct cuda_found found;
	const char *given = getenv("NAB_CUDA_PLUGIN");
	char *before = given ? mem_strdup(given) : NULL;
	struct err e = { 0 };

	(void)state;
	setenv("NAB_CUDA_PLUGIN", "/nowhere/backend_cuda.so", 1);
	assert_null(cuda_load(&e));
	assert_int_equal(e.code, ERR_RUNTIME);
	assert_string_equal(e.where, "CUDA plugin");
	assert_non_null(strstr(e.msg, "/nowhere/backend_cuda.so"));
	assert_string_equal(cuda_load_path(), "");
	err_clear(&e);
	assert_int_equal(cuda_find(&found, &e), -1);
	assert_non_null(strstr(e.msg, "/nowhere/backend_cuda.so"));
	assert_int_equal(found.n_parts, 1);
	assert_string_equal(found.part[0].name, "plugin");
	assert_false(found.part[0].ok);
	assert_int_equal(found.n_devices, 0);
	if (before)
		setenv("NAB_CUDA_PLUGIN", before, 1);
	else
		unsetenv("NAB_CUDA_PLUGIN");
	mem_free(before);
}

static void every_thread_gets_the_same(void **state)
{
	enum { THREADS = 8 };
	static struct cuda_found found;
	const struct cuda_plugin *got[THREADS], *p;
	pthread_t thread[THREADS];

	(void)state;
	p = cuda_test_plugin();
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, load, &got[i]), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(thread[i], NULL);
		assert_ptr_equal(got[i], p);
	}
	assert_string_equal(cuda_load_path(), getenv("NAB_CUDA_PLUGIN"));
	assert_int_equal(cuda_find(&found, NULL), 0);
	assert_true(found.n_parts > 1 && found.n_devices > 0);
	assert_string_equal(found.part[0].name, "plugin");
	assert_non_null(strstr(found.part[0].text, cuda_load_path()));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_is_said_and_forgotten),
		cmocka_unit_test(every_thread_gets_the_same),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
