/* cli/cmd_new.c - nab new: writes a well-known network as a model file, for an input and a number of classes. */
#include <string.h>

#include "arch/design.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/target.h"
#include "train/batch.h"

struct flags {
	const char *input, *data, *output;
	int classes, depth;
	double width;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, input, NULL, "shape of an example: channels,height,width or channels,steps or features"),
	OPT_INT(struct flags, classes, 0, 0, 65536, "classes; 0: as the design says"),
	OPT_STR(struct flags, data, NULL, "data set (glyphs, idx:FOLDER, a study file) that says input and classes"),
	OPT_REAL(struct flags, width, 1, 0.01, 100, "multiplier on channels and units"),
	OPT_INT(struct flags, depth, 0, 0, 100000, "depth, where the design has one to choose; 0: its own"),
	OPT_STR(struct flags, output, NULL, "file to write; default: print"),
	OPT_END,
};

/* Writes, reads back: what is handed out is a valid model. */
static int make(struct cli *c, const struct design *d, const struct design_use *use, struct str *text,
		struct graph **out, struct err *e)
{
	struct json *doc = NULL;
	struct diag diag = { 0 };
	struct json_in in;
	int rc;

	if (design_write(text, d, use, e) < 0 || json_parse(&doc, str_get(text), text->len, d->name, e) < 0)
		return -1;
	in = (struct json_in){ doc, &diag, NULL };
	rc = model_read(out, doc, NULL, &c->lib, c->arena, &in);
	json_free(doc);
	return cli_report(c, &diag, d->name, e) < 0 ? -1 : rc;
}

/* ---- the list ------------------------------------------------------------------------------------------- */

static struct json *list_row(const struct design *d, const struct cost *cost)
{
	struct json *row = json_object();

	json_put(row, "name", json_str(d->name));
	json_put(row, "help", json_str(d->help));
	json_put(row, "input", model_write_input(&d->input));
	json_put(row, "classes", json_num(d->classes));
	json_put(row, "params", json_num((double)cost->params));
	json_put(row, "macs", json_num((double)cost->macs));
	if (d->depth_max) {
		json_put(row, "depth", json_num(d->depth));
		json_put(row, "depth_help", json_str(d->depth_help));
	}
	return row;
}

static void list_line(struct str *t, const struct design *d, const struct design *before, const struct cost *cost)
{
	char params[32], shape[48];

	if (!before || strcmp(before->help, d->help)) {
		str_addf(t, "%s%s", before ? "\n" : "", d->help);
		if (d->depth_max)
			str_addf(t, "; --depth %d..%d: %s", d->depth_min, d->depth_max, d->depth_help);
		str_addc(t, '\n');
	}
	str_addf(t, "  %-14s %-12s %5d classes %13s parameters\n", d->name, shape_text(shape, &d->input), d->classes,
		 str_thousands(params, cost->params));
}

static int list(struct cli *c, const struct design *d, int n, struct err *e)
{
	struct json *rows = json_array();
	struct str t = { 0 }, text = { 0 };
	int rc = 0;

	for (int i = 0; rc == 0 && i < n; i++) {
		struct design_use use = { .width = 1 };
		struct graph *g;
		struct cost cost;

		str_clear(&text);
		rc = make(c, &d[i], &use, &text, &g, e) < 0 || graph_cost(g, &cost, e) < 0 ? -1 : 0;
		if (rc < 0)
			break;
		list_line(&t, &d[i], i ? &d[i - 1] : NULL, &cost);
		json_push(rows, list_row(&d[i], &cost));
	}
	if (rc == 0 && c->json) {
		cli_print_json(rows);
	} else {
		if (rc == 0)
			cli_print(&t);
		json_free(rows);
	}
	str_release(&t);
	str_release(&text);
	if (rc == 0)
		cli_next(c, "nab new resnet20 --input 1,28,28 --classes 10 -o resnet20.json");
	return rc;
}

/* ---- one of them ---------------------------------------------------------------------------------------- */

static const struct design *find(const struct design *d, int n, const char *name, struct err *e)
{
	const char *names[256], *near;

	for (int i = 0; i < n; i++) {
		names[i] = d[i].name;
		if (strcmp(d[i].name, name) == 0)
			return &d[i];
	}
	near = str_nearest(name, names, n);
	if (near)
		ERR(e, ERR_USAGE, NULL, "unknown network \"%s\" (did you mean \"%s\"?)", name, near);
	else
		ERR(e, ERR_USAGE, NULL, "unknown network \"%s\" (`nab new` lists them)", name);
	return NULL;
}

static int read_data(struct cli *c, const struct flags *f, struct design_use *use, struct shape *in, struct err *e)
{
	struct dataset *d;

	if (f->input || f->classes)
		return ERR(e, ERR_USAGE, "--data", "says input and classes: leave out --input and --classes");
	if (cli_open_data(c, f->data, &d, e) < 0)
		return -1;
	*in = batch_shape(d, 1);
	*use = (struct design_use){ in, d->task, d->task == TASK_REGRESS ? 1 : d->classes, f->depth, f->width };
	dataset_close(d);
	return 0;
}

static int write_out(struct cli *c, const struct graph *g, const struct str *text, struct err *e)
{
	const struct flags *f = c->flags;
	char params[32], macs[32];
	struct cost cost;

	if (graph_cost(g, &cost, e) < 0)
		return -1;
	if (!f->output && c->json)
		cli_print_json(model_write(g));
	else if (!f->output)
		cli_print(text);
	else if (file_write(f->output, str_get(text), text->len, e) < 0)
		return -1;
	fflush(stdout);
	if (!c->quiet)
		fprintf(stderr, "%s: %s parameters, %s multiply-adds, %d layers\n", g->name,
			str_thousands(params, cost.params), str_thousands(macs, cost.macs), cost.layers);
	if (f->output)
		cli_next(c, "nab train %s%s%s", f->output, f->data ? " --data " : "", f->data ? f->data : "");
	return 0;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct design_use use = { NULL, TASK_CLASSIFY, f->classes, f->depth, f->width };
	const struct design *d;
	struct design *all;
	struct str text = { 0 };
	struct shape in;
	struct graph *g;
	int n, rc = -1;

	TRY(design_list(&all, &n, path_join(c->arena, c->share, "configs/designs"), c->arena, e));
	if (!c->n_args)
		return list(c, all, n, e);
	d = find(all, n, c->args[0], e);
	if (!d)
		goto out;
	if (f->data)
		TRY(read_data(c, f, &use, &in, e));
	if (f->input) {
		TRY(design_shape(&in, f->input, e));
		use.input = &in;
	}
	TRY(make(c, d, &use, &text, &g, e));
	rc = write_out(c, g, &text, e);
out:
	str_release(&text);
	return rc;
}

const struct command command_new = {
	.name = "new",
	.usage = "[NAME] [flags]",
	.help = "write a well-known network as a model file, for your input and classes",
	.more = "Without a name: what there is, with parameters.\n\n"
		"  nab new resnet20 --input 1,28,28 --classes 10 -o resnet20.json\n"
		"  nab new mobilenetv2 --data cifar:data/cifar10 --width 0.5\n"
		"  nab new gru --input 6,128 --classes 4 --depth 2",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 0,
	.max_args = 1,
	.run = run,
};
