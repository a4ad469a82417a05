/* tests/cuda/emulated.c - a CUDA plugin without CUDA (train/cuda/abi.h): the kernels of train/cuda/, compiled for the
 * processor, behind the plugin's own functions. "Device" memory is host memory filled with NaN and between red zones,
 * which are looked at after every run of an executable. What is put into a lane is done later: at the latest when it is
 * waited for, and sometimes at once, before what other lanes hold, so that an order that nobody asked for shows.
 *
 * For tests:
 *	NAB_EMULATED_DEVICES=n           cards (1)
 *	NAB_EMULATED_MEMORY=bytes        of each (4 GiB)
 *	NAB_EMULATED_FAULT=lost:after:n  the n-th exec_run() of the process, and all after it, end with CUDA_LOST
 *	NAB_EMULATED_ORDER=reverse       blocks and threads run from the last to the first
 *	CUDA_VISIBLE_DEVICES             indices or UUIDs, as the driver reads it
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/cuda/emulated.h"

enum { ZONE = 4096, RED = 0xa7, PROCESSORS = 4, SCRATCH = 512 /* of operations that libraries do on a card */ };

struct block {
	struct block *next;
	char *raw;
	int64_t bytes;
};

struct cuda_card {
	pthread_mutex_t lock;
	struct block *blocks;
	int64_t used;
};

enum task_kind { UPLOAD, FILL, COPY, RUN, FOLLOW };

struct task {
	struct task *next;
	enum task_kind kind;
	uint64_t to, from;
	int64_t n; /* bytes; RUN: times; FOLLOW: tasks that the other lane must have done */
	int byte;
	struct cuda_exec *exec;
	struct cuda_lane *other;
	char bytes[]; /* UPLOAD */
};

struct cuda_lane {
	struct cuda_card *card;
	struct task *first, **end;
	int64_t put, done; /* tasks */
};

struct cuda_exec {
	struct cuda_lane *lane;
	struct launch launch;
	int n;
	struct cuda_op ops[];
};

/* How often memory was taken, and how often the caller had to wait, for tests (by dlsym). */
__attribute__((visibility("default"))) extern _Atomic int64_t emulated_allocs, emulated_waits;
_Atomic int64_t emulated_allocs, emulated_waits;

static const char *const op_names[CUDA_OP_COUNT] = {
#define OP(name, member) #name,
#include "train/cuda/ops.def"
#undef OP
};

__attribute__((format(printf, 4, 5))) static int fail(struct cuda_error *e, int status, int op, const char *fmt, ...)
{
	va_list ap;

	e->status = status;
	e->op = op;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return -1;
}

/* ---- cards ----------------------------------------------------------------------------------------------- */

static int64_t setting(const char *name, int64_t otherwise)
{
	const char *s = getenv(name);

	return s && *s ? atoll(s) : otherwise;
}

static int64_t memory(void)
{
	return setting("NAB_EMULATED_MEMORY", 4LL << 30);
}

static void uuid_of(char *out, size_t size, int device)
{
	snprintf(out, size, "GPU-e0000000-0000-0000-0000-%012d", device);
}

/* The cards that CUDA_VISIBLE_DEVICES leaves, in its order; what it does not know ends the list. */
static int visible(int out[CUDA_DEVICES])
{
	int all = (int)setting("NAB_EMULATED_DEVICES", 1), n = 0;
	const char *s = getenv("CUDA_VISIBLE_DEVICES");
	char list[2048], uuid[48], *rest = list;

	for (int i = 0; !s && i < all && i < CUDA_DEVICES; i++)
		out[n++] = i;
	snprintf(list, sizeof list, "%s", s ? s : "");
	for (char *word; (word = strsep(&rest, ",")) && *word && n < CUDA_DEVICES; n++) {
		int found = -1;

		for (int i = 0; i < all; i++) {
			char *end;

			uuid_of(uuid, sizeof uuid, i);
			if (strtol(word, &end, 10) == i && end > word && !*end)
				found = i;
			if (strncmp(word, "GPU-", 4) == 0 && strncmp(uuid, word, strlen(word)) == 0)
				found = i;
		}
		if (found < 0)
			break;
		out[n] = found;
	}
	return n;
}

