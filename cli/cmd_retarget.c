/* cli/cmd_retarget.c - nab retarget: the same design for another data set. */
#include <string.h>

#include "arch/design.h"
#include "arch/retarget.h"
#include "cli/made.h"
#include "cli/target.h"
#include "train/batch.h"

struct flags {
	const char *store, *input, *data, *output;
	int classes;
	double width;
	int64_t max_params;
};

static const struct opt flags[] = {
	OPT_STR(struct flags, input, NULL, "shape of an example: channels,height,width or channels,steps or features"),
	OPT_INT(struct flags, classes, 0, 0, 65536, "classes; 0: as many as before"),
	OPT_STR(struct flags, data, NULL, "data set (glyphs, idx:FOLDER, a study file) that says input and classes"),
	OPT_REAL(struct flags, width, 1, 0.01, 100, "multiplier on channels and units"),
	OPT_LONG(struct flags, max_params, 0, 0, 1e15,
		 "parameters at most: the width is reduced until it holds; 0: no limit"),
	OPT_STR(struct flags, output, NULL, "file to write; default: the model to stdout, what changed to stderr"),
	OPT_STR(struct flags, store, NULL, "store that holds the run, if the model is one"),
	OPT_END,
};

static int read_input(struct cli *c, const struct graph *g, struct retarget *to, struct err *e)
{
	const struct flags *f = c->flags;
	struct dataset *d;

	if (f->data && (f->input || f->classes))
		return ERR(e, ERR_USAGE, "--data", "says input and classes: leave out --input and --classes");
	if (f->input) {
		if (design_shape(&to->input, f->input, e) < 0)
			return -1;
		to->input.open = to->input.type == TENSOR_SEQUENCE && g->inputs[0].shape.open;
	}
	if (!f->data)
		return 0;
	if (cli_open_data(c, f->data, &d, e) < 0)
		return -1;
	to->input = batch_shape(d, 1);
	to->task = d->task;
	to->classes = d->task == TASK_REGRESS ? 1 : d->classes;
	dataset_close(d);
	return 0;
}

static int run(struct cli *c, struct err *e)
{
	const struct flags *f = c->flags;
	struct retarget_log log;
	struct retarget to;
	struct target t;
	struct made made;

	if (cli_target(c, c->args[0], f->store, &t, e) < 0)
		return -1;
	to = (struct retarget){ t.graph->inputs[0].shape, t.graph->outputs[0].task,
				f->classes ? f->classes : t.graph->outputs[0].classes, f->width, f->max_params };
	if (!f->input && !f->data && !f->classes && f->width == 1 && !f->max_params)
		return ERR(e, ERR_USAGE, NULL, "say what for: --data, or --input and --classes, --width, --max-params");
	if (read_input(c, t.graph, &to, e) < 0)
		return -1;
	made = (struct made){ .from = t.graph, .verb = "retargeted", .output = f->output };
	if (graph_retarget(&made.graph, &log, t.graph, &to, c->arena, e) < 0) {
		if (!e->where[0])
			err_within(e, t.name);
		return -1;
	}
	made.lines = log.lines;
	made.n_lines = log.n;
	if (cli_made(c, &made, e) < 0)
		return -1;
	if (f->output)
		cli_next(c, "nab train %s%s%s", f->output, f->data ? " --data " : "", f->data ? f->data : "");
	return 0;
}

const struct command command_retarget = {
	.name = "retarget",
	.usage = "MODEL [flags]",
	.help = "the same design for another data set: input, head, sizes and width adapted",
	.more =
	    "Larger images are reduced more at the start, for smaller ones the first strides and poolings are left\n"
	    "out; windows that do not fit are padded or made smaller. Everything that is changed is said.\n\n"
	    "  nab retarget configs/models/resnet20.json --input 1,28,28 --classes 10 -o fashion.json\n"
	    "  nab retarget best --store fashion.db --data cifar:data/cifar10 --max-params 100000 -o cifar.json",
	.flags = flags,
	.flags_size = sizeof(struct flags),
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
