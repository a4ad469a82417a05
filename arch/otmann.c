/* arch/otmann.c - masses, lengths of paths, and the transport problem of otmann.h.
 *
 * A unit of mass matched at cost C saves two units left over, 2 nu: pairs that cost as much are never needed, and the
 * problem falls apart into one for each family of labels. Each is solved by successive shortest paths with potentials
 * (Edmonds and Karp 1972): the rows are shipped one after the other, each along cheapest paths of the residual graph,
 * with "left over" as one more column that is never full.
 */
#include "arch/otmann.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "arch/otmann_parts.h"
#include "base/mem.h"

double otmann_mass(const struct otmann *m)
{
	return m->total;
}

const double *otmann_masses(const struct otmann *m, int *n)
{
	*n = m->n_layers;
	return m->masses;
}

const char *otmann_label(const struct otmann *m, int layer)
{
	return m->labels[layer].text;
}

/* ---- lengths of paths ----------------------------------------------------------------------------------- */

/* The neighbours of each layer in one direction: of layer i, to[at[i] .. at[i + 1]). */
struct neighbours {
	int *at, *to;
};

static struct neighbours neighbours_of(int n, const struct otmann_edge *edges, int n_edges, bool forward)
{
	struct neighbours b = { mem_new((size_t)(n + 2) * sizeof *b.at),
				mem_new((size_t)(n_edges + 1) * sizeof *b.to) };

	for (int i = 0; i < n_edges; i++)
		b.at[(forward ? edges[i].from : edges[i].to) + 2]++;
	for (int i = 2; i <= n; i++)
		b.at[i] += b.at[i - 1];
	for (int i = 0; i < n_edges; i++) /* at[i + 1] moves to where the list of i ends */
		b.to[b.at[(forward ? edges[i].from : edges[i].to) + 1]++] = forward ? edges[i].to : edges[i].from;
	return b;
}

static void release(struct neighbours *b)
{
	mem_free(b->at);
	mem_free(b->to);
}

/* Kahn: every layer after all that it reads. Returns how many could be placed. */
static int sorted(int *order, int n, const struct neighbours *back, const struct neighbours *ahead)
{
	int *open = mem_new((size_t)n * sizeof *open), placed = 0;

	for (int i = 0; i < n; i++) {
		open[i] = back->at[i + 1] - back->at[i];
		if (!open[i])
			order[placed++] = i;
	}
	for (int i = 0; i < placed; i++)
		for (int k = ahead->at[order[i]]; k < ahead->at[order[i] + 1]; k++)
			if (!--open[ahead->to[k]])
				order[placed++] = ahead->to[k];
	mem_free(open);
	return placed;
}

/* Shortest, longest and mean (of a random walk) length from layer u to the end by way of its neighbours. The layer
 * itself counts if it belongs to the group, the end does not. */
static void lengths_of(const struct otmann *m, int u, const struct neighbours *b, double (*all)[OTMANN_LENGTHS])
{
	int first = b->at[u], last = b->at[u + 1];

	for (int g = 0; g < m->preset->groups && first < last; g++) {
		double w = m->preset->member(&m->labels[u], g) ? 1 : 0, least = INFINITY, most = 0, sum = 0;

		for (int k = first; k < last; k++) {
			const double *v = &all[b->to[k]][3 * g];

			least = fmin(least, v[0]);
			most = fmax(most, v[1]);
			sum += v[2];
		}
		all[u][3 * g] = w + least;
		all[u][3 * g + 1] = w + most;
		all[u][3 * g + 2] = w + sum / (last - first);
	}
}

/* ---- preparing ------------------------------------------------------------------------------------------ */

static int by_family(const void *a, const void *b)
{
	const struct supply *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	return x->label < y->label ? -1 : x->label > y->label; /* the order of the layers */
}

static bool same_place(const struct supply *x, const struct supply *y)
{
	return x->family == y->family && memcmp(x->to_ip, y->to_ip, sizeof x->to_ip) == 0 &&
	       memcmp(x->to_op, y->to_op, sizeof x->to_op) == 0 && label_equal(x->label, y->label);
}

