/* cli/cmd_validate.c - nab validate: checks model files and shows what they are. */
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"

struct flags {
	bool canonical, lint, draw;
};

static const struct opt flags[] = {
	OPT_BOOL(struct flags, canonical, 0, "print the canonical form, with everything written out"),
	OPT_BOOL(struct flags, lint, 1, "give advice about what is valid but perhaps not meant so"),
	OPT_BOOL(struct flags, draw, 1, "draw the layers with shapes and costs; else a line per model"),
	OPT_END,
};

static struct json *as_json(const struct graph *g, const struct cost *c)
{
	struct json *v = json_object();
	char text[HASH_TEXT];

	json_put(v, "name", json_str(g->name ? g->name : ""));
	json_put(v, "hash", json_str(hash_text(text, graph_hash(g))));
	json_put(v, "digest", json_str(hash_text(text, graph_digest(g))));
	json_put(v, "params", json_num((double)c->params));
	json_put(v, "macs", json_num((double)c->macs));
	json_put(v, "depth", json_num(c->depth));
	json_put(v, "layers", json_num(c->layers));
	json_put(v, "train_bytes", json_num((double)c->train_bytes));
	json_put(v, "model", model_write(g));
	return v;
}

static void one_line(struct str *t, const struct graph *g, const struct cost *c)
{
	char params[32], macs[32];

	str_addf(t, "%s: %s parameters, %s multiply-adds: ", g->name, str_thousands(params, c->params),
		 str_thousands(macs, c->macs));
	graph_summary(t, g);
	str_addc(t, '\n');
}

/* A space or a study is not a model with many mistakes. */
static int check_sort(struct cli *c, const char *path, struct err *e)
{
	struct json *doc = NULL;
	int rc = 0;

	if (cli_load_document(c, &doc, path, e) < 0)
		return -1;
	if (json_get(doc, "states") || json_get(doc, "cell"))
		rc = ERR(e, ERR_INVALID, path, "is a search space, not a model: see `nab sample %s`", path);
	else if (json_get(doc, "study"))
		rc = ERR(e, ERR_INVALID, path, "is a study, not a model: see `nab preview %s`", path);
	json_free(doc);
	return rc;
}

static int validate(struct cli *c, const char *path, struct err *e)
{
	const struct flags *f = c->flags;
	struct graph *g = NULL;
	struct str text = { 0 };
	struct diag d = { 0 };
	struct cost cost;

	if (check_sort(c, path, e) < 0 || cli_load_model(c, &g, path, e) < 0 || graph_cost(g, &cost, e) < 0)
		return -1;
	if (f->lint) {
		graph_lint(g, &d);
		cli_report(c, &d, path, e);
	}
	if (c->json) {
		cli_print_json(as_json(g, &cost));
		return 0;
	}
	if (f->canonical)
		model_print(&text, g);
	else if (f->draw)
		graph_draw(&text, g);
	else
		one_line(&text, g, &cost);
	cli_print(&text);
	str_release(&text);
	return 0;
}

static int run(struct cli *c, struct err *e)
{
	int rc = 0;

	for (int i = 0; i < c->n_args; i++) {
		struct err one = { 0 };

		if (validate(c, c->args[i], &one) == 0)
			continue;
		cli_say(c, &one);
		e->code = one.code; /* everything is said: no text of its own */
		rc = -1;
	}
	return rc;
}

const struct command command_validate = {
	.name = "validate",
	.usage = "MODEL.json... [flags]",
	.help = "check model files, show their layers, shapes and costs",
	.more = "  nab validate configs/models/resnet8.json\n"
		"  nab validate my.json --canonical > explicit.json",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = -1,
	.run = run,
};
