/* export/torch_scope.c - see torch_scope.h.
 *
 * How variables are named: what only the next line reads is the running variable (x, or y where x must be kept);
 * everything else has the id of the layer that made it. Layers that no output depends on keep their module (their
 * parameters are in the file) but are not called.
 */
#include "export/torch_scope.h"

#include <assert.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"

struct item {            /* a layer or a block instance, as its scope sees it */
	int node, group; /* one of them, the other is -1 */
	const struct edge *in;
	int n_in;
	struct edge *out; /* those that somebody reads */
	int n_out;
	bool chain; /* its one output goes to the next item alone */
};

struct scope {
	int group, first, n_nodes;
	struct item *items;
	int n;
	const struct edge *in, *out;
	int n_in, n_out;
	const char *running; /* name of the running variable */
};

struct class
{
	int group;        /* an instance */
	const char *body; /* without shapes */
	const char *name;
	bool shapes_vary;
	const char *shaped; /* body with shapes of the instance */
};

struct torch_classes {
	const struct graph *g;
	struct arena *a, *scratch;
	const struct node *norm; /* a batch norm if all are alike */
	bool *live;
	bool *used;    /* [slots] a live layer or an output reads the edge */
	int *class_of; /* [n_groups] */
	struct class *classes;
	int n;
	const char **var;    /* [slots] variable that holds an edge, in the scope that is being written */
	int *users, *reader; /* [slots] items that read an edge; the first of them */
	bool shapes;         /* write shapes as comments */
};

/* ---- edges ---------------------------------------------------------------------------------------------- */

static bool same_edge(struct edge a, struct edge b)
{
	return a.node == b.node && a.port == b.port;
}

static int slot(const struct graph *g, struct edge e)
{
	return e.node < 0 ? g->n_nodes * LAYER_PORTS - 1 - e.node : e.node * LAYER_PORTS + e.port;
}

static int n_slots(const struct graph *g)
{
	return g->n_nodes * LAYER_PORTS + g->n_inputs;
}

struct edges {
	struct edge *v;
	int n, cap;
};

static void add_unique(struct edges *list, struct edge e, struct arena *a)
{
	for (int i = 0; i < list->n; i++)
		if (same_edge(list->v[i], e))
			return;
	if (list->n == list->cap) {
		struct edge *more = ARENA_ARRAY(a, struct edge, list->cap ? 2 * list->cap : 4);

		if (list->n)
			memcpy(more, list->v, (size_t)list->n * sizeof *more);
		list->v = more;
		list->cap = list->cap ? 2 * list->cap : 4;
	}
	list->v[list->n++] = e;
}

static bool inside(int node, int first, int n)
{
	return node >= first && node < first + n;
}

static bool has_edge(const struct edges *list, struct edge e)
{
	for (int i = 0; i < list->n; i++)
		if (same_edge(list->v[i], e))
			return true;
	return false;
}

/* The members of `found`, those that are declared first, in the order of the declaration. */
static struct edges ordered(const struct edges *found, const struct edge *declared, int n, struct arena *a)
{
	struct edges out = { 0 };

	for (int i = 0; i < n; i++)
		if (has_edge(found, declared[i]))
			add_unique(&out, declared[i], a);
	for (int i = 0; i < found->n; i++)
		add_unique(&out, found->v[i], a);
	return out;
}

/* What the live nodes of a range read from outside. */
static struct edges imports(const struct torch_classes *c, int first, int n)
{
	struct edges out = { 0 };

	for (int i = first; i < first + n; i++)
		for (int k = 0; c->live[i] && k < c->g->nodes[i].n_in; k++)
			if (!inside(c->g->nodes[i].in[k].node, first, n))
				add_unique(&out, c->g->nodes[i].in[k], c->scratch);
	return out;
}

/* What live nodes after a range, or the model's outputs, read of it. */
static struct edges exports(const struct torch_classes *c, int first, int n)
{
	const struct graph *g = c->g;
	struct edges out = { 0 };

	for (int i = first + n; i < g->n_nodes; i++)
		for (int k = 0; c->live[i] && k < g->nodes[i].n_in; k++)
			if (inside(g->nodes[i].in[k].node, first, n))
				add_unique(&out, g->nodes[i].in[k], c->scratch);
	for (int i = 0; i < g->n_outputs; i++)
		if (inside(g->outputs[i].from.node, first, n))
			add_unique(&out, g->outputs[i].from, c->scratch);
	return out;
}

/* ---- names ---------------------------------------------------------------------------------------------- */

