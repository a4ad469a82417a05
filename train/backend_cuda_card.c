/* train/backend_cuda_card.c - see backend_cuda_card.h. */
#include "train/backend_cuda_card.h"

#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "train/backend.h"
#include "train/backend_cuda_load.h"
#include "train/batch.h"

enum { STAGING = 1 << 26 /* bytes of examples that are turned at a time */, ASK_MS = 50 };

struct identity { /* of a data set as a net sees it; compared byte by byte */
	struct hash128 identity;
	struct shape shape;
	int64_t n;
	int task, channels;
	bool bytes, label, target, length;
};

enum state { LOADING, READY, BROKEN };

struct resident {
	struct cuda_data data; /* first: a lease points to it */
	struct identity id;
	int64_t bytes;
	int uses;
	enum state state;
	struct resident *next;
};

struct waiter {
	struct waiter *next; /* who came later */
};

struct cuda_common {
	int device;
	const struct cuda_plugin *plugin;
	struct cuda_card *card;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int64_t budget, taken;
	int leases;
	struct waiter *first; /* who waits for memory */
	bool lost;
	struct resident *residents;
	struct cuda_common *next;
};

/* ---- cards ---------------------------------------------------------------------------------------------- */

static pthread_mutex_t cards_lock = PTHREAD_MUTEX_INITIALIZER;
static struct cuda_common *cards; /* for the life of the process */

int cuda_failed(struct cuda_common *c, const struct cuda_error *failure, struct err *e)
{
	if (failure->status == CUDA_LOST) {
		pthread_mutex_lock(&c->lock);
		c->lost = true;
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
		return ERR(e, ERR_RUNTIME, NULL, "cuda: device lost: %s", failure->text);
	}
	ERR(e, ERR_RUNTIME, NULL, "cuda: %s", failure->text);
	return failure->status == CUDA_NO_MEMORY ? NET_OOM : -1;
}

/* What is free, less a margin for what libraries and graphs take beside us: 3 %, at least 512 MiB (but of a small card
 * not more than a quarter). */
static int64_t budget_of(int64_t bytes)
{
	int64_t margin = bytes / 100 * 3, least = (int64_t)512 << 20;

	margin = margin > least ? margin : least;
	return bytes - (margin < bytes / 4 ? margin : bytes / 4);
}

static int open_card(struct cuda_common *c, struct err *e)
{
	struct cuda_error failure = { 0 };
	int64_t bytes;

	c->plugin = cuda_load(e);
	if (!c->plugin)
		return -1;
	if (c->plugin->card_open(&c->card, c->device, &failure) < 0)
		return cuda_failed(c, &failure, e);
	if (c->plugin->memory_free(c->card, &bytes, &failure) < 0) {
		c->plugin->card_close(c->card);
		return cuda_failed(c, &failure, e);
	}
	c->budget = budget_of(bytes);
	return 0;
}

static struct cuda_common *common_new(int device, struct err *e)
{
	struct cuda_common *c = mem_new(sizeof *c);

	c->device = device;
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->changed, NULL);
	if (open_card(c, e) == 0) {
		c->next = cards;
		cards = c;
		return c;
	}
	pthread_cond_destroy(&c->changed);
	pthread_mutex_destroy(&c->lock);
	mem_free(c);
	return NULL;
}

int cuda_common_open(struct cuda_common **out, int device, struct err *e)
{
	struct cuda_common *c;

	pthread_mutex_lock(&cards_lock);
	for (c = cards; c && c->device != device; c = c->next)
		;
	c = c ? c : common_new(device, e);
	pthread_mutex_unlock(&cards_lock);
	*out = c;
	return c ? 0 : -1;
}

const struct cuda_plugin *cuda_common_plugin(const struct cuda_common *c)
{
	return c->plugin;
}

struct cuda_card *cuda_common_card(const struct cuda_common *c)
{
	return c->card;
}

bool cuda_common_lost(struct cuda_common *c)
{
	bool lost;

	pthread_mutex_lock(&c->lock);
	lost = c->lost;
	pthread_mutex_unlock(&c->lock);
	return lost;
}

void cuda_common_budget(struct cuda_common *c, int64_t *all, int64_t *taken)
{
	pthread_mutex_lock(&c->lock);
	*all = c->budget;
	*taken = c->taken;
	pthread_mutex_unlock(&c->lock);
}

