/* mutate/repair.c - makes an edited draft fit again: shapes forward from the inputs, and where a layer does not take
 * what arrives, the smallest change that makes it fit. Every change is recorded (draft_repair).
 *
 *	convolutions   groups become the largest number that divides; a window that is too large shrinks to its input
 *	pools          a window that is too large is taken out; so is a global pool of a vector
 *	groupnorm      groups as above
 *	dense          an image gets a flatten before it (an open sequence: global average pooling)
 *	reshape        its first side follows
 *	add, multiply  a shortcut's projection follows the longest operand; else all get the sizes of the smallest and
 *	               the channels of the longest, by a 1x1 convolution with a stride, or by average pooling where
 *	               the channels agree
 *	concat         the sizes of the smallest operand: average pooling for the others
 *	outputs        the layer that makes the logits has as many units as there are classes
 */
#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/mem.h"
#include "mutate/draft.h"

enum { CFG_MAX = 1024, AMENDMENTS = 2000 };

struct repair {
	struct draft *d;
	struct shape (*shape)[LAYER_PORTS]; /* of each node, as far as they are known */
	int *depth;
	int cap;
};

static void make_room(struct repair *r)
{
	if (r->d->n_nodes <= r->cap)
		return;
	r->cap = 2 * r->d->n_nodes + 8;
	r->shape = mem_resize(r->shape, (size_t)r->cap * sizeof *r->shape);
	r->depth = mem_resize(r->depth, (size_t)r->cap * sizeof *r->depth);
}

static const struct shape *shape_at(const struct repair *r, struct edge at)
{
	return at.node < 0 ? &r->d->from->inputs[-1 - at.node].shape : &r->shape[at.node][at.port];
}

static int depth_at(const struct repair *r, struct edge at)
{
	return at.node < 0 ? 0 : r->depth[at.node];
}

static bool same_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

static int gcd(int a, int b)
{
	return b ? gcd(b, a % b) : a;
}

/* ---- adapters ------------------------------------------------------------------------------------------- */

/* A new layer on input j of `node`, standing right before it. Returns its index. */
static int put_before(struct repair *r, int node, int j, enum layer_kind kind, const void *cfg)
{
	struct draft *d = r->d;
	struct edge from = d->nodes[node].in[j];
	int k = 0, made;

	while (d->order[k] != node)
		k++;
	made = draft_add(d, k ? d->order[k - 1] : -1, d->nodes[node].group, kind, cfg, &from, 1);
	d->nodes[node].in[j] = (struct edge){ made, 0 };
	return made;
}

static void pad_text(char buf[64], int stride_h, int stride_w)
{
	buf[0] = 0;
	if (stride_h == stride_w && stride_h > 1)
		snprintf(buf, 64, ", stride %d", stride_h);
	else if (stride_h > 1 || stride_w > 1)
		snprintf(buf, 64, ", stride %dx%d", stride_h, stride_w);
}

/* The stride that takes `from` positions to `to` by windows of one, or 0. */
static int stride_of(int from, int to)
{
	for (int s = 1; s <= from && s <= 64; s++)
		if ((from - 1) / s + 1 == to)
			return s;
	return 0;
}

/* Average pooling from one size to a smaller one: the stride rounded down, and a window that covers the rest. */
static void put_pool(struct repair *r, int node, int j, const struct shape *from, const struct shape *to)
{
	char a[48], b[48];

	if (from->type == TENSOR_IMAGE) {
		struct pool2d c = { 0 };

		opt_defaults(&c, layer_classes[LAYER_avgpool2d]->opts);
		for (int x = 0; x < 2; x++) {
			c.stride.v[x] = from->d[1 + x] / to->d[1 + x];
			c.size.v[x] = from->d[1 + x] - (to->d[1 + x] - 1) * c.stride.v[x];
		}
		put_before(r, node, j, LAYER_avgpool2d, &c);
	} else {
		struct pool1d c = { 0 };

		opt_defaults(&c, layer_classes[LAYER_avgpool1d]->opts);
		c.stride = from->d[1] / to->d[1];
		c.size = from->d[1] - (to->d[1] - 1) * c.stride;
		put_before(r, node, j, LAYER_avgpool1d, &c);
	}
	draft_repair(r->d, "inserted average pooling %s -> %s, so that %s fits", shape_text(a, from),
		     shape_text(b, &(struct shape){ from->type, false, { from->d[0], to->d[1], to->d[2] } }),
		     draft_name(r->d, node));
}