static const char *local_id(const struct graph *g, const char *id, int scope)
{
	return scope < 0 ? id : id + strlen(g->groups[scope].id) + 2;
}

/* Attributes of nn.Module that a layer's id could hide. */
static const char module_attributes[] =
    " "
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda "
    "double dump_patches eval extra_repr float forward get_buffer get_extra_state get_parameter "
    "get_submodule half ipu load_state_dict modules mtia named_buffers named_children "
    "named_modules named_parameters parameters register_backward_hook register_buffer "
    "register_forward_hook register_forward_pre_hook register_full_backward_hook "
    "register_module register_parameter set_extra_state set_submodule share_memory state_dict "
    "to to_empty train training type xpu zero_grad ";

static bool is_module_attribute(const char *id)
{
	size_t n = strlen(id);

	for (const char *s = strstr(module_attributes, id); s; s = strstr(s + 1, id))
		if (s[-1] == ' ' && s[n] == ' ')
			return true;
	return false;
}

/* .id, or the long form where Python or PyTorch would not take the short one */
static void add_attribute(struct str *out, const char *id)
{
	if (py_is_name(id) && !is_module_attribute(id))
		str_addf(out, ".%s", id);
	else
		str_addf(out, "._modules[\"%s\"]", id);
}

/* The path from `scope` to the module of a flat id below it: "self.stage_1.conv2d_1". */
static const char *module_path(const struct torch_classes *c, const char *id, int scope)
{
	const char *rest = local_id(c->g, id, scope);
	struct str out = { 0 };
	char part[GRAPH_ID_MAX];
	const char *path;

	str_add(&out, "self");
	while (*rest) {
		const char *end = strstr(rest, "__");
		int n = end ? (int)(end - rest) : (int)strlen(rest);

		snprintf(part, sizeof part, "%.*s", n, rest);
		add_attribute(&out, part);
		rest += end ? n + 2 : n;
	}
	path = arena_strdup(c->scratch, str_get(&out));
	str_release(&out);
	return path;
}

static const char *variable(const struct torch_classes *c, const char *id, const char *port)
{
	static const char *const taken[] = { "F", "nn",    "torch",     "self",     "x",    "y",
					     "i", "range", "recurrent", "avg_pool", "float" };
	struct str out = { 0 };
	const char *name;

	py_name(&out, id);
	if (port)
		str_addf(&out, "__%s", port); /* no id holds two underscores */
	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (strcmp(str_get(&out), taken[i]) == 0)
			str_addc(&out, '_');
	name = arena_strdup(c->scratch, str_get(&out));
	str_release(&out);
	return name;
}

/* ---- sharing -------------------------------------------------------------------------------------------- */

/* Whether a node inside [first, first + n) needs the module of a node outside. */
static bool borrows(const struct torch_classes *c, int node, int first, int n)
{
	const struct graph *g = c->g;

	return c->live[node] && g->nodes[node].share >= 0 && !inside(g->nodes[node].share, first, n);
}

static bool scope_borrows(const struct torch_classes *c, const struct group *b)
{
	for (int i = b->first; i < b->first + b->n; i++)
		if (borrows(c, i, b->first, b->n))
			return true;
	return false;
}

/* The module of a node as its scope reaches it. */
static const char *self_of(const struct torch_classes *c, int node)
{
	const struct graph *g = c->g;
	const struct node *n = &g->nodes[node];
	int scope = n->group, first = scope < 0 ? 0 : g->groups[scope].first;

	if (n->share < 0)
		return module_path(c, n->id, scope);
	if (borrows(c, node, first, scope < 0 ? g->n_nodes : g->groups[scope].n))
		return arena_printf(c->scratch, "self.%s__tied[0]", variable(c, local_id(g, n->id, scope), NULL));
	return module_path(c, g->nodes[n->share].id, scope);
}

/* ---- scopes --------------------------------------------------------------------------------------------- */

/* The block instance directly inside `scope` that holds the node, or -1 if the node itself does. */
static int child_of(const struct graph *g, int node, int scope)
{
	int at = g->nodes[node].group;

	if (at == scope)
		return -1;
	while (g->groups[at].parent != scope)
		at = g->groups[at].parent;
	return at;
}

static void leaf_item(const struct torch_classes *c, struct item *it, int node)
{
	const struct node *n = &c->g->nodes[node];

	it->node = node;
	it->group = -1;
	it->in = n->in;
	it->n_in = n->n_in;
	it->out = ARENA_ARRAY(c->scratch, struct edge, n->n_out);
	for (int port = 0; port < n->n_out; port++)
		if (c->used[slot(c->g, (struct edge){ node, port })])
			it->out[it->n_out++] = (struct edge){ node, port };
}

