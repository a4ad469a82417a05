/* tests/unit/test_cuda_library.c - where the plugin looks for NVIDIA's libraries, and plans that several threads make
 * at once (train/cuda/library.c), without the libraries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/helper_skip.h"

#if __has_include(<cublasLt.h>) && __has_include(<cudnn.h>)

#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/helper_files.h"
#include "train/cuda/library.c"

/* ---- what library.c stands on ----------------------------------------------------------------------------- */

int card_fail(struct cuda_error *e, enum cuda_status status, const char *fmt, ...)
{
	(void)fmt;
	e->status = status;
	return -1;
}

bool choices_get(const char *key, char **note, char **plan)
{
	(void)key, (void)note, (void)plan;
	return false;
}

void choices_put(const char *key, const char *note, const char *plan)
{
	(void)key, (void)note, (void)plan;
}

void choices_save(void)
{
}

int nvidia_properties(cudnnBackendDescriptor_t *out, int device, const char *description, struct cuda_error *e)
{
	(void)out, (void)device, (void)description, (void)e;
	return -1;
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *out, int device)
{
	(void)out, (void)device;
	return cudaErrorNoDevice;
}

cudaError_t cudaMemGetInfo(size_t *available, size_t *total)
{
	(void)available, (void)total;
	return cudaErrorNoDevice;
}

const char *cudaGetErrorString(cudaError_t e)
{
	(void)e;
	return "an error";
}

/* Plans of operations by their number of examples. */
static atomic_int made, released;

static void key_of(const struct cuda_op *op, char *buf, size_t size)
{
	snprintf(buf, size, "%d", op->u.conv.x.n);
}

static int make(struct library *l, struct plan *p, const struct cuda_op *op, struct cuda_error *e)
{
	(void)l, (void)e;
	usleep(200); /* others come in the meantime */
	p->workspace = op->u.conv.x.n;
	made++;
	return 0;
}

static void release(struct plan *p)
{
	(void)p;
	released++;
}

const struct nvidia_part nvidia_conv = { .key = key_of, .make = make, .release = release };
const struct nvidia_part nvidia_dense = { .key = key_of };

/* ---- finding ---------------------------------------------------------------------------------------------- */

static bool looks_at(const struct paths *p, const char *path)
{
	for (int i = 0; i < p->n; i++)
		if (!strcmp(p->path[i], path))
			return true;
	return false;
}

/* python3 of a virtual environment is a link to the system's: both have packages. */
static void packages_of_python(void **state)
{
	static const char file[] = "lib/python3.12/site-packages/nvidia/cudnn/lib";
	const char *folder = temp_dir(), *venv, *base;
	struct paths *p = calloc(1, sizeof *p);
	char command[2048], path[PATH_MAX];

	(void)state;
	assert_non_null(p);
	snprintf(path, sizeof path, "venv/%s/%s", file, cudnn.file);
	venv = temp_file(folder, path, "", 0);
	snprintf(path, sizeof path, "base/%s/%s", file, cudnn.file);
	base = temp_file(folder, path, "", 0);
	snprintf(command, sizeof command,
		 "cd '%s' && mkdir venv/bin base/bin && : >base/bin/python3.12 && chmod +x base/bin/python3.12 && "
		 "ln -s '%s/base/bin/python3.12' venv/bin/python3.12 && ln -s python3.12 venv/bin/python3",
		 folder, folder);
	assert_int_equal(system(command), 0);
	snprintf(path, sizeof path, "/nowhere:%s/venv/bin:/bin:/usr/bin", folder);
	setenv("PATH", path, 1);
	setenv("HOME", folder, 1);
	unsetenv("VIRTUAL_ENV");
	unsetenv(cudnn.variable);
	look(p, &cudnn);
	assert_true(looks_at(p, venv));
	assert_true(looks_at(p, base));
	assert_string_equal(p->path[0], cudnn.file);
	setenv(cudnn.variable, folder, 1);
	p->n = 0;
	look(p, &cudnn);
	assert_int_equal(p->n, 1);
	snprintf(path, sizeof path, "%s/%s", folder, cudnn.file);
	assert_string_equal(p->path[0], path);
	free(p);
	temp_clean();
}

/* ---- plans ------------------------------------------------------------------------------------------------ */

enum { THREADS = 8, SHAPES = 60 };

static struct library shared = { .lock = PTHREAD_MUTEX_INITIALIZER, .device = 0 };

static void *plan_all(void *arg)
{
	struct cuda_error e = { 0 };
	int64_t scratch;

	(void)arg;
	for (int i = 0; i < 2 * SHAPES; i++) {
		struct cuda_op op = { .kind = CUDA_OP_CONV, .u.conv.x.n = 1 + i % SHAPES };
		char words[320];

		if (library_plan(&shared, &op, i % 2, &scratch, &e) < 0 || scratch != op.u.conv.x.n)
			return arg;
		library_describe(&shared, &op, words, sizeof words);
		if (plan_of(&shared, &op)->workspace != scratch)
			return arg;
	}
	return NULL;
}

static void plans_of_many_threads(void **state)
{
	pthread_t thread[THREADS];
	void *bad;

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, plan_all, &shared), 0);
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &bad), 0);
		assert_null(bad);
	}
	assert_int_equal(shared.n_plans, SHAPES); /* each was wanted either timed or not */
	assert_int_equal(made - released, SHAPES);
	for (int i = 0; i < shared.n_plans; i++)
		plan_free(shared.plan[i]);
	free(shared.plan);
	assert_int_equal(made, released);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plans_of_many_threads),
		cmocka_unit_test(packages_of_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static void libraries(void **state)
{
	(void)state;
	SKIP_BECAUSE("CUDA's or cuDNN's headers are not here");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(libraries) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
