/* mutate/carry_helpers.c - comparing what child and parent read, and copying tensors. See carry_internal.h. */
#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "mutate/carry_internal.h"

/* ---- looking -------------------------------------------------------------------------------------------- */

const struct channels *carry_read(const struct carry *s, struct edge at)
{
	return at.node < 0 ? &s->map->input[-1 - at.node] : &s->of[at.node * LAYER_PORTS + at.port];
}

int carry_own(const struct carry *s, int p, int port, int channel)
{
	return s->map->of[p * LAYER_PORTS + port].id[channel];
}

void carry_fail(struct carry *s, int v, int lost, const char *fmt, ...)
{
	struct str t = { 0 };
	va_list ap;

	if (s->fault[v].why)
		return;
	va_start(ap, fmt);
	str_vaddf(&t, fmt, ap);
	va_end(ap);
	s->fault[v] = (struct fault){ arena_strdup(s->a, str_get(&t)), lost };
	str_release(&t);
}

/* Equal but for the number of channels. */
static bool same_places(const struct shape *a, const struct shape *b)
{
	if (a->type != b->type || a->open != b->open)
		return false;
	if (a->type == TENSOR_TOKENS)
		return a->d[0] == b->d[0];
	return a->d[1] == b->d[1] && a->d[2] == b->d[2];
}

bool carry_same_input(const struct carry *s, int v, int p)
{
	return same_places(graph_shape(s->child, s->child->nodes[v].in[0]),
			   graph_shape(s->parent, s->parent->nodes[p].in[0]));
}

bool carry_same_output(const struct carry *s, int v, int p)
{
	return same_places(&s->child->nodes[v].out[0], &s->parent->nodes[p].out[0]);
}

static bool same_list(const struct channels *a, const struct channels *b)
{
	return a->n == b->n && memcmp(a->id, b->id, (size_t)a->n * sizeof *a->id) == 0;
}

int *carry_counting(int n, struct arena *a)
{
	int *list = ARENA_ARRAY(a, int, n);

	for (int i = 0; i < n; i++)
		list[i] = i;
	return list;
}

/* For every channel that v reads at its input k: the channel that p read there, or a CHANNEL_x. */
int *carry_columns(struct carry *s, int v, int p)
{
	const struct channels *now = carry_read(s, s->child->nodes[v].in[0]);
	const struct channels *was = channel_map_at(s->map, s->parent->nodes[p].in[0]);

	if (!s->plan[v])
		s->plan[v] =
		    same_list(was, now) ? carry_counting(now->n, s->a) : channels_match(s->map, was, now, s->a);
	return s->plan[v];
}

/* ---- tensors -------------------------------------------------------------------------------------------- */

const struct tensor *carry_tensor(const struct weights *w, int node, const char *name)
{
	int first = w->of_node[node];

	for (int i = first; first >= 0 && i < w->n && w->tensors[i].node == w->tensors[first].node; i++)
		if (strcmp(w->tensors[i].spec.name, name) == 0)
			return &w->tensors[i];
	return NULL;
}

bool carry_pair(struct pair *t, const struct carry *s, int v, int p, const char *name)
{
	*t = (struct pair){ .to = carry_tensor(s->to, v, name), .from = carry_tensor(s->from, p, name) };
	if (!t->to || !t->from)
		return false;
	t->out = s->to->data + t->to->first;
	t->in = s->from->data + t->from->first;
	t->index = (int)(t->to - s->to->tensors);
	t->equal =
	    t->to->spec.rank == t->from->spec.rank && memcmp(t->to->spec.d, t->from->spec.d, sizeof t->to->spec.d) == 0;
	return true;
}

/* Whether v's tensors are its own to write; one that shares goes on with what their owner did. */
bool carry_writes(const struct carry *s, int v)
{
	return s->child->nodes[v].share < 0;
}

/* A layer that shares its parameters repeats its counterpart only if the owner was carried over in the same way. */
bool carry_shares(const struct carry *s, int v, int p)
{
	int owner = s->child->nodes[v].share, q = owner < 0 ? -1 : s->made_of[owner]->origin;
	const struct dnode *a = s->made_of[v], *b;
	int n;

	if (owner < 0)
		return true;
	b = s->made_of[owner];
	n = carry_read(s, s->child->nodes[v].in[0])->n;
	return q >= 0 && s->from->of_node[p] == s->from->of_node[q] &&
	       n == carry_read(s, s->child->nodes[owner].in[0])->n &&
	       memcmp(s->plan[v], s->plan[owner], (size_t)n * sizeof(int)) == 0 && a->n_out_map == b->n_out_map &&
	       memcmp(a->out_map ? a->out_map : &n, b->out_map ? b->out_map : &n, (size_t)a->n_out_map * sizeof(int)) ==
		   0;
}

/* The columns to copy where not all is as it was: if nothing has moved, each keeps its place. */
const int *carry_settled(const struct carry *s, const int *col, int n, int before)
{
	bool still = n == before;

	for (int c = 0; c < n && still; c++)
		still = col[c] < 0 || col[c] == c;
	return still ? carry_counting(n, s->a) : col;
}

bool carry_any(const int *col, int n)
{
	for (int c = 0; c < n; c++)
		if (col[c] >= 0)
			return true;
	return false;
}

bool carry_twice(const int *col, int n, int before, struct arena *a)
{
	bool *seen = ARENA_ARRAY(a, bool, before);

	for (int c = 0; c < n; c++) {
		if (col[c] < 0)
			continue;
		if (seen[col[c]])
			return true;
		seen[col[c]] = true;
	}
	return false;
}

/* out[i] = in[row[i]], blocks of `block` numbers. */
void carry_rows(struct carry *s, const struct pair *t, const int *row, int n, int64_t block)
{
	if (!carry_any(row, n))
		return;
	for (int i = 0; i < n; i++)
		if (row[i] >= 0)
			memcpy(t->out + i * block, t->in + row[i] * block, (size_t)block * sizeof *t->out);
	s->inherited[t->index] = true;
}

/* The same tensor by name where shapes agree: what is left when nothing is known. */
void carry_equal(struct carry *s, int v, int p)
{
	int first = s->to->of_node[v];
	struct pair t;

	for (int i = first; carry_writes(s, v) && first >= 0 && i < s->to->n && s->to->tensors[i].node == v; i++) {
		if (!carry_pair(&t, s, v, p, s->to->tensors[i].spec.name) || !t.equal)
			continue;
		memcpy(t.out, t.in, (size_t)t.to->count * sizeof *t.out);
		s->inherited[t.index] = true;
	}
}

int *carry_copies(const int *col, int n, int before, struct arena *a)
{
	int *copies = ARENA_ARRAY(a, int, before);

	for (int i = 0; i < n; i++)
		if (col[i] >= 0)
			copies[col[i]]++;
	return copies;
}

bool carry_covered(const struct carry *s, int p, const int *col, int n, int *lost)
{
	const struct channels *read = channel_map_at(s->map, s->parent->nodes[p].in[0]);
	int *copies = carry_copies(col, n, read->n, s->a);

	for (int k = 0; k < read->n; k++)
		if (!copies[k] && read->id[k] != CHANNEL_ZERO) {
			*lost = read->id[k];
			return false;
		}
	return true;
}
