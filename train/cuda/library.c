/* train/cuda/library.c - see library.h: the libraries are found and opened, and every operation gets its plan. */
#include "train/cuda/library.h"

#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "train/cuda/choices.h"
#include "train/cuda/nvidia.h"

#define TRY(call)                 \
	do {                      \
		if ((call) < 0)   \
			goto out; \
	} while (0)

#define CALL(name) __typeof__(name) *nvidia_##name;
CUDNN_CALLS(CALL)
CUBLASLT_CALLS(CALL)
#undef CALL

/* ---- finding -------------------------------------------------------------------------------------------- */

struct function {
	const char *name;
	void **at;
};

#define CALL(name) { #name, (void **)&nvidia_##name },
static const struct function cudnn_functions[] = { CUDNN_CALLS(CALL){ NULL, NULL } };
static const struct function cublaslt_functions[] = { CUBLASLT_CALLS(CALL){ NULL, NULL } };
#undef CALL

enum { PATHS = 24, KEY = 400 };

struct shared {                             /* a library that is wanted */
	const char *name, *file, *variable; /* "libcudnn.so.9" */
	const char *packages[3];            /* folders of site-packages that may hold it */
	const struct function *functions;
	void *handle;
	struct cuda_part part; /* what was found */
};

#define TEXT(x)  #x
#define MAJOR(x) TEXT(x)

static struct shared cublaslt = { .name = "cublaslt",
				  .file = "libcublasLt.so." MAJOR(CUBLAS_VER_MAJOR),
				  .variable = "NAB_CUBLASLT",
				  .packages = { "nvidia/cu" MAJOR(CUBLAS_VER_MAJOR) "/lib", "nvidia/cublas/lib", NULL },
				  .functions = cublaslt_functions };
static struct shared cudnn = { .name = "cudnn",
			       .file = "libcudnn.so." MAJOR(CUDNN_MAJOR),
			       .variable = "NAB_CUDNN",
			       .packages = { "nvidia/cudnn/lib", NULL },
			       .functions = cudnn_functions };
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of the two, and of making handles */

struct paths { /* where to look, in this order; each is tried and remembered for the message */
	char path[PATHS][PATH_MAX];
	int n;
};

static void add_path(struct paths *p, const char *dir, const char *file)
{
	if (p->n < PATHS && snprintf(p->path[p->n], PATH_MAX, "%s%s%s", dir, *dir ? "/" : "", file) < PATH_MAX)
		p->n++;
}

/* The library in the packages of a Python installation: a pip-installed PyTorch carries it there. */
static void add_packages(struct paths *p, const char *prefix, const struct shared *s)
{
	static const char *const sites[] = { "site-packages", "dist-packages" };
	char pattern[PATH_MAX];
	glob_t g;

	for (int i = 0; s->packages[i]; i++) {
		for (int k = 0; k < 2; k++) {
			snprintf(pattern, sizeof pattern, "%s/lib/python3*/%s/%s/%s", prefix, sites[k], s->packages[i],
				 s->file);
			if (glob(pattern, 0, NULL, &g))
				continue;
			for (size_t j = 0; j < g.gl_pathc; j++)
				add_path(p, "", g.gl_pathv[j]);
			globfree(&g);
		}
	}
}

/* ".../bin/python3" without its last two parts. */
static void to_prefix(char *path)
{
	for (int up = 0; up < 2 && strrchr(path, '/'); up++)
		*strrchr(path, '/') = 0;
}

/* The packages of the python3 on PATH: of a virtual environment, whose python3 is a link to that of the system, and of
 * what the link leads to. */
static void add_python(struct paths *p, const struct shared *s)
{
	const char *path = getenv("PATH");
	char file[PATH_MAX], real[PATH_MAX] = "";

	for (const char *at = path ? path : ""; *at && !*real; at += strspn(at, ":")) {
		size_t len = strcspn(at, ":");

		if (snprintf(file, sizeof file, "%.*s/python3", (int)len, at) >= PATH_MAX || access(file, X_OK) ||
		    !realpath(file, real))
			*real = 0;
		at += len;
	}
	if (!*real)
		return;
	to_prefix(file);
	to_prefix(real);
	add_packages(p, file, s);
	if (strcmp(file, real) != 0)
		add_packages(p, real, s);
}