static void group_item(const struct torch_classes *c, struct item *it, int group)
{
	const struct group *b = &c->g->groups[group];
	struct edges in = imports(c, b->first, b->n), out = exports(c, b->first, b->n);

	in = ordered(&in, b->in, b->n_in, c->scratch);
	out = ordered(&out, b->out, b->n_out, c->scratch);
	it->node = -1;
	it->group = group;
	it->in = in.v;
	it->n_in = in.n;
	it->out = out.v;
	it->n_out = out.n;
}

static void find_items(const struct torch_classes *c, struct scope *s)
{
	s->items = ARENA_ARRAY(c->scratch, struct item, s->n_nodes);
	for (int i = s->first; i < s->first + s->n_nodes;) {
		int child = child_of(c->g, i, s->group);

		if (child < 0)
			leaf_item(c, &s->items[s->n++], i++);
		else {
			group_item(c, &s->items[s->n++], child);
			i += c->g->groups[child].n;
		}
	}
}

static void count_users(const struct torch_classes *c, const struct scope *s)
{
	for (int i = 0; i < s->n; i++)
		for (int k = 0; k < s->items[i].n_out; k++)
			c->users[slot(c->g, s->items[i].out[k])] = 0;
	for (int k = 0; k < s->n_in; k++)
		c->users[slot(c->g, s->in[k])] = 0;
	for (int i = 0; i < s->n; i++)
		for (int k = 0; s->items[i].n_out && k < s->items[i].n_in; k++) {
			int at = slot(c->g, s->items[i].in[k]);

			if (c->users[at]++ == 0)
				c->reader[at] = i;
			else if (c->reader[at] == i)
				c->users[at]--; /* twice by the same item */
		}
}

static bool leaves(const struct scope *s, struct edge e)
{
	for (int i = 0; i < s->n_out; i++)
		if (same_edge(s->out[i], e))
			return true;
	return false;
}

static int next_live(const struct scope *s, int i)
{
	do
		i++;
	while (i < s->n && !s->items[i].n_out);
	return i;
}

/* An item's output is the running variable if the next item is its only reader; or nobody but the return is. */
static bool is_chain(const struct torch_classes *c, const struct scope *s, int i)
{
	const struct item *it = &s->items[i];
	int at, next = next_live(s, i);

	if (it->n_out != 1)
		return false;
	at = slot(c->g, it->out[0]);
	if (next == s->n)
		return c->users[at] == 0;
	return c->users[at] == 1 && c->reader[at] == next && !leaves(s, it->out[0]);
}

/* The argument that carries an edge into a scope: as the block or the model calls it. */
static const char *import_name(const struct torch_classes *c, const struct scope *s, struct edge e)
{
	const struct graph *g = c->g;
	const struct group *b = s->group < 0 ? NULL : &g->groups[s->group];
	const char *name = e.node < 0 ? g->inputs[-1 - e.node].name : g->nodes[e.node].id, *inner;

	for (int i = 0; b && i < b->n_in; i++)
		if (same_edge(b->in[i], e))
			name = b->in_names[i];
	inner = b ? arena_printf(c->scratch, "%s__%s", b->id, name) : name;
	return variable(c, name, graph_find(g, inner) >= 0 || graph_find_group(g, inner) >= 0 ? "in" : NULL);
}

/* What tells an output from the others of its item; NULL if nothing needs to. */
static const char *port_name(const struct torch_classes *c, const struct item *it, int k)
{
	const struct group *b = it->group < 0 ? NULL : &c->g->groups[it->group];

	if (!b)
		return it->out[k].port ? layer_classes[c->g->nodes[it->node].kind]->ports[it->out[k].port] : NULL;
	if (it->n_out == 1)
		return NULL;
	for (int i = 0; i < b->n_out; i++)
		if (same_edge(b->out[i], it->out[k]))
			return b->out_names[i];
	return arena_printf(c->scratch, "%d", k + 1);
}