static void add_supplies(struct otmann *m, double (*back)[OTMANN_LENGTHS], double (*ahead)[OTMANN_LENGTHS],
			 struct arena *a)
{
	int kept = 0;

	m->supplies = ARENA_ARRAY(a, struct supply, m->n_layers);
	for (int i = 0; i < m->n_layers; i++) {
		struct supply *s = &m->supplies[i];

		s->family = label_family(&m->labels[i]);
		s->label = &m->labels[i];
		s->mass = m->masses[i];
		memcpy(s->to_ip, back[i], sizeof s->to_ip);
		memcpy(s->to_op, ahead[i], sizeof s->to_op);
		m->total += s->mass;
	}
	qsort(m->supplies, (size_t)m->n_layers, sizeof *m->supplies, by_family);
	for (int i = 0; i < m->n_layers; i++) {
		int k = kept - 1;

		while (k >= 0 && m->supplies[k].family == m->supplies[i].family &&
		       !same_place(&m->supplies[k], &m->supplies[i]))
			k--;
		if (k >= 0 && same_place(&m->supplies[k], &m->supplies[i]))
			m->supplies[k].mass += m->supplies[i].mass;
		else
			m->supplies[kept++] = m->supplies[i];
	}
	m->n_supplies = kept;
}

int otmann_finish(struct otmann *m, const struct otmann_edge *edges, int n_edges, struct arena *a, struct err *e)
{
	int n = m->n_layers, *order = mem_new((size_t)(n + 1) * sizeof *order), rc = 0;
	struct neighbours back = neighbours_of(n, edges, n_edges, false);
	struct neighbours ahead = neighbours_of(n, edges, n_edges, true);
	double(*to_ip)[OTMANN_LENGTHS] = mem_new((size_t)(n + 1) * sizeof *to_ip);
	double(*to_op)[OTMANN_LENGTHS] = mem_new((size_t)(n + 1) * sizeof *to_op);

	if (sorted(order, n, &back, &ahead) < n)
		rc = ERR(e, ERR_INVALID, NULL, "the layers form a cycle");
	for (int i = 0; i < n && rc == 0; i++) {
		lengths_of(m, order[i], &back, to_ip);
		lengths_of(m, order[n - 1 - i], &ahead, to_op);
	}
	if (rc == 0)
		add_supplies(m, to_ip, to_op, a);
	mem_free(to_op);
	mem_free(to_ip);
	release(&ahead);
	release(&back);
	mem_free(order);
	return rc;
}

/* ---- networks as published ------------------------------------------------------------------------------ */

/* Marks what each layer has: an edge in, an edge out. */
static int mark_edges(const struct otmann_net *net, const struct label *l, signed char *has, struct err *e)
{
	for (int k = 0; k < net->n_edges; k++) {
		const struct otmann_edge *d = &net->edges[k];

		if (d->from < 0 || d->to < 0 || d->from >= net->n_layers || d->to >= net->n_layers)
			return ERR(e, ERR_INVALID, NULL, "edge %d leads to a layer that is not there", k);
		if (l[d->to].type == LABEL_OP && l[d->from].type != LABEL_DECISION)
			return ERR(e, ERR_INVALID, l[d->from].text, "only softmax and linear layers stand before op");
		has[d->to] |= 1;
		has[d->from] |= 2;
	}
	return 0;
}

static int check_net(const struct otmann_net *net, const struct label *l, struct err *e)
{
	signed char *has = mem_new((size_t)net->n_layers + 1);
	int ips = 0, ops = 0, rc = -1;

	TRY(mark_edges(net, l, has, e));
	for (int i = 0; i < net->n_layers; i++) {
		bool ip = l[i].type == LABEL_IP, op = l[i].type == LABEL_OP;

		ips += ip;
		ops += op;
		if (has[i] != (ip ? 2 : op ? 1 : 3)) {
			ERR(e, ERR_INVALID, l[i].text, "layer %d lies on no path from ip to op", i);
			goto out;
		}
	}
	rc = ips == 1 && ops == 1 ? 0 : ERR(e, ERR_INVALID, NULL, "a network has one ip and one op");
out:
	mem_free(has);
	return rc;
}

