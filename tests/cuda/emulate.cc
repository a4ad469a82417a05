/* tests/cuda/emulate.cc - see emulate.h: blocks one after the other, the threads of a block as fibers.
 *
 * A fiber is a stack. A thread that ends without waiting gives its stack to the next one, so that kernels without
 * barriers need a single stack. Stacks come in pools that launches take turns with.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "tests/cuda/races.h"

enum { THREADS = 1024, WARPS = THREADS / 32, STATIC_SHARED = 64, MOST_SHARED = 48 << 10 };

__thread emulate_now emulate_self = {};

/* ---- switching between stacks ---------------------------------------------------------------------------- */

#ifdef __x86_64__
struct context {
	void *sp;
};

extern "C" __attribute__((visibility("hidden"))) void emulate_switch(void **save, void *to);
asm(".text\n.hidden emulate_switch\n.globl emulate_switch\n.type emulate_switch,@function\n"
    "emulate_switch:\n"
    "	pushq %rbp\n	pushq %rbx\n	pushq %r12\n	pushq %r13\n	pushq %r14\n	pushq %r15\n"
    "	movq %rsp, (%rdi)\n	movq %rsi, %rsp\n"
    "	popq %r15\n	popq %r14\n	popq %r13\n	popq %r12\n	popq %rbx\n	popq %rbp\n	ret\n"
    ".size emulate_switch,.-emulate_switch\n");

static void change(context *from, context *to)
{
	emulate_switch(&from->sp, to->sp);
}

static void prepare(context *c, char *stack, void (*entry)(void))
{
	void **top = (void **)(stack + STACK) - 2; /* 8 below a multiple of 16 at the entry, as after a call */

	*top = (void *)entry;
	c->sp = top - 6; /* the registers that emulate_switch takes back */
}
#else
struct context {
	ucontext_t u;
};

static void change(context *from, context *to)
{
	swapcontext(&from->u, &to->u);
}

static void prepare(context *c, char *stack, void (*entry)(void))
{
	getcontext(&c->u);
	c->u.uc_stack.ss_sp = stack;
	c->u.uc_stack.ss_size = STACK;
	c->u.uc_link = NULL;
	makecontext(&c->u, entry, 0);
}
#endif

/* ---- a launch -------------------------------------------------------------------------------------------- */

enum state { STARTS, WAITS_BLOCK, WAITS_WARP, READY, ENDED };

struct fiber {
	context c;
	bool made;
	int thread; /* that runs on it */
};