static void name_variables(const struct torch_classes *c, struct scope *s)
{
	const struct graph *g = c->g;
	int first = next_live(s, -1), at;

	for (int k = 0; k < s->n_in; k++)
		c->var[slot(g, s->in[k])] = s->n_in == 1 ? "x" : import_name(c, s, s->in[k]);
	s->running = "x";
	if (s->n_in == 1) {
		at = slot(g, s->in[0]);
		if (c->users[at] != 1 || c->reader[at] != first || leaves(s, s->in[0]))
			s->running = "y";
	}
	for (int i = 0; i < s->n; i++) {
		struct item *it = &s->items[i];

		it->chain = is_chain(c, s, i);
		for (int k = 0; k < it->n_out; k++) {
			const char *id = it->node < 0 ? g->groups[it->group].id : g->nodes[it->node].id;

			c->var[slot(g, it->out[k])] =
			    it->chain ? s->running : variable(c, local_id(g, id, s->group), port_name(c, it, k));
		}
	}
}

/* The whole model as if it were an item: all of its inputs, read or not, and all of its outputs. */
static void model_item(const struct torch_classes *c, struct item *it)
{
	const struct graph *g = c->g;
	struct edge *in = ARENA_ARRAY(c->scratch, struct edge, g->n_inputs);

	for (int i = 0; i < g->n_inputs; i++)
		in[i] = (struct edge){ -1 - i, 0 };
	it->out = ARENA_ARRAY(c->scratch, struct edge, g->n_outputs);
	for (int i = 0; i < g->n_outputs; i++)
		it->out[i] = g->outputs[i].from;
	it->in = in;
	it->n_in = g->n_inputs;
	it->n_out = g->n_outputs;
}

static void open_scope(const struct torch_classes *c, struct scope *s, int group)
{
	const struct group *b = group < 0 ? NULL : &c->g->groups[group];
	struct item ends = { 0 };

	if (b)
		group_item(c, &ends, group);
	else
		model_item(c, &ends);
	*s = (struct scope){ .group = group,
			     .first = b ? b->first : 0,
			     .n_nodes = b ? b->n : c->g->n_nodes,
			     .in = ends.in,
			     .n_in = ends.n_in,
			     .out = ends.out,
			     .n_out = ends.n_out };
	find_items(c, s);
	count_users(c, s);
	name_variables(c, s);
}

/* ---- runs of equal blocks ------------------------------------------------------------------------------- */

enum { LOOP_LEAST = 3 };

/* The number at the end of "residual_12" and the length of what stands before it, or -1. */
static int numbered(const char *id, int *stem)
{
	int n = (int)strlen(id);

	*stem = n;
	while (*stem > 0 && isdigit((unsigned char)id[*stem - 1]))
		--*stem;
	if (*stem == n || n - *stem > 6 || *stem == 0 || id[*stem] == '0')
		return -1;
	return atoi(id + *stem);
}

static bool loopable(const struct torch_classes *c, const struct scope *s, const struct item *it)
{
	return it->group >= 0 && it->chain && it->n_in == 1 && strcmp(c->var[slot(c->g, it->in[0])], s->running) == 0 &&
	       !scope_borrows(c, &c->g->groups[it->group]);
}

/* How many items from i on are equal blocks with consecutive numbers, each reading the one before. */
static int loop_length(const struct torch_classes *c, const struct scope *s, int i)
{
	const struct group *b = c->g->groups;
	int n = 0, stem, number = 0;

	for (; i + n < s->n && loopable(c, s, &s->items[i + n]); n++) {
		const struct item *it = &s->items[i + n];
		int now = numbered(local_id(c->g, b[it->group].id, s->group), &stem);

		if (now < 0 || (n && (now != number + 1 || c->class_of[it->group] != c->class_of[it[-1].group])))
			break;
		if (n && strncmp(b[it->group].id, b[it[-1].group].id,
				 (size_t)stem + (size_t)(local_id(c->g, b[it->group].id, s->group) - b[it->group].id)))
			break;
		number = now;
	}
	return n < LOOP_LEAST ? 1 : n;
}

/* ---- __init__ ------------------------------------------------------------------------------------------- */

static void fill_node(const struct torch_classes *c, struct torch_node *t, int node)
{
	*t = (struct torch_node){ .g = c->g, .n = &c->g->nodes[node], .norm_constant = c->norm != NULL };
	graph_in_shapes(c->g, node, t->in);
}