static int find(struct cuda_found *out)
{
	static const char *const parts[] = { "driver", "runtime", "cudnn", "cublaslt" };
	int cards[CUDA_DEVICES];

	*out = (struct cuda_found){ .n_parts = 4, .n_devices = visible(cards) };
	for (int i = 0; i < out->n_parts; i++) {
		snprintf(out->part[i].name, sizeof out->part[i].name, "%s", parts[i]);
		snprintf(out->part[i].text, sizeof out->part[i].text, "emulated on the processor");
		out->part[i].ok = 1;
	}
	for (int i = 0; i < out->n_devices; i++) {
		struct cuda_device *d = &out->device[i];

		snprintf(d->name, sizeof d->name, "emulated");
		uuid_of(d->uuid, sizeof d->uuid, cards[i]);
		d->bytes = d->free_bytes = memory();
		d->major = 9;
		d->processors = PROCESSORS;
	}
	if (out->n_devices)
		return 0;
	snprintf(out->part[out->n_parts].name, sizeof out->part[0].name, "device");
	snprintf(out->part[out->n_parts++].text, sizeof out->part[0].text, "no emulated device is visible");
	return -1;
}

static int card_open(struct cuda_card **out, int device, struct cuda_error *e)
{
	int cards[CUDA_DEVICES], n = visible(cards);

	if (device < 0 || device >= n)
		return fail(e, CUDA_FAILED, -1, "no emulated device %d: there are %d", device, n);
	*out = calloc(1, sizeof **out);
	pthread_mutex_init(&(*out)->lock, NULL);
	return 0;
}

static void drop_block(struct cuda_card *c, struct block **at)
{
	struct block *b = *at;

	c->used -= b->bytes;
	*at = b->next;
	free(b->raw);
	free(b);
}

