/* tests/cuda/races.cc - see races.h.
 *
 * Time is a count of what orders threads: barriers, fences, atomics and the starts of blocks. All that a thread touches
 * between two of them bears one time. Every page of memory has cells, each of which stands for as many bytes as all
 * accesses so far had in common, 16 at most.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/races.h"
#include "train/cuda/kernels.h"

enum {
	THREADS = 1024,
	WARPS = THREADS / 32,
	ARRAYS = 64,
	PAGE = 4096,
	COARSE = 4 /* log2 of the largest cell */,
	KEPT = 4 << 20 /* cells from launch to launch */
};

struct record {
	uint32_t when;                   /* 0: nobody */
	uint32_t thread : 31, alone : 1; /* alone: by an atomic */
	const void *place;
};

/* Who wrote it, and who read it since: the last one; another one since the same barrier, of another warp if there was
 * one; and the last one of a block before. */
struct alignas(64) cell {
	record wrote;
	union {
		record readers[3];
		struct {
			record read, other, before;
		};
	};
};

static_assert(sizeof(cell) == 64, "a cell is a line of the processor's cache");

struct page {
	uintptr_t number; /* 0: an empty slot of the table */
	uint64_t launch;  /* whose cells they are */
	int shift, room;  /* shift: log2 of a cell's bytes */
	cell *cells;
};

/* What a block had done, thread by thread, and fenced when it changed a ticket. */
struct released {
	uint32_t block; /* by order of running */
	uintptr_t ticket;
	uint32_t upto[THREADS];
};

/* A ticket that the running block changed. */
struct acquired {
	uintptr_t ticket;
	uint32_t thread, when, barrier; /* barrier: the first one after it; 0: none yet */
	bool all;                       /* was fenced, too, before a barrier: every thread sees what was released */
};

struct range {
	uintptr_t at;
	size_t bytes;
};

struct start {
	uint32_t when;
	uint64_t number;
};

template <typename T> struct list {
	T *item;
	uint32_t n, room;
};

struct races {
	races_launch launch;
	uint64_t launches;
	page *pages;
	uint32_t n_pages, room; /* room: a power of two, the table's */
	uint64_t n_cells;
	list<start> starts; /* of blocks */
	list<released> releases;
	list<acquired> acquires;
	range arrays[ARRAYS];
	int n_arrays;
	uintptr_t low, high;                     /* all of them are between */
	uint32_t now, block, barrier;            /* block: when it began; barrier: the last one's time */
	uint32_t warp[WARPS], lane[THREADS][32]; /* what it knows of its warp: of all; of each lane, by partial masks */
	uint32_t fence[THREADS], covered[THREADS]; /* covered: fenced before the last barrier */
	bool fences;                               /* any since the last barrier */
};

[[noreturn]] static void no_memory(void)
{
	fprintf(stderr, "no memory for watching races\n");
	abort();
}

template <typename T> static T *add(list<T> &l)
{
	if (l.n == l.room) {
		l.room = 2 * l.room + 8;
		l.item = (T *)realloc(l.item, l.room * sizeof(T));
		if (!l.item)
			no_memory();
	}
	memset(&l.item[l.n], 0, sizeof(T));
	return &l.item[l.n++];
}

static void grow(races *r);
static void forget(races *r);

races *races_new(void)
{
	races *r = (races *)calloc(1, sizeof *r);

	if (!r)
		no_memory();
	grow(r);
	return r;
}

void races_begin(races *r, const races_launch &l)
{
	r->launch = l;
	r->launches++;
	r->starts.n = r->releases.n = 0;
	r->now = 1;
	if (r->n_cells > KEPT)
		forget(r);
}

/* ---- what orders threads --------------------------------------------------------------------------------- */

