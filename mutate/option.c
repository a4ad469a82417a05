/* mutate/option.c - one option of a layer of a draft gets another value; what hangs on it follows. */
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "mutate/draft.h"

enum { CFG_MAX = 1024, NAMES_MAX = 32 };

static const struct opt *find_option(const struct draft *d, int node, const char *name, struct err *e)
{
	const struct layer_class *k = layer_classes[d->nodes[node].kind];
	const struct opt *o = opt_find(k->opts, name);
	const char *names[NAMES_MAX], *near;
	int n = 0;

	if (o)
		return o;
	for (; k->opts[n].name && n < NAMES_MAX; n++)
		names[n] = k->opts[n].name;
	near = str_nearest(name, names, n);
	ERR(e, ERR_INVALID, NULL, "%s (%s) has no option \"%.40s\"%s%s%s", draft_name(d, node), k->name, name,
	    near ? " (did you mean \"" : "", near ? near : "", near ? "\"?)" : "");
	return NULL;
}

static bool is_width(const struct draft *d, int node, const char *name)
{
	enum layer_kind kind = d->nodes[node].kind;

	return strcmp(name, "units") == 0 || strcmp(name, "filters") == 0 || strcmp(name, "multiplier") == 0 ||
	       (kind == LAYER_embedding && strcmp(name, "features") == 0);
}

/* The layer itself must take what arrives: an option that does not fit is the user's, and not repaired. */
static int check_fit(struct draft *d, int node)
{
	const struct dnode *n = &d->nodes[node];
	struct shape in[LAYER_INPUTS], out[LAYER_PORTS];
	_Alignas(16) char cfg[CFG_MAX];
	struct err why = { 0 };

	for (int j = 0; j < n->n_in; j++)
		if (!draft_shape(d, n->in[j], &in[j]))
			return 1; /* known only after what stands before has been repaired */
	memcpy(cfg, n->cfg, layer_classes[n->kind]->cfg_size);
	if (layer_classes[n->kind]->shape(cfg, in, n->n_in, out, &why) == 0)
		return 1;
	return draft_refuse(d, "%s: %s", draft_name(d, node), why.msg);
}

static void put(struct draft *d, int node, const struct opt *o, const void *with)
{
	const struct layer_class *k = layer_classes[d->nodes[node].kind];
	struct window w, to;
	struct dnode *n = &d->nodes[node];
	bool kernel = strcmp(o->name, "kernel") == 0 || strcmp(o->name, "size") == 0;

	if (kernel && draft_window(d, node, &w)) { /* the padding follows where it kept the size */
		void *was = n->cfg;

		n->cfg = arena_alloc(d->arena, k->cfg_size);
		memcpy(n->cfg, with, k->cfg_size);
		draft_window(d, node, &to);
		n->cfg = was;
		draft_set_kernel(d, node, to.kernel[0] ? *to.kernel[0] : 0, *to.kernel[1]);
		return;
	}
	memcpy(n->cfg, with, k->cfg_size);
}

int draft_set_option(struct draft *d, int node, const char *name, const struct json *v, struct err *e)
{
	const struct layer_class *k = layer_classes[d->nodes[node].kind];
	const struct opt *o = find_option(d, node, name, e);
	struct diag diag = { 0 };
	struct json_in in = { v, &diag, NULL };
	_Alignas(16) char cfg[CFG_MAX] = { 0 };
	struct str text = { 0 };
	struct json *was, *is;
	int rc;

	if (!o)
		return -1;
	if (is_width(d, node, name) && draft_is_fixed(d, node, NULL))
		return draft_refuse(d, "%s makes the output: its \"%s\" stays", draft_name(d, node), name);
	memcpy(cfg, d->nodes[node].cfg, k->cfg_size);
	rc = opt_read_value(cfg, o, v, d->arena, &in);
	if (rc < 0) {
		ERR(e, ERR_INVALID, NULL, "%s.%s: %s", draft_name(d, node), name, diag.n ? diag.items[0].msg : "?");
		diag_release(&diag);
		return -1;
	}
	was = opt_write_value(d->nodes[node].cfg, o);
	is = opt_write_value(cfg, o);
	json_print(&text, was);
	str_add(&text, " -> ");
	json_print(&text, is);
	put(d, node, o, cfg);
	draft_words(d, "%s: %s %s", draft_name(d, node), name, str_get(&text));
	json_free(was);
	json_free(is);
	str_release(&text);
	return check_fit(d, node);
}