static void card_close(struct cuda_card *c)
{
	if (!c)
		return;
	while (c->blocks)
		drop_block(c, &c->blocks);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

static int memory_free(struct cuda_card *c, int64_t *bytes, struct cuda_error *e)
{
	(void)e;
	pthread_mutex_lock(&c->lock);
	*bytes = memory() - c->used;
	pthread_mutex_unlock(&c->lock);
	return 0;
}

static int alloc(struct cuda_card *c, int64_t bytes, uint64_t *out, struct cuda_error *e)
{
	struct block *b = calloc(1, sizeof *b);
	int64_t left;

	emulated_allocs++;
	pthread_mutex_lock(&c->lock);
	left = memory() - c->used;
	b->raw = bytes >= 0 && bytes <= left ? aligned_alloc(ZONE, (size_t)(bytes + ZONE - 1) / ZONE * ZONE + 2 * ZONE)
					     : NULL;
	if (b->raw) {
		memset(b->raw, RED, ZONE);
		memset(b->raw + ZONE, 0xff, (size_t)bytes);
		memset(b->raw + ZONE + bytes, RED, ZONE);
		b->bytes = bytes;
		b->next = c->blocks;
		c->blocks = b;
		c->used += bytes;
		*out = (uint64_t)(uintptr_t)(b->raw + ZONE);
	}
	pthread_mutex_unlock(&c->lock);
	if (b->raw)
		return 0;
	free(b);
	return fail(e, CUDA_NO_MEMORY, -1, "out of device memory: %lld bytes wanted, %lld are free", (long long)bytes,
		    (long long)left);
}

static void release(struct cuda_card *c, uint64_t address)
{
	pthread_mutex_lock(&c->lock);
	for (struct block **at = &c->blocks; address && *at; at = &(*at)->next)
		if ((*at)->raw + ZONE == (char *)(uintptr_t)address) {
			drop_block(c, at);
			break;
		}
	pthread_mutex_unlock(&c->lock);
}

static bool red(const char *p)
{
	for (int i = 0; i < ZONE; i++)
		if ((unsigned char)p[i] != RED)
			return false;
	return true;
}

/* -1 if anything stands in a red zone. */
static int zones_check(struct cuda_card *c, int op, struct cuda_error *e)
{
	int rc = 0;

	pthread_mutex_lock(&c->lock);
	for (struct block *b = c->blocks; b && rc == 0; b = b->next)
		if (!red(b->raw) || !red(b->raw + ZONE + b->bytes))
			rc = fail(e, CUDA_LOST, op, "something wrote %s a block of %lld bytes",
				  red(b->raw) ? "behind" : "before", (long long)b->bytes);
	pthread_mutex_unlock(&c->lock);
	return rc;
}

/* ---- lanes ----------------------------------------------------------------------------------------------- */

static int lane_open(struct cuda_lane **out, struct cuda_card *card, struct cuda_error *e)
{
	(void)e;
	*out = calloc(1, sizeof **out);
	(*out)->card = card;
	(*out)->end = &(*out)->first;
	return 0;
}

static int run_times(struct cuda_exec *x, int64_t times, struct cuda_error *e);
static int advance(struct cuda_lane *lane, int64_t until, struct cuda_error *e);

static int run_task(const struct task *t, struct cuda_error *e)
{
	switch (t->kind) {
	case UPLOAD:
		memcpy((void *)(uintptr_t)t->to, t->bytes, (size_t)t->n);
		break;
	case FILL:
		memset((void *)(uintptr_t)t->to, t->byte, (size_t)t->n);
		break;
	case COPY:
		memcpy((void *)(uintptr_t)t->to, (const void *)(uintptr_t)t->from, (size_t)t->n);
		break;
	case RUN:
		return run_times(t->exec, t->n, e);
	case FOLLOW:
		return advance(t->other, t->n, e);
	}
	return 0;
}

/* Does the lane's first tasks, as many as `until` are done. */
static int advance(struct cuda_lane *lane, int64_t until, struct cuda_error *e)
{
	int rc = 0;

	while (lane->done < until && rc == 0) {
		struct task *t = lane->first;

		rc = run_task(t, e);
		lane->first = t->next;
		lane->end = lane->first ? lane->end : &lane->first;
		lane->done++;
		free(t);
	}
	return rc;
}

static struct task *task_new(enum task_kind kind, int64_t bytes)
{
	struct task *t = calloc(1, sizeof *t + (size_t)bytes);

	t->kind = kind;
	return t;
}

/* At every second task, as the bits of its number fall, the lane does all that it holds. */
static int put_task(struct cuda_lane *lane, struct task *t, struct cuda_error *e)
{
	*lane->end = t;
	lane->end = &t->next;
	lane->put++;
	return __builtin_parityll((unsigned long long)lane->put) ? advance(lane, lane->put, e) : 0;
}

static int drain(struct cuda_lane *lane, struct cuda_error *e)
{
	return advance(lane, lane->put, e);
}

static void lane_close(struct cuda_lane *lane)
{
	struct cuda_error nobody;

	while (lane->first)
		drain(lane, &nobody);
	free(lane);
}

/* Copies stay within one block. */
static int within(struct cuda_lane *lane, uint64_t at, int64_t bytes, struct cuda_error *e)
{
	struct cuda_card *c = lane->card;
	bool found = bytes == 0;

	pthread_mutex_lock(&c->lock);
	for (struct block *b = c->blocks; b && !found; b = b->next) {
		uint64_t first = (uint64_t)(uintptr_t)(b->raw + ZONE);

		found = at >= first && at + (uint64_t)bytes <= first + (uint64_t)b->bytes;
	}
	pthread_mutex_unlock(&c->lock);
	return found ? 0 : fail(e, CUDA_FAILED, -1, "%lld bytes do not lie in device memory", (long long)bytes);
}

static int upload(struct cuda_lane *lane, uint64_t to, const void *from, int64_t bytes, struct cuda_error *e)
{
	struct task *t;

	emulated_waits++;
	if (bytes == 0)
		return 0;
	if (within(lane, to, bytes, e) < 0)
		return -1;
	t = task_new(UPLOAD, bytes);
	t->to = to;
	t->n = bytes;
	memcpy(t->bytes, from, (size_t)bytes);
	return put_task(lane, t, e);
}

static int download(struct cuda_lane *lane, void *to, uint64_t from, int64_t bytes, struct cuda_error *e)
{
	emulated_waits++;
	if (within(lane, from, bytes, e) < 0 || drain(lane, e) < 0)
		return -1;
	if (bytes)
		memcpy(to, (const void *)(uintptr_t)from, (size_t)bytes);
	return 0;
}

static int fill(struct cuda_lane *lane, uint64_t at, int byte, int64_t bytes, struct cuda_error *e)
{
	struct task *t;

	if (within(lane, at, bytes, e) < 0)
		return -1;
	t = task_new(FILL, 0);
	t->to = at;
	t->n = bytes;
	t->byte = byte;
	return put_task(lane, t, e);
}

static int copy(struct cuda_lane *lane, uint64_t to, uint64_t from, int64_t bytes, struct cuda_error *e)
{
	struct task *t;

	if (within(lane, to, bytes, e) < 0 || within(lane, from, bytes, e) < 0)
		return -1;
	t = task_new(COPY, 0);
	t->to = to;
	t->from = from;
	t->n = bytes;
	return put_task(lane, t, e);
}

static int follow(struct cuda_lane *lane, struct cuda_lane *other, struct cuda_error *e)
{
	struct task *t = task_new(FOLLOW, 0);

	t->other = other;
	t->n = other->put;
	return put_task(lane, t, e);
}

static int wait_lane(struct cuda_lane *lane, struct cuda_error *e)
{
	emulated_waits++;
	return drain(lane, e);
}

/* ---- programs -------------------------------------------------------------------------------------------- */

static void (*const products[CUDA_OP_COUNT])(const struct cuda_op *, const struct launch *) = {
	[CUDA_OP_CONV] = emulated_conv,
	[CUDA_OP_CONV_DATA] = emulated_conv_data,
	[CUDA_OP_CONV_WEIGHT] = emulated_conv_weight,
	[CUDA_OP_DENSE] = emulated_dense,
	[CUDA_OP_DENSE_DATA] = emulated_dense_data,
	[CUDA_OP_DENSE_WEIGHT] = emulated_dense_weight,
};

static int64_t scratch_of(const struct cuda_op *op)
{
	int64_t ours = cuda_scratch(op);

	if (ours != CUDA_NOT_OURS)
		return ours;
	return products[op->kind] ? SCRATCH : -1;
}

static int plan(struct cuda_card *card, const char *description, struct cuda_op *ops, int n, int tune, int64_t *scratch,
		int64_t *reserve, struct cuda_error *e)
{
	(void)card;
	(void)description;
	(void)tune;
	for (int i = 0; i < n; i++) {
		const struct cuda_op *op = &ops[i];
		bool conv =
		    op->kind == CUDA_OP_CONV || op->kind == CUDA_OP_CONV_DATA || op->kind == CUDA_OP_CONV_WEIGHT;

		scratch[i] = scratch_of(op);
		reserve[i] = cuda_reserve(op);
		if (scratch[i] < 0)
			return fail(e, CUDA_UNSUPPORTED, i, "%s: there is no kernel", op_names[op->kind]);
		if (conv && op->u.conv.groups > 1)
			return fail(e, CUDA_UNSUPPORTED, i, "%s: %d groups", op_names[op->kind], op->u.conv.groups);
	}
	return 0;
}

static int check_ref(const struct cuda_ref *r, const uint64_t base[CUDA_BASES], int op, const char *what,
		     struct cuda_error *e)
{
	if (r->base == CUDA_NONE)
		return 0;
	if (r->base < 0 || r->base >= CUDA_BASES || !base[r->base])
		return fail(e, CUDA_FAILED, op, "%s lies in memory that is not there (base %d)", what, r->base);
	if (r->offset % 16 || r->offset < 0)
		return fail(e, CUDA_FAILED, op, "%s lies at byte %lld", what, (long long)r->offset);
	return 0;
}

static int check_op(const struct cuda_op *op, const uint64_t base[CUDA_BASES], int at, struct cuda_error *e)
{
	char what[48];

	for (int i = 0; i < CUDA_REFS; i++) {
		snprintf(what, sizeof what, "%s: buffer %d", op_names[op->kind], i);
		if (check_ref(&op->buf[i], base, at, what, e) < 0)
			return -1;
	}
	snprintf(what, sizeof what, "%s: scratch", op_names[op->kind]);
	if (check_ref(&op->scratch, base, at, what, e) < 0)
		return -1;
	if (scratch_of(op) > 0 && op->scratch.base == CUDA_NONE)
		return fail(e, CUDA_FAILED, at, "%s was given no scratch", op_names[op->kind]);
	return 0;
}

static int exec_new(struct cuda_exec **out, struct cuda_lane *lane, const struct cuda_op *ops, int n,
		    const uint64_t base[CUDA_BASES], uint64_t control, int graph, struct cuda_error *e)
{
	struct cuda_exec *x;

	(void)graph;
	for (int i = 0; i < n; i++)
		if (check_op(&ops[i], base, i, e) < 0)
			return -1;
	x = calloc(1, sizeof *x + (size_t)n * sizeof *ops);
	x->lane = lane;
	x->n = n;
	memcpy(x->ops, ops, (size_t)n * sizeof *ops);
	memcpy(x->launch.base, base, sizeof x->launch.base);
	x->launch.processors = PROCESSORS;
	x->launch.control = (struct cuda_control *)(uintptr_t)control;
	*out = x;
	return 0;
}

static void exec_free(struct cuda_exec *x)
{
	struct cuda_error nobody;

	while (x->lane->first)
		drain(x->lane, &nobody);
	free(x);
}

static int library_op(const struct cuda_op *op, const struct launch *l)
{
	memset(emulated_at(l, &op->scratch), 0xff, SCRATCH); /* scratch that overlaps what lives would be seen */
	products[op->kind](op, l);
	return op->kind == CUDA_OP_CONV || op->kind == CUDA_OP_DENSE ? cuda_bias_act(op, l) : 0;
}

static int run_op(struct cuda_exec *x, int i, struct cuda_error *e)
{
	const struct cuda_op *op = &x->ops[i];
	int64_t ours = cuda_scratch(op);
	int rc;

	if (ours > 0)
		memset(emulated_at(&x->launch, &op->scratch), 0xff, (size_t)ours);
	rc = ours == CUDA_NOT_OURS ? library_op(op, &x->launch) : cuda_launch(op, &x->launch);
	return rc ? fail(e, CUDA_FAILED, i, "%s: launch error %d", op_names[op->kind], rc) : 0;
}

static bool lost(void)
{
	static _Atomic int64_t runs;
	const char *fault = getenv("NAB_EMULATED_FAULT");
	long long after;

	return fault && sscanf(fault, "lost:after:%lld", &after) == 1 && atomic_fetch_add(&runs, 1) + 1 >= after;
}

static int run_times(struct cuda_exec *x, int64_t times, struct cuda_error *e)
{
	const char *order = getenv("NAB_EMULATED_ORDER");

	emulate_order(order && strcmp(order, "reverse") == 0);
	for (int64_t t = 0; t < times; t++)
		for (int i = 0; i < x->n; i++)
			if (run_op(x, i, e) < 0)
				return -1;
	return zones_check(x->lane->card, -1, e);
}

static int exec_run(struct cuda_exec *x, int64_t times, struct cuda_error *e)
{
	struct task *t;

	if (lost())
		return fail(e, CUDA_LOST, -1, "an illegal memory access was encountered (emulated)");
	t = task_new(RUN, 0);
	t->exec = x;
	t->n = times;
	return put_task(x->lane, t, e);
}

static double seconds_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int exec_time(struct cuda_exec *x, double *seconds, struct cuda_error *e)
{
	if (drain(x->lane, e) < 0)
		return -1;
	for (int i = 0; i < x->n; i++) {
		double start = seconds_now();

		if (run_op(x, i, e) < 0 || zones_check(x->lane->card, i, e) < 0)
			return -1;
		seconds[i] = seconds_now() - start;
	}
	return 0;
}

static char *describe(struct cuda_card *card, const struct cuda_op *ops, int n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	(void)card;
	for (int i = 0; i < n; i++)
		if (cuda_scratch(&ops[i]) == CUDA_NOT_OURS)
			fprintf(f, "%s: plain loops on the processor\n", op_names[ops[i].kind]);
	fclose(f);
	return text;
}

__attribute__((visibility("default"))) emulated_count nab_emulated_count;

void nab_emulated_count(const struct cuda_op *ops, int n, int *launches)
{
	static struct cuda_control control;
	struct launch l = { .processors = PROCESSORS, .control = &control };

	for (int i = CUDA_NONE + 1; i < CUDA_BASES; i++)
		l.base[i] = CUDA_ALIGN; /* nothing looks there, but NULL would be a buffer that is not given */
	for (int i = 0; i < n; i++) {
		launches[i] = cuda_scratch(&ops[i]) == CUDA_NOT_OURS;
		emulate_dry(&launches[i]);
		cuda_launch(&ops[i], &l);
		emulate_dry(NULL);
	}
}

__attribute__((visibility("default"))) cuda_plugin_entry nab_cuda_plugin;

const struct cuda_plugin *nab_cuda_plugin(void)
{
	static const struct cuda_plugin plugin = {
		.abi = CUDA_ABI,
		.op_size = sizeof(struct cuda_op),
		.control_size = sizeof(struct cuda_control),
		.found_size = sizeof(struct cuda_found),
		.step_size = sizeof(struct cuda_step),
		.built = "emulated on the processor",
		.find = find,
		.card_open = card_open,
		.card_close = card_close,
		.memory_free = memory_free,
		.alloc = alloc,
		.release = release,
		.lane_open = lane_open,
		.lane_close = lane_close,
		.upload = upload,
		.download = download,
		.fill = fill,
		.copy = copy,
		.follow = follow,
		.plan = plan,
		.exec_new = exec_new,
		.exec_free = exec_free,
		.exec_run = exec_run,
		.exec_time = exec_time,
		.wait = wait_lane,
		.describe = describe,
	};

	return &plugin;
}