static void init_node(struct py *p, const struct torch_classes *c, const struct scope *s, int node)
{
	const struct node *n = &c->g->nodes[node];
	const struct torch_kind *kind = &torch_kinds[n->kind];
	struct str expr = { 0 };
	struct torch_node t;
	const char *note;

	if (!kind->module)
		return;
	if (n->share >= 0) {
		const char *name = variable(c, local_id(c->g, n->id, s->group), NULL);

		if (borrows(c, node, s->first, s->n_nodes))
			py_line(p, "in a list: registered by its owner alone", "self.%s__tied = [%s]", name, name);
		return;
	}
	fill_node(c, &t, node);
	kind->module(&expr, &t);
	if (n->device)
		note = arena_printf(c->scratch, "device: %s", n->device);
	else
		note = c->live[node] ? NULL : "no output depends on it";
	py_line(p, note, "%s = %s", module_path(c, n->id, s->group), str_get(&expr));
	if (n->frozen && n->params)
		py_line(p, NULL, "%s.requires_grad_(False)", module_path(c, n->id, s->group));
	str_release(&expr);
}

/* Residual1(), with the modules that it borrows as arguments. */
static void init_group(struct py *p, const struct torch_classes *c, const struct scope *s, int group)
{
	const struct group *b = &c->g->groups[group];
	struct str args = { 0 };

	if (c->class_of[group] < 0)
		return;
	for (int i = b->first; i < b->first + b->n; i++) {
		const char *value;

		if (!borrows(c, i, b->first, b->n))
			continue;
		if (borrows(c, i, s->first, s->n_nodes))
			value = variable(c, local_id(c->g, c->g->nodes[i].id, s->group), NULL);
		else
			value = module_path(c, c->g->nodes[c->g->nodes[i].share].id, s->group);
		str_addf(&args, "%s%s=%s", args.len ? ", " : "",
			 variable(c, local_id(c->g, c->g->nodes[i].id, group), NULL), value);
	}
	py_line(p, NULL, "%s = %s(%s)", module_path(c, b->id, s->group), c->classes[c->class_of[group]].name,
		str_get(&args));
	str_release(&args);
}

static void init_loop(struct py *p, const struct torch_classes *c, const struct scope *s, int i, int n)
{
	int group = s->items[i].group, stem;
	const char *id = local_id(c->g, c->g->groups[group].id, s->group);
	int from = numbered(id, &stem);

	py_line(p, NULL, "for i in range(%d, %d):", from, from + n);
	p->indent++;
	py_line(p, NULL, "self.add_module(f\"%.*s{i}\", %s())", stem, id, c->classes[c->class_of[group]].name);
	p->indent--;
}

static void write_init(struct py *p, const struct torch_classes *c, const struct scope *s)
{
	struct str params = { 0 };
	struct py body = { .indent = p->indent + 1 };

	for (int i = s->first; i < s->first + s->n_nodes; i++)
		if (borrows(c, i, s->first, s->n_nodes))
			str_addf(&params, ", %s", variable(c, local_id(c->g, c->g->nodes[i].id, s->group), NULL));
	for (int i = 0, n; i < s->n; i += n) {
		n = loop_length(c, s, i);
		if (n > 1)
			init_loop(&body, c, s, i, n);
		else if (s->items[i].group >= 0)
			init_group(&body, c, s, s->items[i].group);
		else
			init_node(&body, c, s, s->items[i].node);
	}
	if (body.text.len) {
		py_line(p, NULL, "def __init__(self%s):", str_get(&params));
		p->indent++;
		py_line(p, NULL, "super().__init__()");
		p->indent--;
		str_add(&p->text, str_get(&body.text));
		if (s->n_out)
			py_blank(p, 1);
	}
	py_release(&body);
	str_release(&params);
}

static bool is_frozen_norm(const struct torch_classes *c, int node)
{
	return node >= 0 && c->g->nodes[node].kind == LAYER_batchnorm && c->g->nodes[node].share < 0 &&
	       c->g->nodes[node].frozen;
}

/* A frozen batch norm keeps and uses its running statistics while the rest trains, as it does on the bench. */
static void write_train_mode(struct py *p, const struct torch_classes *c, const struct scope *s)
{
	struct str norms = { 0 };

	for (int i = 0; i < s->n; i++)
		if (is_frozen_norm(c, s->items[i].node))
			str_addf(&norms, "%s%s", norms.len ? ", " : "",
				 module_path(c, c->g->nodes[s->items[i].node].id, s->group));
	if (norms.len) {
		py_line(p, NULL, "def train(self, mode=True):");
		p->indent++;
		py_line(p, NULL, "super().train(mode)");
		py_line(p, "frozen: their statistics stay", "for norm in [%s]:", norms.s);
		p->indent++;
		py_line(p, NULL, "norm.eval()");
		p->indent--;
		py_line(p, NULL, "return self");
		p->indent--;
		py_blank(p, 1);
	}
	str_release(&norms);
}

