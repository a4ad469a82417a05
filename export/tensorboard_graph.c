/* export/tensorboard_graph.c - the model as a GraphDef (tensorflow/core/framework/graph.proto): a node a layer, named
 * by its blocks ("residual_2/conv2d_1"), its options, parameters and multiply-adds as attributes, shapes on the edges.
 */
#include <math.h>
#include <string.h>

#include "arch/graph.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/opt.h"
#include "base/str.h"
#include "export/protobuf.h"
#include "export/tensorboard.h"

enum { NODE_NAME = 1, NODE_OP = 2, NODE_INPUT = 3, NODE_DEVICE = 4, NODE_ATTR = 5 };
enum { VALUE_LIST = 1, VALUE_S = 2, VALUE_I = 3, VALUE_F = 4, VALUE_B = 5, LIST_I = 3, LIST_SHAPE = 7 };

/* ---- names ---------------------------------------------------------------------------------------------- */

/* "residual_2__branch_1__conv2d_1" with its blocks told apart: "residual_2/branch_1/conv2d_1". */
static void scoped(struct str *out, const struct graph *g, int group, const char *id)
{
	size_t skip = 0;

	if (group >= 0) {
		scoped(out, g, g->groups[group].parent, g->groups[group].id);
		str_addc(out, '/');
		skip = strlen(g->groups[group].id) + 2;
	}
	str_add(out, skip <= strlen(id) ? id + skip : id);
}

/* Inputs and outputs are nodes, too. Their names hold a '.', which ids of layers cannot. */
static void end_name(struct str *out, const char *kind, const char *name)
{
	str_addf(out, "%s.%s", kind, name);
}

static void edge_name(struct str *out, const struct graph *g, struct edge from)
{
	if (from.node < 0) {
		end_name(out, "input", g->inputs[-1 - from.node].name);
		return;
	}
	scoped(out, g, g->nodes[from.node].group, g->nodes[from.node].id);
	if (from.port > 0)
		str_addf(out, ":%d", from.port);
}

/* ---- attributes ----------------------------------------------------------------------------------------- */

static void put_attr(struct str *node, const char *key, struct str *value)
{
	struct str entry = { 0 };

	pb_text(&entry, 1, key);
	pb_message(&entry, 2, value);
	pb_message(node, NODE_ATTR, &entry);
	str_release(&entry);
}

static void put_int(struct str *node, const char *key, int64_t v)
{
	struct str value = { 0 };

	pb_int(&value, VALUE_I, v);
	put_attr(node, key, &value);
	str_release(&value);
}

static bool all_whole(const struct json *list)
{
	JSON_EACH(v, list)
		if (json_type(v) != JSON_NUMBER || json_number(v) != floor(json_number(v)))
			return false;
	return true;
}

static void put_option(struct str *node, const char *key, const struct json *v)
{
	struct str value = { 0 }, text = { 0 };
	double x = json_number(v);

	if (json_type(v) == JSON_BOOL) {
		pb_int(&value, VALUE_B, json_true(v));
	} else if (json_type(v) == JSON_NUMBER && x == floor(x) && fabs(x) < 9e15) {
		pb_int(&value, VALUE_I, (int64_t)x);
	} else if (json_type(v) == JSON_NUMBER) {
		pb_float(&value, VALUE_F, (float)x);
	} else if (json_type(v) == JSON_STRING) {
		pb_text(&value, VALUE_S, json_string(v));
	} else if (json_type(v) == JSON_ARRAY && all_whole(v)) {
		JSON_EACH(item, v)
			pb_int(&text, LIST_I, (int64_t)json_number(item));
		pb_message(&value, VALUE_LIST, &text);
	} else {
		json_print(&text, v);
		pb_text(&value, VALUE_S, str_get(&text));
	}
	put_attr(node, key, &value);
	str_release(&value);
	str_release(&text);
}

/* "_output_shapes": what TensorBoard writes on the edges; the batch is open. */
static void put_shapes(struct str *node, const struct shape *shapes, int n)
{
	struct str value = { 0 }, list = { 0 }, shape = { 0 }, dim = { 0 };

	for (int k = 0; k < n; k++) {
		pb_int(&dim, 1, -1);
		pb_message(&shape, 2, &dim);
		for (int i = 0; i < shape_rank(&shapes[k]); i++) {
			pb_int(&dim, 1, shapes[k].d[i]);
			pb_message(&shape, 2, &dim);
		}
		pb_message(&list, LIST_SHAPE, &shape);
	}
	pb_message(&value, VALUE_LIST, &list);
	put_attr(node, "_output_shapes", &value);
	str_release(&value);
	str_release(&list);
	str_release(&shape);
	str_release(&dim);
}

/* ---- nodes ---------------------------------------------------------------------------------------------- */

static void put_layer(struct str *node, const struct graph *g, const struct node *v)
{
	struct json *options = opt_write(v->cfg, layer_classes[v->kind]->opts);
	struct str name = { 0 };

	scoped(&name, g, v->group, v->id);
	pb_text(node, NODE_NAME, str_get(&name));
	pb_text(node, NODE_OP, layer_classes[v->kind]->name);
	for (int i = 0; i < v->n_in; i++) {
		str_clear(&name);
		edge_name(&name, g, v->in[i]);
		pb_text(node, NODE_INPUT, str_get(&name));
	}
	pb_text(node, NODE_DEVICE, v->device);
	put_shapes(node, v->out, v->n_out);
	JSON_EACH(o, options)
		put_option(node, json_key(o), o);
	put_int(node, "parameters", v->params);
	put_int(node, "multiply_adds", v->macs);
	if (v->frozen)
		put_int(node, "frozen", 1);
	json_free(options);
	str_release(&name);
}

static void put_end(struct str *node, const struct graph *g, const char *kind, const char *name, const char *op,
		    const struct edge *from, const struct shape *shape)
{
	struct str t = { 0 };

	end_name(&t, kind, name);
	pb_text(node, NODE_NAME, str_get(&t));
	pb_text(node, NODE_OP, op);
	str_clear(&t);
	if (from) {
		edge_name(&t, g, *from);
		pb_text(node, NODE_INPUT, str_get(&t));
	}
	put_shapes(node, shape, 1);
	str_release(&t);
}

void tensorboard_graph(struct str *out, const struct graph *g)
{
	struct str node = { 0 }, versions = { 0 };

	for (int i = 0; i < g->n_inputs; i++) {
		put_end(&node, g, "input", g->inputs[i].name, "Placeholder", NULL, &g->inputs[i].shape);
		pb_message(out, 1, &node);
	}
	for (int i = 0; i < g->n_nodes; i++) {
		put_layer(&node, g, &g->nodes[i]);
		pb_message(out, 1, &node);
	}
	for (int i = 0; i < g->n_outputs; i++) {
		const struct graph_output *o = &g->outputs[i];

		put_end(&node, g, "output", o->name, task_names[o->task], &o->from, graph_shape(g, o->from));
		pb_message(out, 1, &node);
	}
	pb_int(&versions, 1, 22); /* producer: any that readers of this century know */
	pb_message(out, 4, &versions);
	str_release(&node);
	str_release(&versions);
}