static void look(struct paths *p, const struct shared *s)
{
	static const char *const homes[] = { "CUDA_HOME", "CUDA_PATH" }, *const subs[] = { "lib64", "lib" };
	const char *own = getenv(s->variable), *home = getenv("HOME"), *venv = getenv("VIRTUAL_ENV");
	char dir[PATH_MAX];
	struct stat st;

	if (own && *own) {
		bool is_dir = !stat(own, &st) && S_ISDIR(st.st_mode);

		add_path(p, is_dir ? own : "", is_dir ? s->file : own);
		return;
	}
	add_path(p, "", s->file);
	for (int i = 0; i < 2; i++) {
		for (int k = 0; getenv(homes[i]) && k < 2; k++) {
			snprintf(dir, sizeof dir, "%s/%s", getenv(homes[i]), subs[k]);
			add_path(p, dir, s->file);
		}
	}
	add_path(p, "/usr/local/cuda/lib64", s->file);
	add_path(p, "/usr/lib/x86_64-linux-gnu", s->file);
	if (venv && *venv)
		add_packages(p, venv, s);
	add_python(p, s);
	snprintf(dir, sizeof dir, "%s/.local", home ? home : "");
	add_packages(p, dir, s);
}

__attribute__((format(printf, 2, 3))) static void say(struct cuda_part *part, const char *fmt, ...)
{
	size_t have = strlen(part->text);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(part->text + have, sizeof part->text - have, fmt, ap);
	va_end(ap);
}

/* A text of the loader without the file's name, which stands before it already. */
static const char *without(const char *text, const char *path)
{
	size_t n = strlen(path);

	return !strncmp(text, path, n) && text[n] == ':' ? text + n + 2 : text;
}

static void not_found(struct shared *s, const struct paths *p, const char *why)
{
	if (p->n == 1) {
		say(&s->part, "%s (from %s): %s", p->path[0], s->variable, why);
		return;
	}
	say(&s->part, "%s not found; looked in the loader's paths (LD_LIBRARY_PATH, ld.so.conf)", s->file);
	for (int i = 1; i < p->n; i++)
		say(&s->part, ", %.*s", (int)(strrchr(p->path[i], '/') - p->path[i]), p->path[i]);
	say(&s->part, " and the packages of python3; %s may name it", s->variable);
}

static bool resolve(struct shared *s, const char *path)
{
	for (const struct function *f = s->functions; f->name; f++) {
		*f->at = dlsym(s->handle, f->name);
		if (!*f->at) {
			say(&s->part, "%s has no %s(): too old, or another library", path, f->name);
			return false;
		}
	}
	return true;
}

static void open_shared(struct shared *s)
{
	struct paths *p = calloc(1, sizeof *p);
	const char *path = s->file;
	char why[256] = "";

	if (!p)
		return;
	snprintf(s->part.name, sizeof s->part.name, "%s", s->name);
	s->part.text[0] = 0;
	look(p, s);
	for (int i = 0; i < p->n && !s->handle; i++) {
		path = p->path[i];
		s->handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
		if (!s->handle)
			snprintf(why, sizeof why, "%s", without(dlerror(), path));
	}
	if (!s->handle)
		not_found(s, p, why);
	else if (!resolve(s, path)) {
		dlclose(s->handle);
		s->handle = NULL;
	}
	free(p);
}

static const char *file_of(void *function)
{
	Dl_info info;

	return dladdr(function, &info) && info.dli_fname ? info.dli_fname : "?";
}

/* "9.19.0, /usr/lib/libcudnn.so.9", and whether it is older than what the plugin was built with. */
static void say_version(struct shared *s, size_t version, size_t built, void *function)
{
	say(&s->part, "%zu.%zu.%zu, %s", version / 10000, version / 100 % 100, version % 100, file_of(function));
	if (version < built)
		say(&s->part, " (older than the %zu.%zu.%zu that the plugin was built with)", built / 10000,
		    built / 100 % 100, built % 100);
	s->part.ok = 1;
}

/* Opened once; a library that is missing is looked for again at the next call. cuBLASLt first: cuDNN then uses the same
 * one. */
static bool open_both(void)
{
	size_t version;

	if (!cublaslt.handle) {
		open_shared(&cublaslt);
		if (cublaslt.handle)
			say_version(&cublaslt, nvidia_cublasLtGetVersion(), CUBLAS_VERSION,
				    (void *)nvidia_cublasLtGetVersion);
	}
	if (!cudnn.handle) {
		open_shared(&cudnn);
		version = cudnn.handle ? nvidia_cudnnGetVersion() : 0;
		if (version / 10000 == CUDNN_MAJOR) {
			say_version(&cudnn, version, CUDNN_VERSION, (void *)nvidia_cudnnGetVersion);
		} else if (cudnn.handle) {
			say(&cudnn.part, "%s is version %zu; %d is needed", file_of((void *)nvidia_cudnnGetVersion),
			    version, CUDNN_MAJOR);
			dlclose(cudnn.handle);
			cudnn.handle = NULL;
		}
	}
	return cudnn.handle && cublaslt.handle;
}

