/* cli/cmd_data.c - nab data: what a data set holds, what it looks like, and writing it as files. */
#include <string.h>

#include "base/json.h"
#include "base/str.h"
#include "cli/target.h"
#include "dataset/write.h"

struct flags {
	const char *data, *output, *format;
	int per_class, zoom, split;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, data, "glyphs", "glyphs, format:folder, or a JSON file with a specification or a study"),
	OPT_STR(struct flags, output, NULL, "show: the PNG to write; make: the folder"),
	OPT_STR(struct flags, format, "idx", "make: idx, npy or png"),
	OPT_INT(struct flags, per_class, 16, 1, 1000, "show: examples per class"),
	OPT_INT(struct flags, zoom, 2, 1, 16, "show: screen pixels per pixel"),
	OPT_ENUM(struct flags, split, SPLIT_TRAIN, split_names, "show: which part"),
	OPT_END,
};

static int show(struct cli *c, const struct dataset *d, struct err *e)
{
	const struct flags *f = c->flags;
	const char *out = f->output ? f->output : "data.png";

	if (dataset_sheet(d, (enum split)f->split, f->per_class, f->zoom, out, e) < 0)
		return -1;
	printf("%s\n", out);
	return 0;
}

static int info(struct cli *c, const struct dataset *d)
{
	struct str t = { 0 };

	if (c->json) {
		cli_print_json(dataset_info(d));
		return 0;
	}
	dataset_info_text(&t, d);
	cli_print(&t);
	str_release(&t);
	return 0;
}

static int make(struct cli *c, const struct dataset *d, struct err *e)
{
	const struct flags *f = c->flags;

	if (!f->output)
		return ERR(e, ERR_USAGE, NULL, "nab data make needs --output FOLDER");
	if (dataset_write(d, f->format, f->output, e) < 0)
		return -1;
	printf("%s\n", f->output);
	cli_next(c, "nab data info --data %s:%s", f->format, f->output);
	return 0;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	const char *verb = c->args[0];
	struct dataset *d = NULL;
	int rc;

	if (strcmp(verb, "info") && strcmp(verb, "show") && strcmp(verb, "make"))
		return ERR(e, ERR_USAGE, NULL, "nab data info, show or make; not \"%s\"", verb);
	c->set_data = true;
	if (cli_open_data(c, c->n_args > 1 ? c->args[1] : f->data, &d, e) < 0)
		return -1;
	rc = strcmp(verb, "info") == 0 ? info(c, d) : strcmp(verb, "show") == 0 ? show(c, d, e) : make(c, d, e);
	dataset_close(d);
	return rc;
}

const struct command command_data = {
	.name = "data",
	.usage = "info|show|make [DATA] [flags]",
	.help = "describe a data set, draw a contact sheet of it, or write it as files",
	.more = "  nab data info idx:data/fashion-mnist\n"
		"  nab data show glyphs --per-class 24 --output glyphs.png\n"
		"  nab data make glyphs --set options.n_train=500 --format png --output glyphs/",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 2,
	.run = run,
};