void races_block(races *r, uint64_t number)
{
	r->block = r->barrier = r->now++;
	*add(r->starts) = { r->block, number };
	r->n_arrays = 0;
	r->low = UINTPTR_MAX;
	r->high = 0;
	r->acquires.n = 0;
	r->fences = false;
	memset(r->warp, 0, sizeof r->warp);
	memset(r->lane, 0, (size_t)r->launch.threads * sizeof *r->lane);
	memset(r->fence, 0, (size_t)r->launch.threads * sizeof *r->fence);
	memset(r->covered, 0, (size_t)r->launch.threads * sizeof *r->covered);
	if (r->launch.shared_bytes)
		races_shared(r, r->launch.shared, r->launch.shared_bytes);
}

void races_shared(races *r, const void *at, size_t bytes)
{
	if (r->n_arrays == ARRAYS)
		emulate_stop("too many shared arrays");
	r->arrays[r->n_arrays++] = { (uintptr_t)at, bytes };
	r->low = r->low < (uintptr_t)at ? r->low : (uintptr_t)at;
	r->high = r->high > (uintptr_t)at + bytes ? r->high : (uintptr_t)at + bytes;
}

static uint32_t most(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

/* A fence covers what its thread did, and what others did before the barrier before it. */
void races_block_barrier(races *r)
{
	for (int t = 0; r->fences && t < r->launch.threads; t++)
		r->covered[t] = most(most(r->covered[t], r->fence[t]), r->barrier);
	for (uint32_t i = 0; i < r->acquires.n; i++) {
		acquired *a = &r->acquires.item[i];

		a->all = a->all || r->fence[a->thread] > a->when || (a->barrier && r->fences);
		a->barrier = a->barrier ? a->barrier : r->now;
	}
	r->fences = false;
	r->barrier = r->now++;
}

void races_warp_barrier(races *r, int thread, unsigned mask)
{
	int first = thread - thread % 32;

	if (mask == 0xffffffffU) {
		r->warp[thread / 32] = r->now;
		return;
	}
	for (int i = 0; i < 32; i++)
		if (mask >> i & 1) {
			for (int k = 0; k < 32; k++)
				r->lane[thread][k] = most(r->lane[thread][k], r->lane[first + i][k]);
			r->lane[thread][i] = r->now;
		}
}

void races_warp_barrier_passed(races *r)
{
	r->now++;
}

void emulate_fence(void)
{
	races *r = emulate_self.watch;

	if (!r)
		return;
	r->fence[emulate_self.linear] = r->now++;
	r->fences = true;
}

static released *release_of(races *r, uintptr_t ticket)
{
	uint32_t block = r->starts.n - 1;
	released *out;

	for (uint32_t i = r->releases.n; i-- && r->releases.item[i].block == block;)
		if (r->releases.item[i].ticket == ticket)
			return &r->releases.item[i];
	out = add(r->releases);
	out->block = block;
	out->ticket = ticket;
	return out;
}

/* Whoever changes a ticket gives away what is fenced, and may get what others gave. */
static void change_ticket(races *r, uintptr_t ticket, uint32_t thread)
{
	released *give = release_of(r, ticket);
	bool behind = r->fence[thread] > r->barrier, known = false;

	for (int t = 0; t < r->launch.threads; t++)
		give->upto[t] = most(give->upto[t], most(r->covered[t], behind ? r->barrier : 0));
	give->upto[thread] = most(give->upto[thread], r->fence[thread]);
	for (uint32_t i = 0; i < r->acquires.n; i++)
		known = known || (r->acquires.item[i].ticket == ticket && r->acquires.item[i].thread == thread);
	if (!known)
		*add(r->acquires) = { ticket, thread, r->now, 0, false };
	r->now++;
}

/* ---- who comes before whom ------------------------------------------------------------------------------- */

static uint32_t block_at(const races *r, uint32_t when)
{
	uint32_t low = 0, high = r->starts.n;

	while (high - low > 1) {
		uint32_t middle = (low + high) / 2;

		if (r->starts.item[middle].when < when)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static bool sees(const races *r, const acquired *a, uint32_t thread)
{
	return a->all || (a->thread == thread && r->fence[thread] > a->when) ||
	       (a->barrier && r->fence[thread] > a->barrier);
}

/* A record of another block: did it give away that, and has the running one got it? */
static bool handed_over(const races *r, const record *old, uint32_t thread)
{
	uint32_t block = block_at(r, old->when), low = 0, high = r->releases.n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (r->releases.item[middle].block < block)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < r->releases.n && r->releases.item[low].block == block; low++)
		for (uint32_t i = 0; i < r->acquires.n; i++)
			if (r->acquires.item[i].ticket == r->releases.item[low].ticket &&
			    r->releases.item[low].upto[old->thread] >= old->when &&
			    sees(r, &r->acquires.item[i], thread))
				return true;
	return false;
}

static bool comes_before(const races *r, const record *old, uint32_t thread, bool shared)
{
	if (old->when <= r->block)
		return shared || !old->when || handed_over(r, old, thread);
	if (old->thread == thread || old->when <= r->barrier)
		return true;
	return old->thread / 32 == thread / 32 &&
	       (old->when <= r->warp[thread / 32] || old->when <= r->lane[thread][old->thread % 32]);
}

/* ---- messages -------------------------------------------------------------------------------------------- */

static void show_place(const char *who, const void *place)
{
	char command[4200];
	Dl_info in;

	fflush(stderr);
	if (!dladdr(place, &in) || !in.dli_fname)
		return;
	snprintf(command, sizeof command, "addr2line -p -i -e '%s' 0x%zx 2>/dev/null | sed 's|^|  %s: |' >&2",
		 in.dli_fname, (size_t)((const char *)place - 1 - (const char *)in.dli_fbase), who);
	if (system(command) != 0)
		fprintf(stderr, "  %s: %s + %#zx\n", who, in.dli_fname,
			(size_t)((const char *)place - (const char *)in.dli_fbase));
}

static void name_memory(const races *r, uintptr_t at, bool shared, char *out, size_t size)
{
	const struct launch *l = r->launch.launch;
	int best = 0;

	for (int i = 0; shared && i < r->n_arrays; i++)
		if (at - r->arrays[i].at < r->arrays[i].bytes) {
			snprintf(out, size, "byte %zu of a shared array of %zu", (size_t)(at - r->arrays[i].at),
				 r->arrays[i].bytes);
			return;
		}
	for (int i = 1; l && i < CUDA_BASES; i++)
		if (l->base[i] <= at && l->base[i] > l->base[best])
			best = i;
	if (best)
		snprintf(out, size, "global memory, byte %zu of base %d", (size_t)(at - l->base[best]), best);
	else
		snprintf(out, size, "global memory, %#zx", (size_t)at);
}

struct access {
	record me;
	bool writes, shared;
};

[[noreturn]] static void race(const races *r, const access *a, uintptr_t at, const record *old, bool wrote)
{
	bool same = old->when > r->block;
	uint64_t number = r->starts.item[block_at(r, old->when)].number;
	char memory[96], text[400];

	name_memory(r, at, a->shared, memory, sizeof memory);
	show_place("now ", a->me.place);
	show_place("then", old->place);
	snprintf(text, sizeof text, "a race: %s: it %s what thread %u of %s %llu %s, with no %s between", memory,
		 a->writes ? "writes" : "reads", (unsigned)old->thread, same ? "its block" : "block",
		 (unsigned long long)number, wrote ? "wrote" : "read",
		 !same                                   ? "ticket and fences"
		 : old->thread / 32 == a->me.thread / 32 ? "__syncwarp()"
							 : "__syncthreads()");
	emulate_stop(text);
}

[[noreturn]] static void unwritten(const races *r, const access *a, uintptr_t at)
{
	char memory[96], text[200];

	name_memory(r, at, true, memory, sizeof memory);
	show_place("now ", a->me.place);
	snprintf(text, sizeof text, "%s is read before it was written", memory);
	emulate_stop(text);
}

/* ---- memory ---------------------------------------------------------------------------------------------- */

static page *slot(const races *r, uintptr_t number)
{
	uint32_t at = (uint32_t)((number * 0x9e3779b97f4a7c15ULL) >> 32) & (r->room - 1);

	while (r->pages[at].number && r->pages[at].number != number)
		at = (at + 1) & (r->room - 1);
	return &r->pages[at];
}

static void grow(races *r)
{
	page *old = r->pages;
	uint32_t room = r->room;

	r->room = room ? 2 * room : 1024;
	r->pages = (page *)calloc(r->room, sizeof *r->pages);
	if (!r->pages)
		no_memory();
	for (uint32_t i = 0; i < room; i++)
		if (old[i].number)
			*slot(r, old[i].number) = old[i];
	free(old);
}

static void forget(races *r)
{
	for (uint32_t i = 0; i < r->room; i++)
		free(r->pages[i].cells);
	memset(r->pages, 0, r->room * sizeof *r->pages);
	r->n_pages = 0;
	r->n_cells = 0;
}

/* Keeps the cells that there are. */
static void set_cells(races *r, page *p, int shift)
{
	int n = PAGE >> shift;
	cell *more;

	if (n > p->room) {
		more = (cell *)aligned_alloc(sizeof *more, (size_t)n * sizeof *more);
		if (!more)
			no_memory();
		if (p->room)
			memcpy(more, p->cells, (size_t)p->room * sizeof *more);
		free(p->cells);
		r->n_cells += (uint64_t)(n - p->room);
		p->cells = more;
		p->room = n;
	}
	p->shift = shift;
}

static page *page_of(races *r, uintptr_t number)
{
	page *p;

	if (2 * r->n_pages >= r->room)
		grow(r);
	p = slot(r, number);
	r->n_pages += !p->number;
	p->number = number;
	if (p->launch != r->launches) {
		p->launch = r->launches;
		set_cells(r, p, COARSE);
		memset(p->cells, 0, (PAGE >> COARSE) * sizeof(cell));
	}
	return p;
}

/* Smaller cells, each of which knows what the larger one knew. */
static void split(races *r, page *p, int shift)
{
	int by = p->shift - shift;

	set_cells(r, p, shift);
	for (int i = PAGE >> shift; i--;)
		p->cells[i] = p->cells[i >> by];
}

static inline void note_reader(const races *r, cell *c, const record &me)
{
	if (c->read.when <= r->barrier) {
		if (c->read.when && c->read.when <= r->block)
			c->before = c->read;
		c->other.when = 0;
	} else if (c->read.thread != me.thread && !(c->read.thread / 32 == me.thread / 32 && c->other.when &&
						    c->other.thread / 32 != me.thread / 32)) {
		c->other = c->read;
	}
	c->read = me;
}

static inline void note_writer(cell *c, const record &me)
{
	c->wrote = me;
	c->read.when = c->other.when = c->before.when = 0;
}

static void touch(const races *r, cell *c, const access *a, uintptr_t at)
{
	uint32_t t = a->me.thread;

	if (a->shared && c->wrote.when <= r->block && (!a->writes || a->me.alone))
		unwritten(r, a, at);
	if (!(c->wrote.alone && a->me.alone) && !comes_before(r, &c->wrote, t, a->shared))
		race(r, a, at, &c->wrote, true);
	if (!a->writes) {
		note_reader(r, c, a->me);
		return;
	}
	for (const record &old : c->readers)
		if (!comes_before(r, &old, t, a->shared))
			race(r, a, at, &old, false);
	note_writer(c, a->me);
}

static bool of_shared(const races *r, uintptr_t at)
{
	for (int i = 0; at >= r->low && at < r->high && i < r->n_arrays; i++)
		if (at - r->arrays[i].at < r->arrays[i].bytes)
			return true;
	return false;
}

static void look(races *r, uintptr_t at, size_t bytes, bool writes, bool alone, const void *place)
{
	access a = { { r->now, emulate_self.linear, alone, place }, writes, of_shared(r, at) };

	if (at - (uintptr_t)r->launch.stacks < r->launch.n_stacks * STACK)
		emulate_stop("a thread reaches for another one's local variables");
	while (bytes) {
		page *p = page_of(r, at / PAGE);
		size_t here = PAGE - at % PAGE < bytes ? PAGE - at % PAGE : bytes;
		int shift = __builtin_ctzll(at | here | 1U << COARSE);

		if (shift < p->shift)
			split(r, p, shift);
		for (size_t i = 0; i < here; i += (size_t)1 << p->shift)
			touch(r, &p->cells[(at + i) % PAGE >> p->shift], &a, at + i);
		at += here;
		bytes -= here;
	}
}

static inline bool clearly_before(const races *r, const record &old, uint32_t thread)
{
	return old.when > r->block ? old.when <= r->barrier || old.thread == thread : !old.when;
}

/* What look() does in most cases, at once: one cell, and an order that needs no thought. False if it is another case.
 */
static inline bool glance(races *r, uintptr_t at, size_t bytes, bool writes, const record &me)
{
	page *p = slot(r, at / PAGE);
	cell *c = &p->cells[at % PAGE >> p->shift];

	if (p->launch != r->launches || bytes != (size_t)1 << p->shift || at % bytes)
		return false;
	if (!clearly_before(r, c->wrote, me.thread))
		return false;
	if (!writes) {
		if (!c->wrote.when && at >= r->low && at < r->high)
			return false;
		note_reader(r, c, me);
		return true;
	}
	if (!clearly_before(r, c->read, me.thread) || !clearly_before(r, c->other, me.thread) || c->before.when)
		return false;
	note_writer(c, me);
	return true;
}

/* A thread's own stack is nobody else's matter. */
static inline void seen(const void *p, size_t bytes, bool writes, const void *place)
{
	uintptr_t at = (uintptr_t)p;

	if ((at ^ (uintptr_t)__builtin_frame_address(0)) < STACK)
		return;
	emulate_now *self = &emulate_self;
	races *r = self->watch;

	if (r && at - (uintptr_t)self >= sizeof *self &&
	    !glance(r, at, bytes, writes, { r->now, self->linear, false, place }))
		look(r, at, bytes, writes, false, place);
}

void emulate_atomic(const void *p, size_t bytes)
{
	races *r = emulate_self.watch;

	if (!r)
		return;
	look(r, (uintptr_t)p, bytes, true, true, __builtin_return_address(0));
	if (!of_shared(r, (uintptr_t)p))
		change_ticket(r, (uintptr_t)p, emulate_self.linear);
}

/* ---- what the compiler calls ----------------------------------------------------------------------------- */

#define PLACE __builtin_return_address(0)
#define ACCESS(name, bytes, writes)            \
	void __tsan_##name(void *p)            \
	{                                      \
		seen(p, bytes, writes, PLACE); \
	}
#define ACCESSES(bytes)                             \
	ACCESS(read##bytes, bytes, false)           \
	ACCESS(write##bytes, bytes, true)           \
	ACCESS(unaligned_read##bytes, bytes, false) \
	ACCESS(unaligned_write##bytes, bytes, true)

#pragma GCC diagnostic ignored "-Wmissing-declarations"
extern "C" {
ACCESSES(1)
ACCESSES(2)
ACCESSES(4)
ACCESSES(8)
ACCESSES(16)

void __tsan_read_range(void *p, size_t bytes)
{
	seen(p, bytes, false, PLACE);
}

void __tsan_write_range(void *p, size_t bytes)
{
	seen(p, bytes, true, PLACE);
}

/* clang's for large copies */
void *__tsan_memcpy(void *to, const void *from, size_t bytes)
{
	seen(from, bytes, false, PLACE);
	seen(to, bytes, true, PLACE);
	return memcpy(to, from, bytes);
}

void *__tsan_memset(void *to, int byte, size_t bytes)
{
	seen(to, bytes, true, PLACE);
	return memset(to, byte, bytes);
}

void __tsan_func_entry(void *)
{
}

void __tsan_func_exit(void)
{
}

void __tsan_init(void)
{
}
}
