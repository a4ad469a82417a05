/* train/backend_cuda_load.c - the CUDA plugin: where it may lie, and whether it speaks our language. */
#include "train/backend_cuda_load.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

#define PLUGIN "backend_cuda.so"
#define WHERE  "CUDA plugin"

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static const struct cuda_plugin *plugin; /* guarded by lock, as its path */
static char plugin_path[4096];

static int check_size(const char *path, const char *what, uint32_t got, size_t want, struct err *e)
{
	if (got == want)
		return 0;
	return ERR(e, ERR_RUNTIME, WHERE,
		   "%s does not belong to this nab: its %s takes %u bytes, not %zu; build both anew", path, what, got,
		   want);
}

static int check(const char *path, const struct cuda_plugin *p, struct err *e)
{
	if (p->abi != CUDA_ABI)
		return ERR(e, ERR_RUNTIME, WHERE,
			   "%s does not belong to this nab: its interface is version %u, not %d; build both anew", path,
			   p->abi, CUDA_ABI);
	if (check_size(path, "operation", p->op_size, sizeof(struct cuda_op), e) < 0 ||
	    check_size(path, "control block", p->control_size, sizeof(struct cuda_control), e) < 0 ||
	    check_size(path, "list of parts", p->found_size, sizeof(struct cuda_found), e) < 0)
		return -1;
	return check_size(path, "step", p->step_size, sizeof(struct cuda_step), e);
}

static int open_plugin(const char *path, struct err *e)
{
	/* a bare name would be looked for in the system's folders */
	const char *dir = strchr(path, '/') ? "" : "./";
	char full[sizeof plugin_path];
	const struct cuda_plugin *p;
	cuda_plugin_entry *entry;
	void *so;

	snprintf(full, sizeof full, "%s%s", dir, path);
	so = dlopen(full, RTLD_NOW | RTLD_LOCAL);
	if (!so)
		return ERR(e, ERR_RUNTIME, WHERE, "cannot be opened: %s", dlerror());
	*(void **)&entry = dlsym(so, CUDA_PLUGIN_SYMBOL);
	if (!entry) {
		dlclose(so);
		return ERR(e, ERR_RUNTIME, WHERE, "%s is no plugin of nab: it has no %s()", path, CUDA_PLUGIN_SYMBOL);
	}
	p = entry();
	if (check(path, p, e) < 0) {
		dlclose(so);
		return -1;
	}
	memcpy(plugin_path, full, sizeof full);
	plugin = p;
	return 0;
}

static int look(struct arena *a, struct err *e)
{
	const char *env = getenv("NAB_CUDA_PLUGIN"), *dir, *folders[3];
	char exe[1024];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);

	if (env && env[0])
		return open_plugin(env, e);
	exe[n > 0 ? n : 0] = 0;
	dir = path_dir(a, exe);
	folders[0] = dir;
	folders[1] = path_join(a, path_dir(a, dir), "lib/nab");
	folders[2] = path_join(a, dir, "build/release");
	for (int i = 0; i < 3; i++) {
		const char *path = path_join(a, folders[i], PLUGIN);

		if (file_exists(path))
			return open_plugin(path, e);
	}
	return ERR(e, ERR_RUNTIME, WHERE,
		   "no " PLUGIN " in %s, %s or %s: `make` builds it where nvcc is, NAB_CUDA_PLUGIN names it",
		   folders[0], folders[1], folders[2]);
}

const struct cuda_plugin *cuda_load(struct err *e)
{
	const struct cuda_plugin *p;
	struct arena *a = arena_new();

	pthread_mutex_lock(&lock);
	if (!plugin)
		look(a, e);
	p = plugin;
	pthread_mutex_unlock(&lock);
	arena_free(a);
	return p;
}

const char *cuda_load_path(void)
{
	const char *path;

	pthread_mutex_lock(&lock);
	path = plugin ? plugin_path : "";
	pthread_mutex_unlock(&lock);
	return path;
}

/* ---- what is there -------------------------------------------------------------------------------------- */

static void put_plugin_first(struct cuda_found *out, bool ok, const char *text)
{
	struct cuda_part *part = out->part;

	if (out->n_parts == CUDA_PARTS)
		out->n_parts--;
	memmove(part + 1, part, (size_t)out->n_parts * sizeof *part);
	out->n_parts++;
	memset(part, 0, sizeof *part);
	snprintf(part->name, sizeof part->name, "plugin");
	part->ok = ok;
	snprintf(part->text, sizeof part->text, "%s", text);
}

int cuda_find(struct cuda_found *out, struct err *e)
{
	struct err missing = { 0 };
	const struct cuda_plugin *p = cuda_load(&missing);
	struct str text = { 0 };
	int rc;

	memset(out, 0, sizeof *out);
	if (!p) {
		put_plugin_first(out, false, missing.msg);
		return ERR(e, missing.code, missing.where, "%s", missing.msg);
	}
	rc = p->find(out);
	str_addf(&text, "%s, built with %s", cuda_load_path(), p->built);
	put_plugin_first(out, true, str_get(&text));
	str_release(&text);
	if (rc == 0)
		return 0;
	for (int i = 0; i < out->n_parts; i++)
		if (!out->part[i].ok)
			return ERR(e, ERR_RUNTIME, "CUDA", "%s: %s", out->part[i].name, out->part[i].text);
	return ERR(e, ERR_RUNTIME, "CUDA", "no device");
}
