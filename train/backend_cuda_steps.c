/* train/backend_cuda_steps.c - layers that know steps, on the cuda backend: embedding, rnn, gru, lstm. */
#include "arch/kinds.h"
#include "base/mem.h"
#include "train/backend_cuda_build.h"

/* ---- embedding ------------------------------------------------------------------------------------------ */

static void back_embedding(struct cuda_build *b, struct cuda_tape *t)
{
	struct cuda_param *w = cuda_param_of(b, t->node, 0);
	const struct embedding *cfg = b->g->nodes[t->node].cfg;
	int to = cuda_param_out(b, w, CUDA_F32);

	cuda_add(b->p, CUDA_OP_EMBED_BACK)->u.embed =
	    (struct cuda_op_embed){ .y = t->out[0]->dims, .vocabulary = cfg->vocabulary };
	cuda_use(b->p, 0, t->in[0]->buf);
	cuda_use(b->p, 1, t->out[0]->grad);
	cuda_use(b->p, 2, to);
	cuda_use(b->p, 3, cuda_lengths(b, t->in[0]));
	cuda_param_done(b, w);
}

struct cuda_val *cuda_build_embedding(struct cuda_build *b, int node)
{
	const struct embedding *cfg = b->g->nodes[node].cfg;
	struct cuda_param *w = cuda_param_of(b, node, 0);
	struct cuda_val *in = cuda_input(b, node, 0), *out;
	struct cuda_dims y = cuda_dims_of(b, cuda_out_shape(b, node));

	cuda_param_settle(b->params, w, (struct cuda_layout){ cfg->vocabulary, y.c, 1, 1, cfg->vocabulary, y.pitch });
	out = cuda_val_new(b, &y, b->plan->flows[node]);
	out->open = in->open;
	cuda_add(b->p, CUDA_OP_EMBED)->u.embed = (struct cuda_op_embed){ .y = y, .vocabulary = cfg->vocabulary };
	cuda_use(b->p, 0, in->buf);
	cuda_use(b->p, 1, cuda_operand(b, w));
	cuda_use(b->p, 2, out->buf);
	cuda_use(b->p, 3, cuda_lengths(b, in));
	cuda_tape_add(b, back_embedding, out, 1, &in, NULL);
	return out;
}

/* ---- recurrent layers ----------------------------------------------------------------------------------- */

enum { X, LENGTH, OUT, STATE, CELL, RESERVE, PARAMS = 7, DCELL = 15, DX, DPARAMS, MOST_PARAMS = 8 };
enum { DOUT = STATE, DSTATE = CELL }; /* of the backward */

struct recurrent_saved {
	struct cuda_op_recurrent op;
	int reserve, n_params;
};

/* Where the layer's k-th parameter stands among the operation's: without biases, places 2, 3 and 6, 7 are empty. */
static int place_of(const struct cuda_op_recurrent *op, int k)
{
	return op->bias ? k : k / 2 * 4 + k % 2;
}

static void use_params(struct cuda_build *b, int node, const struct recurrent_saved *s)
{
	for (int k = 0; k < s->n_params; k++)
		cuda_use(b->p, PARAMS + place_of(&s->op, k), cuda_operand(b, cuda_param_of(b, node, k)));
}