bool library_find(struct cuda_part *cudnn_part, struct cuda_part *cublaslt_part)
{
	bool both;

	pthread_mutex_lock(&lock);
	both = open_both();
	*cudnn_part = cudnn.part;
	*cublaslt_part = cublaslt.part;
	pthread_mutex_unlock(&lock);
	return both;
}

/* ---- errors --------------------------------------------------------------------------------------------- */

int nvidia_cudnn(cudnnStatus_t rc, const char *what, struct cuda_error *e)
{
	char text[320] = "";

	if (rc == CUDNN_STATUS_SUCCESS)
		return 0;
	nvidia_cudnnGetLastErrorString(text, sizeof text);
	text[strcspn(text, "\n")] = 0;
	return card_fail(e, rc / 1000 == 3 ? CUDA_UNSUPPORTED : CUDA_FAILED, "cuDNN, %s: %s%s%s", what,
			 nvidia_cudnnGetErrorString(rc), *text ? ": " : "", text);
}

int nvidia_cublaslt(cublasStatus_t rc, const char *what, struct cuda_error *e)
{
	if (rc == CUBLAS_STATUS_SUCCESS)
		return 0;
	return card_fail(e, rc == CUBLAS_STATUS_NOT_SUPPORTED ? CUDA_UNSUPPORTED : CUDA_FAILED, "cuBLASLt, %s: %s",
			 what, nvidia_cublasLtGetStatusString(rc));
}

void *nvidia_at(const struct cuda_ref *ref, const uint64_t base[CUDA_BASES])
{
	return ref->base == CUDA_NONE ? NULL : (void *)(uintptr_t)(base[ref->base] + (uint64_t)ref->offset);
}

/* ---- libraries of a device ------------------------------------------------------------------------------ */

static struct library *described; /* the one that was asked for last comes first */

static const struct nvidia_part *part_of(int32_t kind)
{
	static const struct nvidia_part *const parts[CUDA_OP_COUNT] = {
		[CUDA_OP_CONV] = &nvidia_conv,        [CUDA_OP_CONV_DATA] = &nvidia_conv,
		[CUDA_OP_CONV_WEIGHT] = &nvidia_conv, [CUDA_OP_DENSE] = &nvidia_dense,
		[CUDA_OP_DENSE_DATA] = &nvidia_dense, [CUDA_OP_DENSE_WEIGHT] = &nvidia_dense,
	};

	return kind >= 0 && kind < CUDA_OP_COUNT ? parts[kind] : NULL;
}

bool library_runs(enum cuda_op_kind kind)
{
	return part_of((int32_t)kind) != NULL;
}

static uint64_t fnv(const char *text)
{
	uint64_t h = 14695981039346656037U;

	for (; *text; text++)
		h = (h ^ (unsigned char)*text) * 1099511628211U;
	return h;
}

static int identify(struct library *l, struct cuda_error *e)
{
	struct cudaDeviceProp prop;
	cudaError_t rc;
	char device[160];

	if (l->description) {
		snprintf(device, sizeof device, "described %016llx", (unsigned long long)fnv(l->description));
	} else {
		rc = cudaGetDeviceProperties(&prop, l->device);
		if (rc)
			return card_fail(e, CUDA_FAILED, "device %d: %s", l->device, cudaGetErrorString(rc));
		snprintf(device, sizeof device, "%.100s sm_%d%d %d", prop.name, prop.major, prop.minor,
			 prop.multiProcessorCount);
	}
	snprintf(l->identity, sizeof l->identity, "%s cudnn %zu cublaslt %zu", device, nvidia_cudnnGetVersion(),
		 nvidia_cublasLtGetVersion());
	return 0;
}

static int need_both(struct cuda_error *e)
{
	struct cuda_part a, b;

	if (library_find(&a, &b))
		return 0;
	return card_fail(e, CUDA_FAILED, "%s", a.ok ? b.text : a.text);
}