static int put_conv2d(struct repair *r, int node, int j, const struct shape *from, const struct shape *to)
{
	struct conv2d c = { 0 };
	char stride[64];

	opt_defaults(&c, layer_classes[LAYER_conv2d]->opts);
	c.filters = to->d[0];
	c.kernel = (struct opt_pair){ { 1, 1 } };
	c.stride = (struct opt_pair){ { stride_of(from->d[1], to->d[1]), stride_of(from->d[2], to->d[2]) } };
	c.bias = false;
	if (!c.stride.v[0] || !c.stride.v[1]) { /* first the size, then the channels */
		put_pool(r, node, j, from, to);
		return 2;
	}
	put_before(r, node, j, LAYER_conv2d, &c);
	pad_text(stride, c.stride.v[0], c.stride.v[1]);
	draft_repair(r->d, "inserted conv2d 1x1 %d->%d%s, so that %s fits", from->d[0], to->d[0], stride,
		     draft_name(r->d, node));
	return 2;
}

static int put_conv1d(struct repair *r, int node, int j, const struct shape *from, const struct shape *to)
{
	struct conv1d c = { 0 };
	char stride[64];

	opt_defaults(&c, layer_classes[LAYER_conv1d]->opts);
	c.filters = to->d[0];
	c.kernel = 1;
	c.stride = stride_of(from->d[1], to->d[1]);
	c.bias = false;
	if (!c.stride) {
		put_pool(r, node, j, from, to);
		return 2;
	}
	put_before(r, node, j, LAYER_conv1d, &c);
	pad_text(stride, c.stride, c.stride);
	draft_repair(r->d, "inserted conv1d 1 %d->%d%s, so that %s fits", from->d[0], to->d[0], stride,
		     draft_name(r->d, node));
	return 2;
}

static int put_dense(struct repair *r, int node, int j, int from, int to)
{
	struct dense c = { 0 };

	opt_defaults(&c, layer_classes[LAYER_dense]->opts);
	c.units = to;
	c.bias = false;
	put_before(r, node, j, LAYER_dense, &c);
	draft_repair(r->d, "inserted dense %d->%d, so that %s fits", from, to, draft_name(r->d, node));
	return 2;
}

/* An image or a sequence becomes a vector: all of it, or its mean where the time axis is open. */
static int put_vector(struct repair *r, int node, int j, bool mean)
{
	enum layer_kind kind = mean ? LAYER_globalavgpool : LAYER_flatten;
	struct empty c = { 0 };

	put_before(r, node, j, kind, &c);
	draft_repair(r->d, "inserted %s, so that %s fits", layer_classes[kind]->name, draft_name(r->d, node));
	return 2;
}

/* ---- merges --------------------------------------------------------------------------------------------- */

static bool parent_reads_twice(const struct draft *d, int node)
{
	const struct node *n = d->nodes[node].origin >= 0 ? &d->from->nodes[d->nodes[node].origin] : NULL;

	for (int i = 0; n && i < n->n_in; i++)
		for (int j = 0; j < i; j++)
			if (same_edge(n->in[i], n->in[j]))
				return true;
	return false;
}

/* Operands that have become one and the same: what is left is no merge. 2 if that was so. */
static int drop_twins(struct repair *r, int node)
{
	struct dnode *n = &r->d->nodes[node];
	int left = 0;

	if (n->origin < 0 || parent_reads_twice(r->d, node))
		return 1;
	for (int i = 0; i < n->n_in; i++) {
		int j = 0;

		while (j < left && !same_edge(n->in[j], n->in[i]))
			j++;
		if (j == left)
			n->in[left++] = n->in[i];
	}
	if (left == n->n_in)
		return 1;
	n->n_in = left;
	if (left > 1) {
		draft_repair(r->d, "%s: operands that had become the same count once", draft_name(r->d, node));
		return 2;
	}
	draft_repair(r->d, "%s went too: its operands had become the same", draft_name(r->d, node));
	draft_bypass(r->d, node, 0);
	return 2;
}

static int longest_operand(const struct repair *r, const struct dnode *n)
{
	int longest = 0;

	for (int j = 1; j < n->n_in; j++)
		if (depth_at(r, n->in[j]) > depth_at(r, n->in[longest]))
			longest = j;
	return longest;
}