/* ---- data sets ------------------------------------------------------------------------------------------ */

static struct identity identity_of(const struct dataset *d, const struct shape *shape)
{
	struct identity id;

	memset(&id, 0, sizeof id); /* the gaps, too */
	id.identity = d->identity;
	id.shape = *shape;
	id.shape.open = false;
	id.n = d->n;
	id.task = (int)d->task;
	id.channels = d->channels;
	id.bytes = d->u8 != NULL;
	id.label = d->task != TASK_REGRESS && d->label;
	id.target = d->target != NULL;
	id.length = d->length != NULL;
	return id;
}

/* The next part of `bytes`, or -1 if it is not wanted. */
static int64_t part(int64_t *at, int64_t bytes, bool wanted)
{
	int64_t first = *at;

	if (!wanted)
		return -1;
	*at += (bytes + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN;
	return first;
}

static struct resident *resident_new(const struct identity *id)
{
	struct resident *r = mem_new(sizeof *r);
	struct cuda_data *d = &r->data;
	int64_t examples = id->n * shape_count(&id->shape);

	r->id = *id;
	d->bytes = id->bytes;
	d->data = part(&r->bytes, examples * (id->bytes ? 1 : 4), true);
	d->label = part(&r->bytes, id->n * 4, id->label);
	d->target = part(&r->bytes, id->n * 4, id->target);
	d->length = part(&r->bytes, id->n * 4, id->length);
	d->mean = part(&r->bytes, id->channels * 4, id->channels > 0);
	d->std = part(&r->bytes, id->channels * 4, id->channels > 0);
	return r;
}

static void turn_u8(uint8_t *out, const uint8_t *in, int64_t channels, int64_t inner)
{
	for (int64_t i = 0; i < inner; i++)
		for (int64_t c = 0; c < channels; c++)
			*out++ = in[c * inner + i];
}

static void turn_f32(float *out, const float *in, int64_t channels, int64_t inner)
{
	for (int64_t i = 0; i < inner; i++)
		for (int64_t c = 0; c < channels; c++)
			*out++ = in[c * inner + i];
}

struct load {
	struct cuda_common *c;
	struct cuda_lane *lane;
	struct cuda_error failure;
};

static int send(struct load *l, uint64_t to, const void *from, int64_t bytes)
{
	return l->c->plugin->upload(l->lane, to, from, bytes, &l->failure);
}

/* Examples channels last: a few of them at a time. */
static int send_examples(struct load *l, const struct resident *r, const uint8_t *u8, const float *f32)
{
	const struct shape *s = &r->id.shape;
	bool planes = s->type == TENSOR_IMAGE || s->type == TENSOR_SEQUENCE;
	int64_t count = shape_count(s), channels = planes ? s->d[0] : 1, size = u8 ? 1 : 4;
	int64_t step = STAGING / (count * size) + 1, rc = 0;
	size_t bytes = (size_t)((step < r->id.n ? step : r->id.n) * count * size);
	void *staging = block_new(bytes);

	if (!staging) {
		l->failure.status = CUDA_NO_MEMORY;
		strcpy(l->failure.text, "out of memory for the way of the data to the card");
		return -1;
	}
	for (int64_t at = 0; at < r->id.n && rc == 0; at += step) {
		int64_t n = r->id.n - at < step ? r->id.n - at : step;

		for (int64_t i = 0; i < n; i++)
			if (u8)
				turn_u8((uint8_t *)staging + i * count, u8 + (at + i) * count, channels,
					count / channels);
			else
				turn_f32((float *)staging + i * count, f32 + (at + i) * count, channels,
					 count / channels);
		rc = send(l, r->data.address + (uint64_t)(r->data.data + at * count * size), staging, n * count * size);
	}
	block_free(staging, bytes);
	return (int)rc;
}

static int send_rest(struct load *l, const struct resident *r, const struct dataset *d)
{
	const struct {
		int64_t at, bytes;
		const void *from;
	} parts[] = {
		{ r->data.label, d->n * 4, d->label },     { r->data.target, d->n * 4, d->target },
		{ r->data.length, d->n * 4, d->length },   { r->data.mean, d->channels * 4L, d->mean },
		{ r->data.std, d->channels * 4L, d->std },
	};

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (parts[i].at >= 0 &&
		    send(l, r->data.address + (uint64_t)parts[i].at, parts[i].from, parts[i].bytes) < 0)
			return -1;
	return 0;
}

/* Brings the data set to the card; its memory is reserved. */
static int load(struct cuda_common *c, struct cuda_lane *lane, struct resident *r, const struct dataset *d,
		const struct recipe *recipe, const struct shape *shape, struct err *e)
{
	struct load l = { .c = c, .lane = lane };
	struct recipe plain = *recipe;
	struct batcher *b = NULL;
	const uint8_t *u8;
	const float *f32;
	int rc;

	plain.n_augment = 0;
	if (batcher_new(&b, d, &plain, shape, NULL, 0, 0, e) < 0)
		return -1;
	batcher_examples(b, &u8, &f32);
	rc = c->plugin->alloc(c->card, r->bytes, &r->data.address, &l.failure);
	if (rc == 0)
		rc = send_examples(&l, r, u8, f32);
	if (rc == 0)
		rc = send_rest(&l, r, d);
	if (rc == 0)
		rc = c->plugin->wait(lane, &l.failure);
	batcher_free(b);
	return rc < 0 ? cuda_failed(c, &l.failure, e) : 0;
}

/* ---- leases --------------------------------------------------------------------------------------------- */

static struct resident *find(struct cuda_common *c, const struct identity *id)
{
	struct resident *r = c->residents;

	while (r && memcmp(&r->id, id, sizeof *id) != 0)
		r = r->next;
	return r;
}

static void unlink_resident(struct cuda_common *c, struct resident *r)
{
	struct resident **at = &c->residents;

	while (*at && *at != r)
		at = &(*at)->next;
	if (*at)
		*at = r->next;
}

static void drop(struct cuda_common *c, struct resident *r)
{
	unlink_resident(c, r);
	c->taken -= r->bytes;
	if (r->data.address)
		c->plugin->release(c->card, r->data.address);
	mem_free(r);
}

/* Whether `bytes` are free; data sets but `keep` that nobody uses go if they must. */
static bool make_room(struct cuda_common *c, int64_t bytes, const struct resident *keep)
{
	struct resident *r = c->residents, *next;

	for (; r && c->taken + bytes > c->budget; r = next) {
		next = r->next;
		if (r->uses == 0 && r != keep)
			drop(c, r);
	}
	return c->taken + bytes <= c->budget;
}

static int too_large(const struct cuda_common *c, int64_t bytes, int64_t data, bool ever, struct err *e)
{
	ERR(e, ERR_RUNTIME, NULL,
	    "cuda: out of memory: the network needs %lld bytes of the card and its data %lld, %lld are %s",
	    (long long)bytes, (long long)data, (long long)(ever ? c->budget : c->budget - c->taken),
	    ever ? "there" : "free");
	return NET_OOM;
}

/* Until something has changed, or for a while. Whether it is still worth to wait. */
static bool wait_on(struct cuda_common *c, const struct cuda_patience *p)
{
	struct timespec until;

	if (!p->stopped) {
		pthread_cond_wait(&c->changed, &c->lock);
		return true;
	}
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += ASK_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_cond_timedwait(&c->changed, &c->lock, &until);
	return !p->stopped(p->arg);
}

static void stand_in_line(struct cuda_common *c, struct waiter *me)
{
	struct waiter **end = &c->first;

	while (*end)
		end = &(*end)->next;
	*end = me;
}

static void leave_line(struct cuda_common *c, const struct waiter *me)
{
	struct waiter **at = &c->first;

	while (*at && *at != me)
		at = &(*at)->next;
	if (*at)
		*at = me->next;
	pthread_cond_broadcast(&c->changed);
}

/* Waits for its turn and for room. Called and left with the lock held. On success `bytes` are taken, and *r (NULL: no
 * data set) is in use: a new one, whose bytes are taken, is still LOADING and the caller's to load (*mine). */
static int admit(struct cuda_common *c, int64_t bytes, const struct cuda_patience *patience, const struct identity *id,
		 struct resident **r, bool *mine, struct err *e)
{
	struct resident *fresh = id ? resident_new(id) : NULL;
	int64_t all = fresh ? fresh->bytes : 0;
	struct waiter me = { 0 };
	bool fits = false, stays = true;
	int rc = -1;

	if (patience)
		stand_in_line(c, &me);
	for (; !c->lost && stays; stays = wait_on(c, patience)) {
		*r = id ? find(c, id) : NULL;
		if (patience && c->first != &me)
			continue;
		fits = make_room(c, bytes + (*r ? 0 : all), *r);
		if (fits || !patience || bytes + all > c->budget || c->leases == 0)
			break;
	}
	leave_line(c, &me);
	if (fits) {
		*mine = fresh && !*r;
		if (*mine) {
			*r = fresh;
			fresh->next = c->residents;
			c->residents = fresh;
			c->taken += all;
		}
		if (*r)
			(*r)->uses++;
		c->taken += bytes;
		c->leases++;
		rc = 0;
	} else if (!stays) {
		rc = NET_STOPPED;
	} else if (!c->lost) {
		rc = too_large(c, bytes, all, bytes + all > c->budget, e);
	} else {
		ERR(e, ERR_RUNTIME, NULL, "cuda: device lost while memory was waited for");
	}
	if (!fits || !*mine)
		mem_free(fresh);
	return rc;
}

/* A user less. What could not be loaded goes with the last one. */
static void release_resident(struct cuda_common *c, struct resident *r)
{
	if (r && --r->uses == 0 && r->state == BROKEN)
		drop(c, r);
}

static int await_data(struct cuda_common *c, struct resident *r, struct err *e)
{
	while (r->state == LOADING && !c->lost)
		pthread_cond_wait(&c->changed, &c->lock);
	if (r->state == READY)
		return 0;
	return ERR(e, ERR_RUNTIME, NULL, "cuda: the data set could not be brought to the card");
}

static void end_lease(struct cuda_lease *l)
{
	struct cuda_common *c = l->common;

	c->taken -= l->bytes;
	c->leases--;
	release_resident(c, (struct resident *)l->data);
	pthread_cond_broadcast(&c->changed);
}

static int fill_lease(struct cuda_lease *l, struct cuda_lane *lane, bool mine, const struct dataset *data,
		      const struct recipe *recipe, const struct shape *shape, struct err *e)
{
	struct cuda_common *c = l->common;
	struct resident *r = (struct resident *)l->data;
	struct cuda_error failure = { 0 };
	int rc = 0;

	if (mine) {
		rc = load(c, lane, r, data, recipe, shape, e);
		pthread_mutex_lock(&c->lock);
		r->state = rc < 0 ? BROKEN : READY;
		if (rc < 0)
			unlink_resident(c, r);
		pthread_cond_broadcast(&c->changed);
		pthread_mutex_unlock(&c->lock);
	} else if (r) {
		pthread_mutex_lock(&c->lock);
		rc = await_data(c, r, e);
		pthread_mutex_unlock(&c->lock);
	}
	if (rc == 0 && c->plugin->alloc(c->card, l->bytes, &l->address, &failure) < 0)
		rc = cuda_failed(c, &failure, e);
	return rc;
}

int cuda_lease_take(struct cuda_lease *out, struct cuda_common *c, struct cuda_lane *lane, int64_t bytes,
		    const struct cuda_patience *patience, const struct dataset *data, const struct recipe *r,
		    const struct shape *shape, struct err *e)
{
	struct identity id;
	struct resident *resident = NULL;
	bool mine = false;
	int rc;

	if (data)
		id = identity_of(data, shape);
	pthread_mutex_lock(&c->lock);
	rc = admit(c, bytes, patience, data ? &id : NULL, &resident, &mine, e);
	pthread_mutex_unlock(&c->lock);
	if (rc < 0)
		return rc;
	*out = (struct cuda_lease){ .common = c, .bytes = bytes, .data = resident ? &resident->data : NULL };
	rc = fill_lease(out, lane, mine, data, r, shape, e);
	if (rc < 0)
		cuda_lease_give(out);
	return rc;
}

void cuda_lease_give(struct cuda_lease *l)
{
	if (!l->common)
		return;
	if (l->address)
		l->common->plugin->release(l->common->card, l->address);
	pthread_mutex_lock(&l->common->lock);
	end_lease(l);
	pthread_mutex_unlock(&l->common->lock);
	*l = (struct cuda_lease){ 0 };
}
