/* train/backend_cpu_program.c - a network as a list of operations over placed buffers: see backend_cpu.h. */
#include <assert.h>
#include <limits.h>

#include "base/mem.h"
#include "train/backend_cpu.h"

void program_init(struct cpu_program *p, struct arena *a, struct dn *dn, int threads, struct cpu_now *now)
{
	*p = (struct cpu_program){ .a = a, .dn = dn, .threads = threads, .now = now, .node = -1 };
}

void program_release(struct cpu_program *p)
{
	for (int i = 0; i < p->n_ops; i++) {
		mem_free(p->ops[i].buf);
		mem_free(p->ops[i].arg);
		mem_free(p->ops[i].md);
		mem_free(p->ops[i].p);
	}
	mem_free(p->ops);
	mem_free(p->bufs);
	*p = (struct cpu_program){ 0 };
}

int program_buf_at(struct cpu_program *p, enum cpu_base base, int64_t offset, int64_t bytes)
{
	GROW(p->bufs, p->n_bufs, p->cap_bufs);
	p->bufs[p->n_bufs] = (struct cpu_buf){ .base = base, .offset = offset, .bytes = bytes, .node = p->node };
	return p->n_bufs++;
}

int program_buf(struct cpu_program *p, int64_t bytes)
{
	return program_buf_at(p, CPU_ARENA, 0, bytes);
}

static struct cpu_op *add(struct cpu_program *p)
{
	GROW(p->ops, p->n_ops, p->cap_ops);
	p->ops[p->n_ops] =
	    (struct cpu_op){ .node = p->node, .backward = p->backward, .threads = p->threads, .now = p->now };
	return &p->ops[p->n_ops++];
}

struct cpu_op *program_kernel(struct cpu_program *p, cpu_kernel *run)
{
	struct cpu_op *op = add(p);

	op->run = run;
	return op;
}

void program_arg(struct cpu_program *p, struct cpu_op *op, int arg, const struct dn_md *md, int buf)
{
	int n = op->n_bufs;

	assert(op == &p->ops[p->n_ops - 1]);
	if (n == op->cap_bufs) {
		op->cap_bufs = n ? 2 * n : 8;
		op->buf = mem_resize(op->buf, (size_t)op->cap_bufs * sizeof *op->buf);
		op->arg = mem_resize(op->arg, (size_t)op->cap_bufs * sizeof *op->arg);
		op->md = mem_resize(op->md, (size_t)op->cap_bufs * sizeof *op->md);
	}
	op->buf[n] = buf;
	op->arg[n] = arg;
	op->md[n] = md;
	op->n_bufs++;
}

void program_use(struct cpu_program *p, struct cpu_op *op, int buf)
{
	program_arg(p, op, 0, NULL, buf);
}

struct cpu_op *program_prim(struct cpu_program *p, struct dn_prim *prim)
{
	struct cpu_op *op;
	int64_t scratch;

	if (!prim)
		return NULL;
	op = add(p);
	op->prim = prim;
	scratch = (int64_t)dn_prim_scratch(prim);
	if (scratch > 0) {
		program_arg(p, op, DN_SCRATCH, NULL, program_buf(p, scratch));
		p->scratch_bytes = scratch > p->scratch_bytes ? scratch : p->scratch_bytes;
	}
	return op;
}

/* Operations that depend on weights alone go to the front, where they run once per call. */
static void hoist(struct cpu_program *p)
{
	struct cpu_op *sorted = mem_new((size_t)(p->n_ops + 1) * sizeof *sorted);
	int n = 0;

	for (int i = 0; i < p->n_ops; i++)
		if (p->ops[i].once)
			sorted[n++] = p->ops[i];
	p->n_prologue = n;
	for (int i = 0; i < p->n_ops; i++)
		if (!p->ops[i].once)
			sorted[n++] = p->ops[i];
	mem_free(p->ops);
	p->ops = sorted;
	p->cap_ops = p->n_ops + 1;
}

/* What the prologue made is kept from one batch to the next: it lives through the whole program. */
static void find_lives(struct cpu_program *p, struct plan_buffer *plan)
{
	for (int i = 0; i < p->n_bufs; i++)
		plan[i] = (struct plan_buffer){ .first = INT_MAX, .last = -1 };
	for (int i = 0; i < p->n_ops; i++)
		for (int k = 0; k < p->ops[i].n_bufs; k++) {
			struct plan_buffer *b = plan + p->ops[i].buf[k];

			b->first = i < b->first ? i : b->first;
			b->last = i < p->n_prologue ? p->n_ops : i > b->last ? i : b->last;
		}
	for (int i = 0; i < p->n_bufs; i++) {
		if (plan[i].last < 0)
			plan[i].first = plan[i].last = 0;
		else if (p->bufs[i].base == CPU_ARENA)
			plan[i].bytes = p->bufs[i].bytes;
	}
}

int program_place(struct cpu_program *p, struct err *e)
{
	struct plan_buffer *plan = mem_new((size_t)(p->n_bufs + 1) * sizeof *plan);

	hoist(p);
	find_lives(p, plan);
	p->arena_bytes = plan_place(plan, p->n_bufs);
	for (int i = 0; i < p->n_bufs; i++)
		if (p->bufs[i].base == CPU_ARENA)
			p->bufs[i].offset = plan[i].offset;
	mem_free(plan);
	if (p->arena_bytes < 0)
		return ERR(e, ERR_INVALID, NULL, "the network's tensors exceed what this machine can address");
	return 0;
}

static float *where(const struct cpu_program *p, int buf, float *const base[CPU_BASES])
{
	const struct cpu_buf *b = p->bufs + buf;

	return (float *)((char *)base[b->base] + b->offset);
}

static int bind_prim(struct cpu_program *p, struct cpu_op *op, struct err *e)
{
	int rc = dn_make(op->prim, e);

	for (int i = 0; i < op->n_bufs && rc == 0; i++) {
		if (op->arg[i] == DN_SCRATCH)
			rc = dn_bind_scratch(op->prim, op->p[i], (size_t)p->bufs[op->buf[i]].bytes, e);
		else
			rc = dn_bind(op->prim, (enum dn_arg)op->arg[i], op->md[i], op->p[i], e);
	}
	return rc;
}

int program_bind(struct cpu_program *p, float *const base[CPU_BASES], struct err *e)
{
	for (int i = 0; i < p->n_ops; i++) {
		struct cpu_op *op = p->ops + i;

		op->p = mem_new((size_t)(op->n_bufs + 1) * sizeof *op->p);
		for (int k = 0; k < op->n_bufs; k++)
			op->p[k] = where(p, op->buf[k], base);
		if (op->prim && bind_prim(p, op, e) < 0)
			return -1;
	}
	return 0;
}

int program_run(const struct cpu_program *p, int from, int to, struct err *e)
{
	for (int i = from; i < to; i++) {
		const struct cpu_op *op = p->ops + i;

		if (op->run)
			op->run(op);
		else if (dn_run(op->prim) < 0)
			return ERR(e, ERR_RUNTIME, NULL, "oneDNN failed in %s", dn_prim_name(op->prim));
	}
	return 0;
}