/* The mass of a layer that `in` units come into, and its own units. */
static double mass_of(const struct preset *p, const struct label *l, double in, double *units)
{
	if (l->type == LABEL_POOL || *units <= 0)
		*units = in;
	if (l->type == LABEL_POOL)
		return in;
	return (l->type == LABEL_DENSE ? p->dense : 1) * in * *units;
}

/* Masses of a network in which each layer reads what stands before it in `order`. */
static void fill_masses(struct otmann *m, const struct otmann_net *net, const int *order, const struct neighbours *back)
{
	double *units = mem_new((size_t)m->n_layers * sizeof *units), sum = 0, ends;
	int decisions = 0;

	for (int i = 0; i < m->n_layers; i++) {
		int at = order[i];
		enum label_type type = m->labels[at].type;
		double in = 0;

		for (int k = back->at[at]; k < back->at[at + 1]; k++)
			in += units[back->to[k]];
		units[at] = type == LABEL_IP ? 1 : net->layers[at].units;
		decisions += type == LABEL_DECISION;
		if (type != LABEL_IP && type != LABEL_OP && type != LABEL_DECISION)
			sum += m->masses[at] = mass_of(m->preset, &m->labels[at], in, &units[at]);
	}
	ends = fmax(0.1 * sum, 100);
	for (int i = 0; i < m->n_layers; i++)
		if (m->labels[i].type == LABEL_DECISION)
			m->masses[i] = ends / decisions;
		else if (m->labels[i].type == LABEL_IP || m->labels[i].type == LABEL_OP)
			m->masses[i] = ends;
	mem_free(units);
}

int otmann_of_net(struct otmann **out, const struct otmann_net *net, enum otmann_preset preset, struct arena *a,
		  struct err *e)
{
	struct otmann *m = ARENA_NEW(a, struct otmann);
	struct neighbours back, ahead;
	int n = net->n_layers, *order;

	if (preset == OTMANN_NAB)
		return ERR(e, ERR_INVALID, NULL, "preset nab compares models, not lists of labels");
	m->preset = &otmann_presets[preset];
	m->n_layers = n;
	m->masses = ARENA_ARRAY(a, double, n + 1);
	m->labels = ARENA_ARRAY(a, struct label, n + 1);
	for (int i = 0; i < n; i++)
		m->labels[i] = label_read(arena_strdup(a, net->layers[i].label), preset);
	if (check_net(net, m->labels, e) < 0)
		return -1;
	order = mem_new((size_t)(n + 1) * sizeof *order);
	back = neighbours_of(n, net->edges, net->n_edges, false);
	ahead = neighbours_of(n, net->edges, net->n_edges, true);
	if (sorted(order, n, &back, &ahead) == n)
		fill_masses(m, net, order, &back);
	release(&ahead);
	release(&back);
	mem_free(order);
	*out = m;
	return otmann_finish(m, net->edges, net->n_edges, a, e);
}

/* ---- transport ------------------------------------------------------------------------------------------ */

/* Rows are supplies of x, columns those of y; column `columns` takes what is left over. */
struct transport {
	int rows, columns;
	double *cost, *flow;         /* [rows][columns + 1] */
	double *room;                /* [columns]: capacity left */
	double *row_pot, *col_pot;   /* potentials: cost + row_pot - col_pot >= 0, and 0 where there is flow */
	double *length;              /* [columns + 1]: of the cheapest path to the column, reduced */
	double *row_length;          /* [rows] */
	int *from_row, *from_column; /* the path: column reached from row, row from column (-1: the start) */
	signed char *done;           /* columns settled */
	signed char *row_seen;
	double tiny; /* flows of at most this are rounding */
};