/* The 1x1 convolution that an operand is made by, through layers that keep its shape, if it serves nothing else: a
 * shortcut's projection. -1 if there is none. */
static int projection(struct repair *r, struct edge at)
{
	struct window w;

	while (at.node >= 0 && draft_readers(r->d, at) == 1) {
		const struct dnode *n = &r->d->nodes[at.node];
		enum layer_family f = layer_classes[n->kind]->family;

		if (n->kind == LAYER_conv2d || n->kind == LAYER_conv1d) {
			draft_window(r->d, at.node, &w);
			return (!w.kernel[0] || *w.kernel[0] == 1) && *w.kernel[1] == 1 ? at.node : -1;
		}
		if (f != FAMILY_NORM && f != FAMILY_ACTIVATION && f != FAMILY_DROPOUT)
			return -1;
		at = n->in[0];
	}
	return -1;
}

/* A projection that no longer meets the longest operand takes its channels and its size. 2 if that was done. */
static int follow_main(struct repair *r, int node, int j, const struct shape *to)
{
	int at = projection(r, r->d->nodes[node].in[j]), *filters, stride[2] = { 1, 1 };
	const struct shape *in = at < 0 ? NULL : shape_at(r, r->d->nodes[at].in[0]);
	struct window w;

	if (!in || in->type != to->type || in->open || !draft_window(r->d, at, &w) || w.padding->side[0] ||
	    w.padding->side[1] || w.padding->side[2] || w.padding->side[3])
		return 0;
	filters = draft_width(r->d, at);
	for (int axis = 0; axis < 2; axis++) {
		int x = in->type == TENSOR_IMAGE ? 1 + axis : 1;

		stride[axis] = w.stride[axis] ? stride_of(in->d[x], to->d[x]) : 1;
	}
	if (!stride[0] || !stride[1])
		return 0;
	draft_repair(r->d, "%s: %d filters, stride %d -> %d filters, stride %d, so that %s fits", draft_name(r->d, at),
		     *filters, *w.stride[1], to->d[0], stride[1], draft_name(r->d, node));
	*filters = to->d[0];
	for (int axis = 0; axis < 2; axis++)
		if (w.stride[axis])
			*w.stride[axis] = stride[axis];
	return 2;
}

/* What all operands should be: the type, time axis and channels of the longest one, the smallest sizes. */
static struct shape common_shape(const struct repair *r, const struct dnode *n)
{
	struct shape to = *shape_at(r, n->in[longest_operand(r, n)]);

	for (int j = 0; j < n->n_in; j++) {
		const struct shape *s = shape_at(r, n->in[j]);

		for (int x = 1; x < shape_rank(&to) && s->type == to.type; x++)
			to.d[x] = s->d[x] < to.d[x] ? s->d[x] : to.d[x];
	}
	for (int j = 0; j < n->n_in; j++)
		if (shape_at(r, n->in[j])->type == TENSOR_VECTOR && to.type != TENSOR_VECTOR)
			to = *shape_at(r, n->in[j]);
	return to;
}

static int amend_merge(struct repair *r, int node)
{
	const struct dnode *n = &r->d->nodes[node];
	const struct shape to = common_shape(r, n), main = *shape_at(r, n->in[longest_operand(r, n)]);
	bool concat = n->kind == LAYER_concat;

	for (int j = 0; j < n->n_in && !concat; j++)
		if (j != longest_operand(r, n) && !shape_equal(shape_at(r, n->in[j]), &main) &&
		    follow_main(r, node, j, &main))
			return 2;
	for (int j = 0; j < n->n_in; j++) {
		const struct shape s = *shape_at(r, n->in[j]);
		bool sizes = s.d[1] == to.d[1] && s.d[2] == to.d[2];

		if (s.type == TENSOR_TOKENS || to.type == TENSOR_TOKENS || (s.type == to.type && s.open != to.open))
			return 0;
		if (s.type != to.type)
			return to.type == TENSOR_VECTOR ? put_vector(r, node, j, !concat || s.open) : 0;
		if (sizes && (concat || s.d[0] == to.d[0]))
			continue;
		if (!sizes && s.open)
			return 0;
		if (concat || (s.d[0] == to.d[0] && !sizes)) {
			put_pool(r, node, j, &s, &to);
			return 2;
		}
		if (s.type == TENSOR_VECTOR)
			return put_dense(r, node, j, s.d[0], to.d[0]);
		return s.type == TENSOR_IMAGE ? put_conv2d(r, node, j, &s, &to) : put_conv1d(r, node, j, &s, &to);
	}
	return 0;
}