static void back_recurrent(struct cuda_build *b, struct cuda_tape *t)
{
	const struct recurrent_saved *s = t->saved;
	struct cuda_val *in = t->in[0];
	struct cuda_op_recurrent op = s->op;
	bool trains = cuda_trains(b, t->node);
	int dx = in->wants ? cuda_grad_buf(b, in) : -1;

	for (int k = 0; k < MOST_PARAMS; k++)
		op.grads[k] = -1;
	for (int k = 0; trains && k < s->n_params; k++) {
		struct cuda_param *w = cuda_param_of(b, t->node, k);

		cuda_param_out(b, w, CUDA_F32);
		op.grads[place_of(&op, k)] = w->first * 4;
	}
	cuda_add(b->p, CUDA_OP_RECURRENT_BACK)->u.recurrent = op;
	cuda_use(b->p, X, in->buf);
	cuda_use(b->p, LENGTH, cuda_lengths(b, in));
	cuda_use(b->p, OUT, t->out[0]->buf);
	cuda_use(b->p, DOUT, t->out[0]->grad);
	cuda_use(b->p, DSTATE, t->out[1]->grad);
	cuda_use(b->p, RESERVE, s->reserve);
	use_params(b, t->node, s);
	cuda_use(b->p, DCELL, t->n_out > 2 ? t->out[2]->grad : -1);
	cuda_use(b->p, DX, dx);
	cuda_use(b->p, DPARAMS, trains ? cuda_buffer_at(b->p, CUDA_GRADS, CUDA_F32, 0, 0) : -1);
	for (int k = 0; trains && k < s->n_params; k++)
		cuda_param_done(b, cuda_param_of(b, t->node, k));
	if (dx >= 0)
		cuda_give(b, in, dx);
}

static struct cuda_op_recurrent recurrent_of(const struct cuda_build *b, int node, const struct cuda_dims *x)
{
	const struct node *n = b->g->nodes + node;
	const struct rnn *c = n->cfg;

	return (struct cuda_op_recurrent){ .x = *x,
					   .y = cuda_dims_of(b, n->out),
					   .cell = n->kind == LAYER_rnn   ? 0
						   : n->kind == LAYER_gru ? 1
									  : 2,
					   .units = c->units,
					   .bidirectional = c->bidirectional,
					   .merge = c->merge,
					   .last = c->last,
					   .relu = n->kind == LAYER_rnn && c->activation,
					   .bias = c->bias,
					   .training = b->plan->flows[node],
					   .math = b->math };
}

struct cuda_val *cuda_build_recurrent(struct cuda_build *b, int node)
{
	const struct node *n = b->g->nodes + node;
	struct recurrent_saved *s = ARENA_NEW(b->a, struct recurrent_saved);
	struct cuda_val *in = cuda_plain_input(b, node, 0), *out[LAYER_PORTS];
	struct param_spec spec[LAYER_PARAMS];
	struct cuda_tape *t;

	*s = (struct recurrent_saved){ .op = recurrent_of(b, node, &in->dims), .reserve = -1 };
	s->n_params = graph_params(b->g, node, spec);
	for (int k = 0; k < s->n_params; k++) {
		int64_t count = param_count(spec + k);

		cuda_param_settle(b->params, cuda_param_of(b, node, k),
				  (struct cuda_layout){ 1, count, 1, 1, 1, count });
	}
	for (int k = 0; k < n->n_out; k++) {
		struct cuda_dims d = cuda_dims_of(b, n->out + k);

		out[k] = cuda_val_new(b, &d, b->plan->flows[node]);
		out[k]->open = n->out[k].open;
		out[k]->readers = k ? CUDA_MANY_READERS : 1;
		b->val[node * LAYER_PORTS + k] = out[k];
	}
	if (s->op.training)
		s->reserve = cuda_buffer(b->p, CUDA_F32, 0);
	cuda_add(b->p, CUDA_OP_RECURRENT)->u.recurrent = s->op;
	cuda_use(b->p, X, in->buf);
	cuda_use(b->p, LENGTH, cuda_lengths(b, in));
	cuda_use(b->p, OUT, out[0]->buf);
	cuda_use(b->p, STATE, out[1]->buf);
	cuda_use(b->p, CELL, n->n_out > 2 ? out[2]->buf : -1);
	cuda_use(b->p, RESERVE, s->reserve);
	use_params(b, node, s);
	in->kept |= b->training;
	out[0]->kept = b->training;
	t = cuda_tape_add(b, back_recurrent, out[0], 1, &in, s);
	for (int k = 1; t && k < n->n_out; k++)
		t->out[t->n_out++] = out[k];
	return out[0];
}