struct pool {
	pool *next;
	char *stacks;
	fiber fibers[THREADS];
	int idle[THREADS], n_idle;
	context scheduler;
	races *watch;
	/* of the running block */
	const emulate_kernel *kernel;
	int threads, running, live;
	fiber *on; /* that runs now */
	state is[THREADS];
	fiber *of[THREADS];
	unsigned mask[THREADS];                /* WAITS_WARP: of whom */
	bool orders[THREADS];                  /* WAITS_WARP: orders memory, too */
	uint64_t left[THREADS], seen[THREADS]; /* what a thread left for its warp; seen once the warp is released */
	const void *poisoned[STATIC_SHARED];
	int n_poisoned;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pool *pools;
static __thread int backwards;
static __thread pool *now;
alignas(16) static __thread char dynamic[MOST_SHARED];

[[noreturn]] void emulate_stop(const char *what)
{
	const emulate_now *s = &emulate_self;
	const char *name = now ? now->kernel->name : "";

	fprintf(stderr, "emulated kernel %.*s: %s (block %u %u %u, thread %u of %u)\n", (int)strcspn(name, "<,"), name,
		what, s->block.x, s->block.y, s->block.z, s->linear, s->threads.x * s->threads.y * s->threads.z);
	abort();
}

static pool *pool_take(void)
{
	pool *p;

	pthread_mutex_lock(&lock);
	p = pools;
	if (p)
		pools = p->next;
	pthread_mutex_unlock(&lock);
	if (p)
		return p;
	p = (pool *)calloc(1, sizeof *p);
	p->stacks = (char *)mmap(NULL, (size_t)(THREADS + 1) * STACK, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p->stacks == MAP_FAILED)
		emulate_stop("no memory for stacks");
	p->stacks += STACK - (uintptr_t)p->stacks % STACK;
	for (int i = 0; i < THREADS; i++)
		p->idle[i] = THREADS - 1 - i;
	p->n_idle = THREADS;
	p->watch = races_new();
	return p;
}

static void pool_give(pool *p)
{
	pthread_mutex_lock(&lock);
	p->next = pools;
	pools = p;
	pthread_mutex_unlock(&lock);
}

/* A fiber's next thread may run on another thread of the process: where `now` lies must be found anew. */
[[gnu::noinline]] static pool *here(void)
{
	asm volatile("" ::: "memory");
	return now;
}

static void entry(void)
{
	for (;;) {
		pool *p = here();

		p->kernel->body(p->kernel->arg);
		p->is[p->running] = ENDED;
		p->live--;
		p->idle[p->n_idle++] = (int)(p->on - p->fibers);
		change(&p->on->c, &p->scheduler);
	}
}

static void set_thread(int t)
{
	emulate_now *s = &emulate_self;
	unsigned u = (unsigned)t;

	s->linear = u;
	s->thread = { u % s->threads.x, u / s->threads.x % s->threads.y, u / s->threads.x / s->threads.y };
}

/* Lets a thread run until it waits or ends. */
static void resume(pool *p, int t)
{
	fiber *f = p->of[t];

	if (!f) {
		int at = p->idle[--p->n_idle];

		f = p->of[t] = &p->fibers[at];
		if (!f->made)
			prepare(&f->c, p->stacks + (size_t)at * STACK, entry);
		f->made = true;
	}
	p->running = t;
	p->on = f;
	set_thread(t);
	change(&p->scheduler, &f->c);
}

static void wait_as(state s)
{
	pool *p = now;
	int t = p->running;

	p->is[t] = s;
	change(&p->of[t]->c, &p->scheduler);
}

/* Threads of a warp that wait for each other, and whether any may go on. */
static bool release_warp(pool *p, int first)
{
	int end = first + 32 < p->threads ? first + 32 : p->threads;
	bool any = false, ordered = false;

	for (int t = first; t < end; t++) {
		bool all = p->is[t] == WAITS_WARP;

		for (int other = first; all && other < first + 32; other++)
			if (p->mask[t] >> (other - first) & 1) {
				if (other >= end || p->is[other] == ENDED) {
					set_thread(t);
					emulate_stop("a warp function waits for threads that have ended or never were");
				}
				all = (p->is[other] == WAITS_WARP && p->mask[other] == p->mask[t]) ||
				      p->is[other] == READY;
			}
		if (!all)
			continue;
		p->is[t] = READY;
		p->seen[t] = p->left[t];
		any = true;
		if (p->orders[t])
			races_warp_barrier(p->watch, t, p->mask[t]), ordered = true;
	}
	if (ordered)
		races_warp_barrier_passed(p->watch);
	return any;
}

/* A warp goes as far as it can before the next one begins: what it does between two barriers happens at once, so that
 * data which others have yet to read are seen to be overwritten. */
static void run_warp(pool *p, int first)
{
	int n = first + 32 < p->threads ? 32 : p->threads - first;

	do
		for (int i = 0; i < n; i++) {
			int t = first + (backwards ? n - 1 - i : i);

			if (p->is[t] == READY)
				resume(p, t);
		}
	while (release_warp(p, first));
}

static bool release_block(pool *p)
{
	int waiting = 0;

	for (int t = 0; t < p->threads; t++)
		waiting += p->is[t] == WAITS_BLOCK;
	if (!waiting || waiting != p->live)
		return false;
	for (int t = 0; t < p->threads; t++)
		if (p->is[t] == WAITS_BLOCK)
			p->is[t] = READY;
	races_block_barrier(p->watch);
	return true;
}

static void run_block(pool *p)
{
	int n = p->threads, warps = (n + 31) / 32;

	p->live = n;
	p->n_poisoned = 0;
	for (int t = 0; t < n; t++) {
		p->is[t] = READY;
		p->of[t] = NULL;
	}
	do
		for (int w = 0; w < warps; w++)
			run_warp(p, 32 * (backwards ? warps - 1 - w : w));
	while (release_block(p));
	if (p->live)
		emulate_stop("some threads wait at a barrier that the others never reach");
}

extern "C" void emulate_order(int reverse)
{
	backwards = reverse;
}

static __thread int *dry;

extern "C" void emulate_dry(int *launches)
{
	dry = launches;
}

static bool launchable(dim3 g, dim3 b, size_t shared)
{
	return g.x && g.y && g.z && g.x <= 0x7fffffff && g.y <= 65535 && g.z <= 65535 && b.x && b.y && b.z &&
	       b.z <= 64 && b.x <= THREADS && b.y <= THREADS && b.x * b.y * b.z <= THREADS && shared <= MOST_SHARED;
}

extern "C" int emulate_launch(dim3 grid, dim3 block, size_t shared, const emulate_kernel *k)
{
	uint64_t blocks = (uint64_t)grid.x * grid.y * grid.z;
	pool *p;

	if (!launchable(grid, block, shared))
		return 9; /* cudaErrorInvalidConfiguration */
	if (dry) {
		++*dry;
		return 0;
	}
	p = now = pool_take();
	p->kernel = k;
	p->threads = (int)(block.x * block.y * block.z);
	emulate_self = { {}, {}, block, grid, 0, dynamic, backwards ? NULL : p->watch };
	races_begin(p->watch, { k->launch, p->threads, dynamic, shared, p->stacks, THREADS });
	for (uint64_t i = 0; i < blocks; i++) {
		uint64_t b = backwards ? blocks - 1 - i : i;

		emulate_self.block = { (unsigned)(b % grid.x), (unsigned)(b / grid.x % grid.y),
				       (unsigned)(b / grid.x / grid.y) };
		memset(dynamic, 0xff, shared);
		races_block(p->watch, b);
		run_block(p);
	}
	emulate_self.watch = NULL;
	now = NULL;
	pool_give(p);
	return 0;
}

/* ---- what threads of a block do together ----------------------------------------------------------------- */

void emulate_poison(void *at, size_t bytes)
{
	pool *p = now;

	for (int i = 0; i < p->n_poisoned; i++)
		if (p->poisoned[i] == at)
			return;
	if (p->n_poisoned == STATIC_SHARED)
		emulate_stop("too many shared arrays");
	p->poisoned[p->n_poisoned++] = at;
	memset(at, 0xff, bytes);
	races_shared(p->watch, at, bytes);
}

void emulate_block_barrier(void)
{
	wait_as(WAITS_BLOCK);
}

/* Waits for the warp's threads of the mask. A __syncwarp() orders their memory; shuffles and votes do not. */
static void meet(unsigned mask, bool orders)
{
	pool *p = now;

	if (!(mask >> p->running % 32 & 1))
		emulate_stop("a warp function whose mask leaves out the thread itself");
	p->mask[p->running] = mask;
	p->orders[p->running] = orders;
	wait_as(WAITS_WARP);
}

void emulate_warp_barrier(unsigned mask)
{
	meet(mask, true);
}

uint64_t emulate_exchange(unsigned mask, uint64_t bits, unsigned lane)
{
	pool *p = now;
	int t = p->running;

	if (!(mask >> lane & 1))
		emulate_stop("a shuffle from a thread outside of its mask");
	p->left[t] = bits;
	meet(mask, false);
	return p->seen[t - t % 32 + (int)lane];
}

unsigned emulate_ballot(unsigned mask, int predicate)
{
	pool *p = now;
	int t = p->running;
	unsigned out = 0;

	p->left[t] = predicate != 0;
	meet(mask, false);
	for (int i = 0; i < 32; i++)
		if (mask >> i & 1)
			out |= (unsigned)p->seen[t - t % 32 + i] << i;
	return out;
}