static double place_gap(const struct supply *x, const struct supply *y, int lengths)
{
	double back = 0, ahead = 0;

	for (int i = 0; i < lengths; i++) {
		back += fabs(x->to_ip[i] - y->to_ip[i]);
		ahead += fabs(x->to_op[i] - y->to_op[i]);
	}
	return 0.5 * (back + ahead) / lengths;
}

static double pair_cost(const struct preset *p, const struct supply *x, const struct supply *y,
			const struct otmann_cost *c)
{
	double unlike = c->mismatch * c->unmatched * p->mismatch(x->label, y->label);

	if (!(unlike < 2 * c->unmatched))
		return (double)INFINITY;
	unlike += c->structure * place_gap(x, y, 3 * p->groups);
	return unlike < 2 * c->unmatched ? unlike : (double)INFINITY;
}

static void relax_row(struct transport *t, int row, double sofar, int by_column)
{
	const double *cost = &t->cost[row * (t->columns + 1)];

	t->row_seen[row] = 1;
	t->row_length[row] = sofar;
	t->from_column[row] = by_column;
	for (int k = 0; k <= t->columns; k++) {
		double v = sofar + (cost[k] + t->row_pot[row] - t->col_pot[k]);

		if (!t->done[k] && v < t->length[k]) {
			t->length[k] = v;
			t->from_row[k] = row;
		}
	}
}

/* Dijkstra from a row to the nearest column with room; returns it, with the potentials moved along. */
static int nearest_room(struct transport *t, int start)
{
	int end, w = t->columns + 1;

	for (int k = 0; k < w; k++) {
		t->length[k] = INFINITY;
		t->done[k] = 0;
	}
	memset(t->row_seen, 0, (size_t)t->rows);
	relax_row(t, start, 0, -1);
	for (;;) {
		end = -1;
		for (int k = 0; k < w; k++)
			if (!t->done[k] && (end < 0 || t->length[k] < t->length[end]))
				end = k;
		if (end == t->columns || t->room[end] > 0)
			break;
		t->done[end] = 1;
		for (int r = 0; r < t->rows; r++)
			if (!t->row_seen[r] && t->flow[r * w + end] > t->tiny)
				relax_row(t, r, t->length[end], end);
	}
	for (int k = 0; k < w; k++)
		if (t->done[k])
			t->col_pot[k] += t->length[k] - t->length[end];
	for (int r = 0; r < t->rows; r++)
		if (t->row_seen[r])
			t->row_pot[r] += t->row_length[r] - t->length[end];
	return end;
}

/* Ships at most `most` along the path found to column `end`; returns how much. */
static double ship(struct transport *t, int end, double most)
{
	int w = t->columns + 1;

	if (end < t->columns)
		most = fmin(most, t->room[end]);
	for (int k = end; t->from_column[t->from_row[k]] >= 0; k = t->from_column[t->from_row[k]])
		most = fmin(most, t->flow[t->from_row[k] * w + t->from_column[t->from_row[k]]]);
	if (end < t->columns)
		t->room[end] -= most;
	for (int k = end;;) {
		int row = t->from_row[k], via = t->from_column[row];

		t->flow[row * w + k] += most;
		if (via < 0)
			break;
		t->flow[row * w + via] -= most;
		k = via;
	}
	return most;
}

static double solve(struct transport *t, const struct supply *x, const struct supply *y, double nu)
{
	int w = t->columns + 1;
	double sum = 0;

	for (int k = 0; k < t->columns; k++)
		t->room[k] = y[k].mass;
	for (int r = 0; r < t->rows; r++) {
		double left = x[r].mass, pot = -(double)INFINITY;

		for (int k = 0; k < w; k++)
			pot = fmax(pot, t->col_pot[k] - t->cost[r * w + k]);
		t->row_pot[r] = pot;
		while (left > t->tiny)
			left -= ship(t, nearest_room(t, r), left);
	}
	for (int r = 0; r < t->rows; r++) {
		for (int k = 0; k < t->columns; k++)
			if (t->flow[r * w + k] > 0)
				sum += t->flow[r * w + k] * t->cost[r * w + k];
		sum += nu * t->flow[r * w + t->columns];
	}
	for (int k = 0; k < t->columns; k++)
		sum += nu * t->room[k];
	return sum;
}