/* ---- layers with one input ------------------------------------------------------------------------------ */

static int amend_groups(struct repair *r, int node, int channels, int *groups, int filters)
{
	int was = *groups, fits = gcd(channels, filters);

	/* a depthwise convolution stays one as far as it can; others keep a divisor of their groups */
	*groups = was == filters ? fits : gcd(fits, was);
	if (*groups == was)
		return 0;
	draft_repair(r->d, "%s: %d -> %d groups", draft_name(r->d, node), was, *groups);
	return 2;
}

static int shrink_window(struct repair *r, int node, const struct shape *in)
{
	struct window w;
	int changed = 0;

	if (!draft_window(r->d, node, &w) || (in->type != TENSOR_IMAGE && in->type != TENSOR_SEQUENCE) || in->open)
		return 0;
	for (int axis = 0; axis < 2; axis++) {
		int size = in->d[in->type == TENSOR_IMAGE ? 1 + axis : 1], dilation, pads;

		if (!w.kernel[axis])
			continue;
		dilation = *w.dilation[axis];
		pads = w.padding->side[axis] + w.padding->side[axis + 2];
		if (layer_window(size, *w.kernel[axis], *w.stride[axis], dilation, w.padding->side[axis],
				 w.padding->side[axis + 2], false) >= 1)
			continue;
		draft_repair(r->d, "%s: kernel %d -> %d on an input of %d", draft_name(r->d, node), *w.kernel[axis],
			     (size + pads - 1) / dilation + 1, size);
		*w.kernel[axis] = (size + pads - 1) / dilation + 1;
		*w.stride[axis] = 1;
		changed = 2;
	}
	return changed;
}

static int amend_conv(struct repair *r, int node, const struct shape *in)
{
	struct dnode *n = &r->d->nodes[node];
	int rc = 0;

	if (n->kind == LAYER_conv2d)
		rc = amend_groups(r, node, in->d[0], &((struct conv2d *)n->cfg)->groups,
				  ((struct conv2d *)n->cfg)->filters);
	else if (n->kind == LAYER_conv1d)
		rc = amend_groups(r, node, in->d[0], &((struct conv1d *)n->cfg)->groups,
				  ((struct conv1d *)n->cfg)->filters);
	return rc ? rc : shrink_window(r, node, in);
}

static int take_out(struct repair *r, int node, const struct shape *in, const char *why)
{
	char text[48];

	if (draft_is_fixed(r->d, node, NULL) && in->type != TENSOR_VECTOR)
		return 0;
	draft_repair(r->d, "%s went too: it %s %s", draft_name(r->d, node), why, shape_text(text, in));
	draft_bypass(r->d, node, 0);
	return 2;
}

static int amend_pool(struct repair *r, int node, const struct shape *in)
{
	enum layer_kind kind = r->d->nodes[node].kind;
	bool global = kind == LAYER_globalavgpool || kind == LAYER_globalmaxpool;

	if (global)
		return in->type == TENSOR_VECTOR ? take_out(r, node, in, "has nothing to pool in a vector of") : 0;
	if (in->type == TENSOR_VECTOR || in->type == TENSOR_TOKENS || in->open)
		return 0;
	return take_out(r, node, in, "does not fit");
}

static int amend_reshape(struct repair *r, int node, const struct shape *in)
{
	struct opt_ints *v = &((struct reshape *)r->d->nodes[node].cfg)->shape;
	int64_t others = 1, count = shape_count(in);
	int was = v->v[0];

	for (int i = 1; i < v->n; i++)
		others *= v->v[i];
	if (in->open || others < 1 || count % others || count / others > SHAPE_DIM_MAX || count / others == was)
		return 0;
	v->v[0] = (int)(count / others);
	draft_repair(r->d, "%s: its first side %d -> %d", draft_name(r->d, node), was, v->v[0]);
	return 2;
}