static int library_new(struct library **out, int device, const char *description, struct cuda_error *e)
{
	struct library *l;
	int rc = -1;

	*out = NULL;
	if (need_both(e) < 0)
		return -1;
	l = calloc(1, sizeof *l);
	if (!l)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	pthread_mutex_init(&l->lock, NULL);
	l->device = device;
	l->description = description ? strdup(description) : NULL;
	TRY(identify(l, e));
	TRY(nvidia_properties(&l->properties, device, description, e));
	if (!description)
		TRY(nvidia_cublaslt(nvidia_cublasLtCreate(&l->lt), "handle", e));
	*out = l;
	l = NULL;
	rc = 0;
out:
	library_close(l);
	return rc;
}

int library_open(struct library **out, int device, struct cuda_error *e)
{
	return library_new(out, device, NULL, e);
}

struct library *library_described(const char *description, struct cuda_error *e)
{
	static pthread_mutex_t once = PTHREAD_MUTEX_INITIALIZER;
	struct library *l, **at;

	pthread_mutex_lock(&once);
	for (at = &described; description && *at && strcmp((*at)->description, description) != 0; at = &(*at)->next)
		;
	l = *at;
	if (l)
		*at = l->next;
	else if (description)
		library_new(&l, -1, description, e);
	if (l) {
		l->next = described;
		described = l;
	}
	pthread_mutex_unlock(&once);
	return l;
}

static void plan_free(struct plan *p)
{
	if (!p)
		return;
	part_of(p->kind)->release(p);
	pthread_mutex_destroy(&p->lock);
	free(p->key);
	free(p);
}

void library_close(struct library *l)
{
	if (!l)
		return;
	for (int i = 0; i < l->n_plans; i++)
		plan_free(l->plan[i]);
	free(l->plan);
	if (l->properties)
		nvidia_cudnnBackendDestroyDescriptor(l->properties);
	if (l->lt)
		nvidia_cublasLtDestroy(l->lt);
	pthread_mutex_destroy(&l->lock);
	free(l->description);
	free(l);
}

/* ---- plans ---------------------------------------------------------------------------------------------- */

/* Where the number of an operation's plan stands: it is one more than its index, so that 0 means none. */
static int32_t *engine_of(struct cuda_op *op)
{
	return part_of(op->kind) == &nvidia_conv ? &op->u.conv.engine : &op->u.dense.engine;
}

static struct plan *plan_of(struct library *l, const struct cuda_op *op)
{
	struct cuda_op copy = *op;
	int32_t at = part_of(op->kind) ? *engine_of(&copy) : 0;
	struct plan *p = NULL;

	pthread_mutex_lock(&l->lock);
	if (at > 0 && at <= l->n_plans && l->plan[at - 1]->kind == op->kind)
		p = l->plan[at - 1];
	pthread_mutex_unlock(&l->lock);
	return p;
}

static int room_for_one(struct library *l, struct cuda_error *e)
{
	struct plan **more;

	if (l->n_plans < l->room)
		return 0;
	more = realloc(l->plan, sizeof *more * (size_t)(l->room + 256));
	if (!more)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	l->plan = more;
	l->room += 256;
	return 0;
}

#define APART ", bias apart" /* ends the words of a plan that leaves_bias */

/* The plan that was chosen in an earlier run, if it can still be made. */
static bool recall(struct library *l, struct plan *p, const struct cuda_op *op)
{
	const struct nvidia_part *part = part_of(op->kind);
	char key[KEY + sizeof l->identity], *words, *json;
	bool ok;

	snprintf(key, sizeof key, "%s | %s", l->identity, p->key);
	if (!part->load || !choices_get(key, &words, &json))
		return false;
	p->leaves_bias = strstr(words, APART) != NULL;
	snprintf(p->words, sizeof p->words, "%s", words);
	ok = part->load(l, p, op, json);
	free(words);
	free(json);
	return ok;
}

static void keep(struct library *l, const struct plan *p)
{
	const struct nvidia_part *part = part_of(p->kind);
	char key[KEY + sizeof l->identity], *json = part->save ? part->save(p) : NULL;

	snprintf(key, sizeof key, "%s | %s", l->identity, p->key);
	if (json)
		choices_put(key, p->words, json);
	free(json);
}

static int plan_new(struct plan **out, struct library *l, const char *key, const struct cuda_op *op, bool tune,
		    struct cuda_error *e)
{
	struct plan *p = calloc(1, sizeof *p);