/* ---- forward -------------------------------------------------------------------------------------------- */

static const char *shapes_of(const struct torch_classes *c, const struct item *it)
{
	struct str out = { 0 };
	const char *text;
	char shape[48];

	if (!c->shapes)
		return NULL;
	for (int i = 0; i < it->n_out; i++)
		str_addf(&out, "%s%s", i ? ", " : "", shape_text(shape, graph_shape(c->g, it->out[i])));
	text = arena_strdup(c->scratch, str_get(&out));
	str_release(&out);
	return text;
}

/* What is left of the "=": a variable per output; "_" for a port of a recurrent layer that nobody reads. */
static void add_targets(struct str *out, const struct torch_classes *c, const struct item *it)
{
	const struct node *n = it->node >= 0 ? &c->g->nodes[it->node] : NULL;
	int ports = n ? n->n_out : it->n_out;

	if (it->n_out == 1) {
		str_add(out, c->var[slot(c->g, it->out[0])]);
		return;
	}
	for (int i = 0; i < ports; i++) {
		const char *name = n ? "_" : c->var[slot(c->g, it->out[i])];

		for (int k = 0; n && k < it->n_out; k++)
			if (it->out[k].port == i)
				name = c->var[slot(c->g, it->out[k])];
		str_addf(out, "%s%s", i ? ", " : "", name);
	}
}

static void call_node(struct py *p, const struct torch_classes *c, const struct item *it)
{
	const struct node *n = &c->g->nodes[it->node];
	struct str expr = { 0 }, targets = { 0 };
	struct torch_node t;

	fill_node(c, &t, it->node);
	for (int i = 0; i < n->n_in; i++)
		t.arg[i] = c->var[slot(c->g, n->in[i])];
	torch_kinds[n->kind].call(&expr, &t, self_of(c, it->node));
	if (n->n_out > 1 && it->n_out == 1)
		str_addf(&expr, "[%d]", it->out[0].port);
	add_targets(&targets, c, it);
	py_line(p, shapes_of(c, it), "%s = %s", str_get(&targets), str_get(&expr));
	str_release(&targets);
	str_release(&expr);
}

static void call_group(struct py *p, const struct torch_classes *c, const struct scope *s, const struct item *it)
{
	struct str args = { 0 }, targets = { 0 };

	for (int i = 0; i < it->n_in; i++)
		str_addf(&args, "%s%s", i ? ", " : "", c->var[slot(c->g, it->in[i])]);
	add_targets(&targets, c, it);
	py_line(p, shapes_of(c, it), "%s = %s(%s)", str_get(&targets),
		module_path(c, c->g->groups[it->group].id, s->group), str_get(&args));
	str_release(&targets);
	str_release(&args);
}

static void call_loop(struct py *p, const struct torch_classes *c, const struct scope *s, int i, int n)
{
	const char *id = local_id(c->g, c->g->groups[s->items[i].group].id, s->group);
	int stem, from = numbered(id, &stem);

	py_line(p, NULL, "for i in range(%d, %d):", from, from + n);
	p->indent++;
	py_line(p, shapes_of(c, &s->items[i + n - 1]), "%s = self.get_submodule(f\"%.*s{i}\")(%s)", s->running, stem,
		id, s->running);
	p->indent--;
}

static void write_forward(struct py *p, const struct torch_classes *c, const struct scope *s)
{
	struct str args = { 0 }, results = { 0 };

	if (!s->n_out)
		return; /* never called */
	for (int i = 0; i < s->n_in; i++)
		str_addf(&args, ", %s", c->var[slot(c->g, s->in[i])]);
	py_line(p, NULL, "def forward(self%s):", str_get(&args));
	p->indent++;
	for (int i = 0, n; i < s->n; i += n) {
		n = loop_length(c, s, i);
		if (n > 1)
			call_loop(p, c, s, i, n);
		else if (!s->items[i].n_out)
			continue;
		else if (s->items[i].group >= 0)
			call_group(p, c, s, &s->items[i]);
		else
			call_node(p, c, &s->items[i]);
	}
	for (int i = 0; i < s->n_out; i++)
		str_addf(&results, "%s%s", i ? ", " : "", c->var[slot(c->g, s->out[i])]);
	py_line(p, NULL, "return %s", str_get(&results));
	p->indent--;
	str_release(&args);
	str_release(&results);
}

/* The body of the class of a scope; caller releases. */
static struct py class_body(struct torch_classes *c, int group, bool shapes)
{
	struct py p = { .indent = 1 };
	struct scope s;