/* 2: something was changed, look again; 0: nothing helps. */
static int amend(struct repair *r, int node, const struct shape *in)
{
	struct dnode *n = &r->d->nodes[node];

	switch (layer_classes[n->kind]->family) {
	case FAMILY_CONV:
		return amend_conv(r, node, in);
	case FAMILY_POOL:
		return amend_pool(r, node, in);
	case FAMILY_DENSE:
		if (in->type == TENSOR_IMAGE || in->type == TENSOR_SEQUENCE)
			return put_vector(r, node, 0, in->open);
		return 0;
	case FAMILY_NORM:
		if (n->kind != LAYER_groupnorm || in->type == TENSOR_VECTOR || in->type == TENSOR_TOKENS || in->open)
			return 0;
		return amend_groups(r, node, in->d[0], &((struct groupnorm *)n->cfg)->groups, in->d[0]);
	case FAMILY_MERGE:
		return amend_merge(r, node);
	case FAMILY_RESHAPE:
		return n->kind == LAYER_reshape ? amend_reshape(r, node, in) : 0;
	case FAMILY_ACTIVATION:
	case FAMILY_DROPOUT:
	case FAMILY_RECURRENT:
	case FAMILY_EMBEDDING:
	case FAMILY_OTHER:
	case FAMILY_COUNT:
		break;
	}
	return 0;
}

/* 1: the node fits as it is; 2: the draft was changed; 0: refused. */
static int settle_node(struct repair *r, int node)
{
	struct draft *d = r->d;
	const struct dnode *n = &d->nodes[node];
	const struct layer_class *k = layer_classes[n->kind];
	_Alignas(16) char cfg[CFG_MAX];
	struct shape in[LAYER_INPUTS];
	struct err why = { 0 };
	int rc;

	if (k->family == FAMILY_MERGE && drop_twins(r, node) == 2)
		return 2;
	assert(n->n_in >= k->min_in && n->n_in <= k->max_in && k->cfg_size <= CFG_MAX);
	r->depth[node] = 1;
	for (int j = 0; j < n->n_in; j++) {
		in[j] = *shape_at(r, n->in[j]);
		if (depth_at(r, n->in[j]) >= r->depth[node])
			r->depth[node] = depth_at(r, n->in[j]) + 1;
	}
	memcpy(cfg, n->cfg, k->cfg_size);
	if (k->shape(cfg, in, n->n_in, r->shape[node], &why) == 0)
		return 1;
	rc = amend(r, node, in);
	return rc ? rc : draft_refuse(d, "%s: %s", draft_name(d, node), why.msg);
}

/* The layer whose number of units is that of output k, through layers that keep it; -1 if there is none. */
static int width_maker(struct draft *d, struct edge at)
{
	while (at.node >= 0 && !draft_width(d, at.node)) {
		enum layer_family f = layer_classes[d->nodes[at.node].kind]->family;
		bool keeps = f == FAMILY_NORM || f == FAMILY_ACTIVATION || f == FAMILY_DROPOUT || f == FAMILY_POOL;

		at = keeps ? d->nodes[at.node].in[0] : (struct edge){ -1, 0 };
	}
	return at.node;
}

static int settle_output(struct repair *r, int k)
{
	struct draft *d = r->d;
	const struct shape *s = shape_at(r, d->outputs[k]);
	int classes = d->from->outputs[k].classes, maker = width_maker(d, d->outputs[k]), *width;
	char text[48];

	if (s->type == TENSOR_VECTOR && s->d[0] == classes)
		return 1;
	width = maker >= 0 ? draft_width(d, maker) : NULL;
	if (s->type != TENSOR_VECTOR || !width || *width != s->d[0])
		return draft_refuse(d, "the output needs a vector of %d and would get %s %s", classes,
				    tensor_type_names[s->type], shape_text(text, s));
	draft_repair(d, "%s: %d -> %d units, the classes", draft_name(d, maker), *width, classes);
	*width = classes;
	return 2;
}

/* One walk from the inputs: 1 if all fits, 2 after the first change, 0 if refused. */
static int walk(struct repair *r)
{
	struct draft *d = r->d;
	int rc = 1;

	for (int k = 0; k < d->n_order && rc == 1; k++)
		rc = settle_node(r, d->order[k]);
	for (int k = 0; k < d->from->n_outputs && rc == 1; k++)
		rc = settle_output(r, k);
	return rc;
}

int draft_settle(struct draft *d)
{
	struct repair r = { .d = d };
	int rc = 2;

	for (int i = 0; i < AMENDMENTS && rc == 2; i++) {
		make_room(&r);
		rc = walk(&r);
	}
	mem_free(r.shape);
	mem_free(r.depth);
	return rc == 2 ? draft_refuse(d, "its shapes cannot be repaired") : rc;
}
