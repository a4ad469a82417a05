/* train/backend_cuda_program.c - see backend_cuda_program.h. */
#include "train/backend_cuda_program.h"

#include <assert.h>
#include <limits.h>

#include "base/mem.h"
#include "base/str.h"
#include "train/plan.h"

static_assert(CUDA_ALIGN % PLAN_ALIGN == 0, "sizes that are multiples of CUDA_ALIGN keep offsets aligned");

void cuda_program_begin(struct cuda_program *p)
{
	*p = (struct cuda_program){ .node = -1 };
}

void cuda_program_release(struct cuda_program *p)
{
	mem_free(p->ops);
	mem_free(p->uses);
	mem_free(p->bufs);
	*p = (struct cuda_program){ 0 };
}

int cuda_buffer_at(struct cuda_program *p, enum cuda_base base, enum cuda_elem elem, int64_t offset, int64_t bytes)
{
	GROW(p->bufs, p->n_bufs, p->cap_bufs);
	p->bufs[p->n_bufs] =
	    (struct cuda_buffer){ .base = base, .elem = elem, .offset = offset, .bytes = bytes, .node = p->node };
	return p->n_bufs++;
}

int cuda_buffer(struct cuda_program *p, enum cuda_elem elem, int64_t bytes)
{
	return cuda_buffer_at(p, CUDA_SLAB, elem, 0, bytes);
}

struct cuda_op *cuda_add(struct cuda_program *p, enum cuda_op_kind kind)
{
	struct cuda_uses *uses;

	GROW(p->uses, p->n_ops, p->cap_uses);
	GROW(p->ops, p->n_ops, p->cap_ops);
	uses = p->uses + p->n_ops;
	for (int i = 0; i < CUDA_REFS; i++)
		uses->buf[i] = -1;
	uses->scratch = -1;
	p->ops[p->n_ops] = (struct cuda_op){ .kind = kind, .node = p->node, .backward = p->backward };
	return &p->ops[p->n_ops++];
}

void cuda_use(struct cuda_program *p, int slot, int buf)
{
	struct cuda_op *op = p->ops + p->n_ops - 1;

	assert(slot < CUDA_REFS && buf < p->n_bufs);
	if (buf < 0)
		return;
	p->uses[p->n_ops - 1].buf[slot] = buf;
	op->buf[slot] = (struct cuda_ref){ .base = p->bufs[buf].base, .elem = p->bufs[buf].elem };
	op->n_bufs = op->n_bufs > slot ? op->n_bufs : slot + 1;
}

/* ---- placement ------------------------------------------------------------------------------------------ */

enum { RESERVE = 5 /* RECURRENT's buffer */ };

void cuda_program_scratch(struct cuda_program *p, const int64_t *scratch, const int64_t *reserve)
{
	for (int i = 0; i < p->n_ops; i++) {
		int kept = p->uses[i].buf[RESERVE];

		if (p->ops[i].kind == CUDA_OP_RECURRENT && kept >= 0)
			p->bufs[kept].bytes = reserve[i];
		if (scratch[i] <= 0)
			continue;
		p->uses[i].scratch = cuda_buffer(p, CUDA_F32, scratch[i]);
		p->scratch_bytes = scratch[i] > p->scratch_bytes ? scratch[i] : p->scratch_bytes;
	}
}

static void live(struct plan_buffer *plan, int buf, int op)
{
	if (buf < 0)
		return;
	plan[buf].first = op < plan[buf].first ? op : plan[buf].first;
	plan[buf].last = op > plan[buf].last ? op : plan[buf].last;
}

static void find_lives(const struct cuda_program *p, struct plan_buffer *plan)
{
	for (int i = 0; i < p->n_bufs; i++)
		plan[i] = (struct plan_buffer){ .first = INT_MAX, .last = -1 };
	for (int i = 0; i < p->n_ops; i++) {
		for (int k = 0; k < CUDA_REFS; k++)
			live(plan, p->uses[i].buf[k], i);
		live(plan, p->uses[i].scratch, i);
	}
	for (int i = 0; i < p->n_bufs; i++) {
		if (plan[i].last < 0)
			plan[i].first = plan[i].last = 0;
		else if (p->bufs[i].base == CUDA_SLAB)
			plan[i].bytes = (p->bufs[i].bytes + CUDA_ALIGN - 1) / CUDA_ALIGN * CUDA_ALIGN;
	}
}

static struct cuda_ref ref_to(const struct cuda_program *p, int buf)
{
	const struct cuda_buffer *b = p->bufs + buf;

	return (struct cuda_ref){ .base = b->base, .elem = b->elem, .offset = b->offset };
}

int cuda_program_place(struct cuda_program *p, struct err *e)
{
	struct plan_buffer *plan = mem_new((size_t)(p->n_bufs + 1) * sizeof *plan);

	find_lives(p, plan);
	p->slab_bytes = plan_place(plan, p->n_bufs);
	for (int i = 0; i < p->n_bufs; i++)
		if (p->bufs[i].base == CUDA_SLAB)
			p->bufs[i].offset = plan[i].offset;
	mem_free(plan);
	if (p->slab_bytes < 0)
		return ERR(e, ERR_INVALID, NULL, "the network's tensors exceed what a card can address");
	for (int i = 0; i < p->n_ops; i++) {
		for (int k = 0; k < CUDA_REFS; k++)
			if (p->uses[i].buf[k] >= 0)
				p->ops[i].buf[k] = ref_to(p, p->uses[i].buf[k]);
		if (p->uses[i].scratch >= 0)
			p->ops[i].scratch = ref_to(p, p->uses[i].scratch);
	}
	return 0;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

static const char *const op_names[CUDA_OP_COUNT] = {
#define OP(name, member) #name,
#include "train/cuda/ops.def"
#undef OP
};

static const char *const base_names[CUDA_BASES] = {
	[CUDA_SLAB] = "#",       [CUDA_PARAMS] = "params:",   [CUDA_PARAMS16] = "params16:",
	[CUDA_GRADS] = "grads:", [CUDA_MOMENT1] = "moment1:", [CUDA_MOMENT2] = "moment2:",
	[CUDA_STATS] = "stats:", [CUDA_DATA] = "data:",       [CUDA_INDEX] = "index:",
	[CUDA_OUT] = "out:",     [CUDA_STEPS] = "steps:",     [CUDA_CHUNKS] = "chunks:",
};

static void add_dims(struct str *out, const struct cuda_op *op)
{
	const struct cuda_dims *d = &op->u.map.x; /* first in every member but that of updates */

	if (op->kind != CUDA_OP_NORM_OF_GRADIENT && op->kind != CUDA_OP_OPTIMIZE)
		str_addf(out, " %dx%dx%dx%d", d->n, d->h, d->w, d->c);
}

void cuda_program_text(struct str *out, const struct cuda_program *p)
{
	static const char *const elems[] = { [CUDA_F32] = "", [CUDA_BF16] = "h", [CUDA_I32] = "i" };

	for (int i = 0; i < p->n_ops; i++) {
		str_add(out, op_names[p->ops[i].kind]);
		add_dims(out, p->ops + i);
		for (int k = 0; k < CUDA_REFS; k++) {
			const struct cuda_buffer *b = p->bufs + p->uses[i].buf[k];

			if (p->uses[i].buf[k] < 0)
				continue;
			str_addf(out, " %d=%s%lld%s", k, base_names[b->base],
				 b->base == CUDA_SLAB ? (long long)p->uses[i].buf[k] : (long long)b->offset,
				 elems[b->elem]);
		}
		str_addc(out, '\n');
	}
}