	c->shapes = shapes;
	open_scope(c, &s, group);
	write_init(&p, c, &s);
	write_train_mode(&p, c, &s);
	write_forward(&p, c, &s);
	return p;
}

/* ---- classes -------------------------------------------------------------------------------------------- */

static const char *kept_body(struct torch_classes *c, int group, bool shapes)
{
	struct py p = class_body(c, group, shapes);
	const char *text = arena_strdup(c->a, str_get(&p.text));

	py_release(&p);
	arena_reset(c->scratch);
	return text;
}

/* The class of an instance whose inner blocks have theirs already; -1 if there is nothing to keep or to call. */
static int class_for(struct torch_classes *c, int group)
{
	const char *body = kept_body(c, group, false);
	const struct group *b = c->g->groups;

	if (!body[0])
		return -1;

	for (int i = 0; i < c->n; i++) {
		struct class *k = &c->classes[i];

		if (strcmp(b[k->group].block, b[group].block) || strcmp(k->body, body))
			continue;
		if (!k->shapes_vary && !k->shaped)
			k->shaped = kept_body(c, k->group, true);
		if (!k->shapes_vary && strcmp(k->shaped, kept_body(c, group, true)))
			k->shapes_vary = true;
		return i;
	}
	c->classes[c->n] = (struct class){ .group = group, .body = body };
	c->classes[c->n].name = arena_printf(c->a, "C%d", c->n);
	return c->n++;
}

/* Inner blocks before those that hold them, in the order of the graph. */
static void find_all(struct torch_classes *c)
{
	const struct group *b = c->g->groups;
	int open = -1;

	for (int i = 0; i <= c->g->n_groups; i++) {
		int parent = i < c->g->n_groups ? b[i].parent : -1;

		for (; open >= 0 && open != parent; open = b[open].parent)
			c->class_of[open] = class_for(c, open);
		open = i;
	}
}

static bool name_taken(const struct torch_classes *c, int upto, const char *name)
{
	static const char *const taken[] = { "Model", "Path", "F" };

	for (size_t i = 0; i < sizeof taken / sizeof *taken; i++)
		if (strcmp(taken[i], name) == 0)
			return true;
	for (int i = 0; i < upto; i++)
		if (strcmp(c->classes[i].name, name) == 0)
			return true;
	return !py_is_name(name);
}

static void name_classes(struct torch_classes *c)
{
	for (int i = 0; i < c->n; i++) {
		const char *block = c->g->groups[c->classes[i].group].block;
		struct str stem = { 0 };
		int same = 0, number = 1;

		for (int k = 0; k < c->n; k++)
			same += strcmp(c->g->groups[c->classes[k].group].block, block) == 0;
		py_class_name(&stem, block);
		c->classes[i].name =
		    same > 1 ? arena_printf(c->a, "%s%d", str_get(&stem), number) : arena_strdup(c->a, str_get(&stem));
		while (name_taken(c, i, c->classes[i].name))
			c->classes[i].name = arena_printf(c->a, "%s%s%d", str_get(&stem), same > 1 ? "" : "Block",
							  same > 1 ? ++number : number++);
		str_release(&stem);
	}
}

static void find_live(struct torch_classes *c)
{
	const struct graph *g = c->g;

	c->live = ARENA_ARRAY(c->a, bool, g->n_nodes);
	c->used = ARENA_ARRAY(c->a, bool, n_slots(g));
	for (int i = 0; i < g->n_outputs; i++)
		if (g->outputs[i].from.node >= 0)
			c->live[g->outputs[i].from.node] = true;
	for (int i = g->n_nodes - 1; i >= 0; i--)
		for (int k = 0; c->live[i] && k < g->nodes[i].n_in; k++)
			if (g->nodes[i].in[k].node >= 0)
				c->live[g->nodes[i].in[k].node] = true;
	for (int i = 0; i < g->n_nodes; i++)
		for (int k = 0; c->live[i] && k < g->nodes[i].n_in; k++)
			c->used[slot(g, g->nodes[i].in[k])] = true;
	for (int i = 0; i < g->n_outputs; i++)
		c->used[slot(g, g->outputs[i].from)] = true;
}