	if (!p)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	pthread_mutex_init(&p->lock, NULL);
	p->key = strdup(key);
	p->kind = op->kind;
	p->tune = tune;
	if (!recall(l, p, op)) {
		p->leaves_bias = false;
		if (part_of(op->kind)->make(l, p, op, e) < 0) {
			plan_free(p);
			return -1;
		}
		if (p->leaves_bias)
			strncat(p->words, APART, sizeof p->words - strlen(p->words) - 1);
		keep(l, p);
	}
	*out = p;
	return 0;
}

static int find(const struct library *l, const char *key)
{
	int i = 0;

	while (i < l->n_plans && strcmp(l->plan[i]->key, key) != 0)
		i++;
	return i < l->n_plans ? i : -1;
}

/* Takes a plan that was just made, unless another thread was first with this key. Under the lock. */
static int take(struct library *l, struct plan *p, struct cuda_error *e)
{
	int at = find(l, p->key);

	if (at < 0 && room_for_one(l, e) == 0)
		l->plan[at = l->n_plans++] = p;
	else
		plan_free(p);
	return at;
}

/* Plans are made without the lock: other threads plan and launch meanwhile. */
int library_plan(struct library *l, struct cuda_op *op, bool tune, int64_t *scratch, struct cuda_error *e)
{
	const struct nvidia_part *part = part_of(op->kind);
	struct plan *p = NULL;
	char key[KEY];
	int at;

	if (!part)
		return card_fail(e, CUDA_UNSUPPORTED, "operation %d belongs to no library", op->kind);
	part->key(op, key, sizeof key);
	tune = tune && !l->description;
	if (tune)
		strncat(key, " timed", sizeof key - strlen(key) - 1);
	pthread_mutex_lock(&l->lock);
	at = find(l, key);
	pthread_mutex_unlock(&l->lock);
	if (at < 0 && plan_new(&p, l, key, op, tune, e) < 0)
		return -1;
	pthread_mutex_lock(&l->lock);
	if (p)
		at = take(l, p, e);
	if (at >= 0) {
		*engine_of(op) = at + 1;
		*scratch = l->plan[at]->workspace;
	}
	pthread_mutex_unlock(&l->lock);
	return at < 0 ? -1 : 0;
}

void library_planned(void)
{
	choices_save();
}

void library_describe(struct library *l, const struct cuda_op *op, char *buf, size_t size)
{
	const struct plan *p = plan_of(l, op);

	snprintf(buf, size, "%s", p ? p->words : "no plan");
}

bool library_leaves_bias(struct library *l, const struct cuda_op *op)
{
	const struct plan *p = plan_of(l, op);

	return p && p->leaves_bias;
}

/* ---- running -------------------------------------------------------------------------------------------- */

/* One at a time: cuDNN asks for the first handle of a process to be made alone. */
static int handle_new(cudnnHandle_t *out, struct cuda_error *e)
{
	cudnnStatus_t rc;

	pthread_mutex_lock(&lock);
	rc = nvidia_cudnnCreate(out);
	pthread_mutex_unlock(&lock);
	return nvidia_cudnn(rc, "handle", e);
}

int library_lane_open(struct library_lane **out, struct library *l, cudaStream_t stream, struct cuda_error *e)
{
	struct library_lane *lane = calloc(1, sizeof *lane);
	int rc = -1;

	*out = NULL;
	if (!lane)
		return card_fail(e, CUDA_NO_MEMORY, "out of memory");
	lane->library = l;
	lane->stream = stream;
	TRY(handle_new(&lane->cudnn, e));
	TRY(nvidia_cudnn(nvidia_cudnnSetStream(lane->cudnn, stream), "stream", e));
	*out = lane;
	lane = NULL;
	rc = 0;
out:
	library_lane_close(lane);
	return rc;
}

void library_lane_close(struct library_lane *lane)
{
	if (lane && lane->cudnn)
		nvidia_cudnnDestroy(lane->cudnn);
	free(lane);
}

int library_run(struct library_lane *lane, const struct cuda_op *op, const uint64_t base[CUDA_BASES],
		struct cuda_error *e)
{
	struct plan *p = plan_of(lane->library, op);
	size_t available, total;
	int rc;

	if (!p)
		return card_fail(e, CUDA_FAILED, "operation %d was not planned for this device", op->kind);
	pthread_mutex_lock(&p->lock);
	rc = part_of(op->kind)->run(lane, p, op, base, e);
	pthread_mutex_unlock(&p->lock);
	if (rc < 0 && cudaMemGetInfo(&available, &total) != cudaSuccess)
		e->status = CUDA_LOST; /* what asks for so little fails only without a context */
	return rc;
}