static void *take(char **from, size_t bytes)
{
	void *p = *from;

	*from += (bytes + 15) & ~(size_t)15;
	return p;
}

/* The least cost of one family. */
static double family_cost(const struct preset *p, const struct supply *x, int n_x, const struct supply *y, int n_y,
			  const struct otmann_cost *c, double tiny)
{
	enum { AT_HAND = 24 * 1024 };
	size_t cells = (size_t)n_x * (size_t)(n_y + 1) * sizeof(double),
	       line = (size_t)(n_x + n_y + 2) * sizeof(double);
	size_t bytes = 2 * cells + 8 * line + 256;
	struct transport t = { .rows = n_x, .columns = n_y, .tiny = tiny };
	_Alignas(16) char near[AT_HAND];
	char *memory = bytes <= AT_HAND ? near : mem_new(bytes), *at = memory;
	double sum;

	t.cost = take(&at, cells);
	t.flow = take(&at, cells);
	memset(t.flow, 0, cells);
	t.room = take(&at, (size_t)n_y * sizeof(double));
	t.row_pot = take(&at, (size_t)n_x * sizeof(double));
	t.col_pot = take(&at, (size_t)(n_y + 1) * sizeof(double));
	memset(t.col_pot, 0, (size_t)(n_y + 1) * sizeof(double));
	t.length = take(&at, (size_t)(n_y + 1) * sizeof(double));
	t.row_length = take(&at, (size_t)n_x * sizeof(double));
	t.from_row = take(&at, (size_t)(n_y + 1) * sizeof(int));
	t.from_column = take(&at, (size_t)n_x * sizeof(int));
	t.done = take(&at, (size_t)n_y + 1);
	t.row_seen = take(&at, (size_t)n_x);
	assert(at <= memory + bytes);
	for (int i = 0; i < n_x; i++) {
		for (int k = 0; k < n_y; k++)
			t.cost[i * (n_y + 1) + k] = pair_cost(p, &x[i], &y[k], c);
		t.cost[i * (n_y + 1) + n_y] = 2 * c->unmatched;
	}
	sum = solve(&t, x, y, c->unmatched);
	if (memory != near)
		mem_free(memory);
	return sum;
}

static int family_end(const struct otmann *m, int from)
{
	int i = from;

	while (i < m->n_supplies && m->supplies[i].family == m->supplies[from].family)
		i++;
	return i;
}

static double left_over(const struct supply *s, int n, double nu)
{
	double sum = 0;

	for (int i = 0; i < n; i++)
		sum += s[i].mass;
	return nu * sum;
}

double otmann_distance(const struct otmann *x, const struct otmann *y, const struct otmann_cost *c)
{
	double sum = 0, tiny = 1e-13 * (x->total + y->total);
	int i = 0, k = 0;

	assert(x->preset == y->preset);
	while (i < x->n_supplies || k < y->n_supplies) {
		const struct supply *s = &x->supplies[i], *u = &y->supplies[k];
		int i_end = i, k_end = k;

		if (k == y->n_supplies || (i < x->n_supplies && s->family <= u->family))
			i_end = family_end(x, i);
		if (i == x->n_supplies || (k < y->n_supplies && u->family <= s->family))
			k_end = family_end(y, k);
		if (i_end > i && k_end > k)
			sum += family_cost(x->preset, s, i_end - i, u, k_end - k, c, tiny);
		else
			sum += left_over(s, i_end - i, c->unmatched) + left_over(u, k_end - k, c->unmatched);
		i = i_end;
		k = k_end;
	}
	return sum > 10 * tiny ? sum : 0; /* rounding */
}

double otmann_normalised(const struct otmann *x, const struct otmann *y, const struct otmann_cost *c)
{
	return otmann_distance(x, y, c) / (x->total + y->total);
}