static const struct node *common_norm(const struct graph *g)
{
	const struct node *first = NULL;

	for (int i = 0; i < g->n_nodes; i++) {
		const struct batchnorm *a = g->nodes[i].cfg, *b = first ? first->cfg : a;

		if (g->nodes[i].kind != LAYER_batchnorm)
			continue;
		if (!first)
			first = &g->nodes[i];
		else if (a->eps < b->eps || a->eps > b->eps || a->momentum < b->momentum || a->momentum > b->momentum)
			return NULL;
	}
	return first;
}

static int check_kinds(const struct graph *g, struct err *e)
{
	for (int i = 0; i < g->n_nodes; i++)
		if (!torch_kinds[g->nodes[i].kind].call)
			return ERR(e, ERR_INVALID, g->nodes[i].id,
				   "%s cannot be exported: decide for one of its candidates first",
				   layer_classes[g->nodes[i].kind]->name);
	return 0;
}

int torch_classes_find(struct torch_classes **out, const struct graph *g, struct arena *a, struct err *e)
{
	struct torch_classes *c = ARENA_NEW(a, struct torch_classes);

	if (check_kinds(g, e) < 0)
		return -1;
	c->g = g;
	c->a = a;
	c->scratch = arena_new();
	c->norm = common_norm(g);
	c->class_of = ARENA_ARRAY(a, int, g->n_groups);
	c->classes = ARENA_ARRAY(a, struct class, g->n_groups);
	c->var = ARENA_ARRAY(a, const char *, n_slots(g));
	c->users = ARENA_ARRAY(a, int, n_slots(g));
	c->reader = ARENA_ARRAY(a, int, n_slots(g));
	find_live(c);
	find_all(c);
	name_classes(c);
	*out = c;
	return 0;
}

const struct node *torch_classes_norm(const struct torch_classes *c)
{
	return c->norm;
}

/* ---- writing -------------------------------------------------------------------------------------------- */

/* "filters=16, stride=2" of {"filters":16,"stride":2} */
static void add_arguments(struct str *out, const char *args)
{
	struct json *j = NULL;
	struct str text = { 0 };

	if (json_parse(&j, args, strlen(args), "", NULL) < 0)
		return;
	JSON_EACH(v, j) {
		str_addf(&text, "%s%s=", text.len ? ", " : "", json_key(v));
		json_print(&text, v);
	}
	py_prose(out, str_get(&text));
	str_release(&text);
	json_free(j);
}

static void add_shapes(struct str *out, const struct graph *g, const struct edge *e, int n)
{
	char text[48];

	for (int i = 0; i < n; i++)
		str_addf(out, "%s%s", i ? ", " : "", shape_text(text, graph_shape(g, e[i])));
}

/* """residual(filters=16): 1x8x8 -> 16x8x8.""", or the arguments below where the line would be too long. */
static void write_docstring(struct py *p, const struct torch_classes *c, const struct class *k)
{
	const struct group *b = &c->g->groups[k->group];
	struct str args = { 0 }, flow = { 0 };
	struct item it = { 0 };

	group_item(c, &it, k->group);
	add_arguments(&args, b->args);
	if (it.n_out) {
		add_shapes(&flow, c->g, it.in, it.n_in);
		str_add(&flow, " -> ");
		add_shapes(&flow, c->g, it.out, it.n_out);
	} else {
		str_add(&flow, "no output depends on it");
	}
	if (k->shapes_vary)
		str_addf(&flow, " (as %s; others have other sizes)", b->id);
	if (4 + strlen(b->block) + args.len + flow.len + 11 <= PY_WIDTH) {
		py_line(p, NULL, "\"\"\"%s(%s): %s.\"\"\"", b->block, str_get(&args), str_get(&flow));
	} else {
		py_line(p, NULL, "\"\"\"%s: %s.", b->block, str_get(&flow));
		py_blank(p, 1);
		py_text(p, str_get(&args));
		py_text(p, "\"\"\"");
	}
	str_release(&args);
	str_release(&flow);
}

void torch_classes_write(struct py *p, struct torch_classes *c)
{
	for (int i = 0; i <= c->n; i++) {
		const struct class *k = i < c->n ? &c->classes[i] : NULL;
		struct py body = class_body(c, k ? k->group : -1, true);

		py_blank(p, 2);
		py_line(p, NULL, "class %s(nn.Module):", k ? k->name : "Model");
		p->indent++;
		if (k) {
			write_docstring(p, c, k);
			py_blank(p, 1);
		}
		p->indent--;
		str_add(&p->text, str_get(&body.text));
		py_release(&body);
		arena_reset(c->scratch);
	}
}

void torch_classes_free(struct torch_classes *c)
{
	if (c)
		arena_free(c->scratch);
}
