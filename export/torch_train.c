/* export/torch_train.c - train.py: the recipe as code. What the recipe does not use does not appear. Formulas and rules
 * are those of arch/recipe.c and train/: rates per step, decay on weights alone, an incomplete last batch is dropped.
 */
#include <stdlib.h>
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "export/torch.h"

struct train { /* what is being written */
	struct py *p;
	const struct export_job *job;
	const struct recipe *r;
	bool classify, tokens;
};

static void constant(struct py *p, const char *name, double v, const char *comment)
{
	char number[40];

	py_line(p, comment, "%s = %s", name, py_real(number, v));
}

static void function(struct py *p, const char *head, const char *body)
{
	py_blank(p, 2);
	py_line(p, NULL, "def %s:", head);
	p->indent++;
	py_text(p, body);
	p->indent--;
}

/* ---- head ----------------------------------------------------------------------------------------------- */

static const char head_text[] =
    "\n"
    "    python3 train.py data.safetensors\n"
    "\n"
    "reads the float32 arrays \"x\" [n, *INPUT], as the network sees them, and \"y\" [n]; if they\n"
    "are there, \"x_val\" and \"y_val\"; and writes trained.safetensors. Random numbers are\n"
    "PyTorch's, so a result differs from nab's as two seeds differ.\n"
    "\"\"\"\n"
    "\n"
    "import json\n"
    "import math\n"
    "import struct\n"
    "import sys\n"
    "from pathlib import Path\n"
    "\n"
    "import torch\n"
    "import torch.nn.functional as F\n"
    "from torch import nn\n"
    "\n";

static void write_head(const struct train *t)
{
	const struct recipe *r = t->r;
	char share[40];

	py_text(t->p, "\"\"\"Trains the network of model.py from scratch by the recipe that nab used.\n");
	if (r->fidelity.data < 1)
		py_line(t->p, NULL, "\nnab used %s of the training examples, stratified by class.",
			py_real(share, r->fidelity.data));
	py_text(t->p, head_text);
	py_line(t->p, NULL, "from model import %sModel, read_safetensors",
		t->classify && r->loss == LOSS_MSE ? "CLASSES, " : "");
	py_blank(t->p, 1);
}

static void write_optimizer_constants(const struct train *t)
{
	const struct optimizer *o = &t->r->optimizer;

	constant(t->p, "LR", o->lr, "peak learning rate");
	constant(t->p, "WEIGHT_DECAY", o->weight_decay,
		 o->kind == OPTIMIZER_ADAMW ? "decoupled; on weights alone" : "L2; on weights alone");
	if (t->r->label_smoothing > 0)
		constant(t->p, "LABEL_SMOOTHING", t->r->label_smoothing, NULL);
	if (t->r->clip > 0)
		constant(t->p, "CLIP", t->r->clip, "largest norm of the gradient");
}

static void write_constants(const struct train *t)
{
	const struct recipe *r = t->r;
	const char *seed = json_string(json_get(t->job->provenance, "seed"));

	py_line(t->p, NULL, "DEVICE = \"cuda\" if torch.cuda.is_available() else \"cpu\"");
	py_line(t->p, NULL, "SEED = %llu", seed ? strtoull(seed, NULL, 10) : 0ULL);
	py_line(t->p, NULL, "EPOCHS = %d", r->epochs);
	py_line(t->p, "epochs that the schedule spans", "HORIZON = %d", r->horizon ? r->horizon : r->epochs);
	py_line(t->p, NULL, "BATCH = %d", r->batch);
	write_optimizer_constants(t);
	if (r->early_stop.patience) {
		py_line(t->p, "epochs without improvement before it stops", "PATIENCE = %d", r->early_stop.patience);
		constant(t->p, "MIN_DELTA", r->early_stop.min_delta, NULL);
	}
	if (r->precision == PRECISION_TF32) {
		py_line(t->p, NULL, "torch.backends.cuda.matmul.allow_tf32 = True");
		py_line(t->p, NULL, "torch.backends.cudnn.allow_tf32 = True");
	}
}

/* ---- initial values ------------------------------------------------------------------------------------- */

static const char *const init_code[INIT_COUNT] = {
	[INIT_ZEROS] = "nn.init.zeros_(module.weight)",
	[INIT_ONES] = "nn.init.ones_(module.weight)",
	[INIT_HE_NORMAL] = "nn.init.normal_(module.weight, std=math.sqrt(2 / fan_in))",
	[INIT_HE_UNIFORM] = "uniform(module.weight, math.sqrt(6 / fan_in))",
	[INIT_GLOROT_NORMAL] = "nn.init.normal_(module.weight, std=math.sqrt(2 / (fan_in + fan_out)))",
	[INIT_GLOROT_UNIFORM] = "uniform(module.weight, math.sqrt(6 / (fan_in + fan_out)))",
	[INIT_TORCH] = "uniform(module.weight, 1 / math.sqrt(fan_in))",
	[INIT_NORMAL] = "nn.init.normal_(module.weight)",
};

/* The initialiser of a layer whose user can choose it, or -1. */
static int chosen_init(const struct node *n)
{
	if (n->share >= 0)
		return -1;
	if (n->kind == LAYER_conv2d)
		return ((const struct conv2d *)n->cfg)->init;
	if (n->kind == LAYER_conv1d)
		return ((const struct conv1d *)n->cfg)->init;
	if (n->kind == LAYER_depthwise2d)
		return ((const struct depthwise2d *)n->cfg)->init;
	return n->kind == LAYER_dense ? ((const struct dense *)n->cfg)->init : -1;
}

static int commonest_init(int count[INIT_COUNT], const struct graph *g)
{
	int best = 0;

	for (int i = 0; i < g->n_nodes; i++)
		if (chosen_init(&g->nodes[i]) >= 0)
			count[chosen_init(&g->nodes[i])]++;
	for (int k = 1; k < INIT_COUNT; k++)
		if (count[k] > count[best])
			best = k;
	return best;
}

static void add_dotted(struct str *out, const char *id)
{
	for (; *id; id++) {
		bool two = id[0] == '_' && id[1] == '_';

		str_addc(out, two ? '.' : *id);
		id += two;
	}
}

/* INIT: the layers that do not start like most. */
static void write_init_table(struct py *p, const struct graph *g, int most)
{
	struct str line = { 0 };

	for (int i = 0; i < g->n_nodes; i++) {
		int k = chosen_init(&g->nodes[i]);

		if (k < 0 || k == most)
			continue;
		str_add(&line, line.len ? ", \"" : "\"");
		add_dotted(&line, g->nodes[i].id);
		str_addf(&line, "\": \"%s\"", param_init_names[k]);
	}
	if (line.len)
		py_line(p, "the others: see initialise()", "INIT = {%s}", str_get(&line));
	str_release(&line);
}

static bool used(const int count[INIT_COUNT], const char *word)
{
	for (int k = 0; k < INIT_COUNT; k++)
		if (count[k] && strstr(init_code[k], word))
			return true;
	return false;
}

static void write_init_body(struct py *p, const int count[INIT_COUNT], int most)
{
	const char *word = "if";
	bool table = false;

	for (int k = 0; k < INIT_COUNT; k++)
		table |= k != most && count[k];
	if (used(count, "fan_"))
		py_text(p, "field = math.prod(module.weight.shape[2:])\n"
			   "fan_in = module.weight.shape[1] * field\n");
	if (used(count, "fan_out"))
		py_text(p, "fan_out = module.weight.shape[0] // getattr(module, \"groups\", 1) * field\n");
	if (table)
		py_line(p, NULL, "kind = INIT.get(name, \"%s\")", param_init_names[most]);
	for (int k = 0; k < INIT_COUNT; k++) {
		if (!count[k])
			continue;
		if (table) {
			py_line(p, NULL, "%s kind == \"%s\":", word, param_init_names[k]);
			p->indent++;
		}
		py_text(p, init_code[k]);
		p->indent -= table;
		word = "elif";
	}
	py_text(p, "if module.bias is not None:\n    nn.init.zeros_(module.bias)\n");
}

static void write_initialise(const struct train *t, const int count[INIT_COUNT], int most)
{
	struct py *p = t->p;

	if (!count[most])
		return; /* no such layer: PyTorch's own values are nab's */
	if (used(count, "uniform("))
		function(p, "uniform(weight, bound)", "nn.init.uniform_(weight, -bound, bound)\n");
	function(p, "initialise(model)",
		 "\"\"\"Initial values; norms, embeddings and recurrent layers start as PyTorch's do.\"\"\"\n"
		 "for name, module in model.named_modules():\n"
		 "    if not isinstance(module, (nn.Conv1d, nn.Conv2d, nn.Linear)):\n"
		 "        continue\n");
	p->indent += 2;
	write_init_body(p, count, most);
	p->indent -= 2;
}

/* ---- optimizer and schedule ----------------------------------------------------------------------------- */

static void write_optimizer(const struct train *t)
{
	const struct optimizer *o = &t->r->optimizer;
	char a[40], b[40], c[40];

	function(t->p, "make_optimizer(model)",
		 "norms = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)\n"
		 "decayed, plain = [], []\n"
		 "for module in model.modules():\n"
		 "    for name, p in module.named_parameters(recurse=False):\n"
		 "        weight = name.startswith(\"weight\") and not isinstance(module, norms)\n"
		 "        if p.requires_grad:\n"
		 "            (decayed if weight else plain).append(p)\n"
		 "groups = [\n"
		 "    {\"params\": decayed, \"weight_decay\": WEIGHT_DECAY},\n"
		 "    {\"params\": plain, \"weight_decay\": 0.0},\n"
		 "]\n");
	t->p->indent++;
	if (o->kind == OPTIMIZER_SGD)
		py_line(t->p, NULL, "return torch.optim.SGD(groups, lr=LR, momentum=%s, nesterov=%s)",
			py_real(a, o->momentum), o->nesterov ? "True" : "False");
	else
		py_line(t->p, NULL, "return torch.optim.%s(groups, lr=LR, betas=(%s, %s), eps=%s)",
			o->kind == OPTIMIZER_ADAM ? "Adam" : "AdamW", py_real(a, o->beta1), py_real(b, o->beta2),
			py_real(c, o->eps));
	t->p->indent--;
}

static void write_onecycle(struct py *p, const struct schedule *s)
{
	char rise[40], start[40], final[40];

	py_line(p, NULL, "total = HORIZON * steps_per_epoch");
	py_line(p, NULL, "peak = %s * total - 1", py_real(rise, s->rise));
	py_line(p, NULL, "if 0 < peak and step <= peak:");
	py_line(p, NULL, "    return LR * anneal(%s, 1.0, step / peak)", py_real(start, s->start));
	py_line(p, NULL, "share = (step - peak) / (total - 1 - peak) if total - 1 > peak else 0.0");
	py_line(p, NULL, "return LR * anneal(1.0, %s, share)", py_real(final, s->final));
}

static void write_rate(const struct train *t)
{
	const struct schedule *s = &t->r->schedule;
	bool curved = s->kind == SCHEDULE_COSINE || s->kind == SCHEDULE_ONECYCLE;
	char a[40], b[40];

	if (curved)
		function(t->p, "anneal(a, b, share)",
			 "\"\"\"From a to b along half a cosine.\"\"\"\n"
			 "share = min(max(share, 0.0), 1.0)\n"
			 "return b + (a - b) / 2 * (1 + math.cos(math.pi * share))\n");
	function(t->p, "rate(step, steps_per_epoch)", "\"\"\"Learning rate of a step, counted from 0.\"\"\"\n");
	t->p->indent++;
	if (s->warmup > 0) {
		py_line(t->p, NULL, "warm = %s * steps_per_epoch", py_real(a, s->warmup));
		py_line(t->p, NULL, "lr = LR * min(1.0, (step + 1) / warm)");
	}
	switch (s->kind) {
	case SCHEDULE_CONSTANT:
		py_line(t->p, NULL, "return %s", s->warmup > 0 ? "lr" : "LR");
		break;
	case SCHEDULE_STEP:
		py_line(t->p, NULL, "return %s * %s ** (step // (%s * steps_per_epoch))", s->warmup > 0 ? "lr" : "LR",
			py_real(a, s->gamma), py_real(b, s->every));
		break;
	case SCHEDULE_COSINE:
		if (s->warmup > 0)
			py_line(t->p, NULL, "share = (step - warm) / (HORIZON * steps_per_epoch - warm)");
		else
			py_line(t->p, NULL, "share = step / (HORIZON * steps_per_epoch)");
		py_line(t->p, NULL, "return %s * anneal(1.0, %s, share)", s->warmup > 0 ? "lr" : "LR",
			py_real(a, s->final));
		break;
	case SCHEDULE_ONECYCLE:
		write_onecycle(t->p, s);
		break;
	case SCHEDULE_COUNT:
		break;
	}
	t->p->indent--;
}

/* ---- augmentation --------------------------------------------------------------------------------------- */

static void write_flip(struct py *p, const struct augment *g, int axis)
{
	char share[40];

	py_line(p, g->kind == AUGMENT_HFLIP ? "left and right" : "top and bottom",
		"flip = torch.rand(len(x), 1, 1, 1, device=x.device) < %s", py_real(share, g->p));
	py_line(p, NULL, "x = torch.where(flip, x.flip(%d), x)", axis);
}

static void write_crop(struct py *p, const struct augment *g)
{
	py_line(p, "what comes in is the mean: zero", "wide = F.pad(x, (%d, %d, %d, %d))", g->pad, g->pad, g->pad,
		g->pad);
	py_line(p, NULL, "at = torch.randint(0, %d, (len(x), 2)).tolist()", 2 * g->pad + 1);
	py_line(p, NULL, "x = torch.stack([w[:, i : i + h, j : j + v] for w, (i, j) in zip(wide, at)])");
}

static void write_cutout(struct py *p, const struct augment *g)
{
	char share[40];

	py_line(p, "squares of zeros, which may stick out", "drawn = torch.rand(len(x), device=x.device)");
	py_line(p, NULL, "cut = (drawn < %s).view(-1, 1, 1)", py_real(share, g->p));
	py_line(p, NULL, "i, j = (torch.randint(0, s, (len(x), 1), device=x.device) for s in (h, v))");
	py_line(p, NULL, "rows = torch.arange(h, device=x.device) - i + %d", g->size / 2);
	py_line(p, NULL, "columns = torch.arange(v, device=x.device) - j + %d", g->size / 2);
	py_line(p, NULL, "cut = cut & ((rows >= 0) & (rows < %d)).unsqueeze(2)", g->size);
	py_line(p, NULL, "cut = cut & ((columns >= 0) & (columns < %d)).unsqueeze(1)", g->size);
	py_line(p, NULL, "x = x.masked_fill(cut.unsqueeze(1), 0.0)");
}

static void write_augment(const struct train *t)
{
	struct py *p = t->p;
	bool sized = false;

	if (!t->r->n_augment)
		return;
	for (int i = 0; i < t->r->n_augment; i++)
		sized |= t->r->augment[i].kind == AUGMENT_CROP || t->r->augment[i].kind == AUGMENT_CUTOUT;
	function(p, "augment(x)", "\"\"\"Each picture of a batch on its own.\"\"\"\n");
	p->indent++;
	if (sized)
		py_line(p, NULL, "h, v = x.shape[2:]");
	for (int i = 0; i < t->r->n_augment; i++) {
		const struct augment *g = &t->r->augment[i];

		switch (g->kind) {
		case AUGMENT_HFLIP:
			write_flip(p, g, 3);
			break;
		case AUGMENT_VFLIP:
			write_flip(p, g, 2);
			break;
		case AUGMENT_CROP:
			write_crop(p, g);
			break;
		case AUGMENT_CUTOUT:
			write_cutout(p, g);
			break;
		case AUGMENT_COUNT:
			break;
		}
	}
	py_line(p, NULL, "return x");
	p->indent--;
}

/* ---- loss, step, loop ----------------------------------------------------------------------------------- */

static void write_loss(const struct train *t)
{
	struct py *p = t->p;

	if (!t->classify)
		function(p, "loss_of(logits, y, smoothing=0.0)", "return F.mse_loss(logits[:, 0], y.float())\n");
	else if (t->r->loss == LOSS_MSE)
		function(p, "loss_of(logits, y, smoothing=0.0)",
			 "return F.mse_loss(logits, F.one_hot(y, CLASSES).float())\n");
	else
		function(p, "loss_of(logits, y, smoothing=0.0)",
			 "return F.cross_entropy(logits, y, label_smoothing=smoothing)\n");
}

static void write_step(const struct train *t)
{
	struct py *p = t->p;
	const char *smoothing = t->r->label_smoothing > 0 ? ", smoothing=LABEL_SMOOTHING" : "";

	function(p, "train_step(model, optimizer, x, y, lr)",
		 "\"\"\"One update; the loss before it.\"\"\"\n"
		 "for group in optimizer.param_groups:\n"
		 "    group[\"lr\"] = lr\n"
		 "optimizer.zero_grad()\n");
	p->indent++;
	if (t->r->precision == PRECISION_BF16) {
		py_line(p, NULL, "with torch.autocast(DEVICE, dtype=torch.bfloat16):");
		py_line(p, NULL, "    logits = model(x)");
		py_line(p, NULL, "loss = loss_of(logits.float(), y%s)", smoothing);
	} else {
		py_line(p, NULL, "loss = loss_of(model(x), y%s)", smoothing);
	}
	py_line(p, NULL, "loss.backward()");
	if (t->r->clip > 0)
		py_line(p, NULL, "nn.utils.clip_grad_norm_(model.parameters(), CLIP)");
	py_text(p, "optimizer.step()\nreturn loss.item()\n");
	p->indent--;
}

static void write_evaluate(const struct train *t)
{
	py_blank(t->p, 2);
	py_text(t->p, "@torch.no_grad()\n"
		      "def evaluate(model, x, y):\n");
	t->p->indent++;
	py_line(t->p, NULL, "\"\"\"Mean loss%s.\"\"\"", t->classify ? " and share of right answers" : "");
	py_text(t->p, "model.eval()\n"
		      "parts = [model(part.to(DEVICE)).cpu() for part in x.split(512)]\n"
		      "logits = torch.cat(parts)\n");
	py_line(t->p, NULL,
		t->classify ? "return loss_of(logits, y).item(), (logits.argmax(1) == y).float().mean().item()"
			    : "return loss_of(logits, y).item()");
	t->p->indent--;
}

static void write_epoch_end(const struct train *t)
{
	struct py *p = t->p;
	const struct early_stop *s = &t->r->early_stop;

	if (t->classify)
		py_text(p, "val_loss, accuracy = evaluate(model, x_val, y_val)\n"
			   "print(f\"  validation loss {val_loss:.4f}, accuracy {accuracy:.4f}\")\n");
	else
		py_text(p, "val_loss = evaluate(model, x_val, y_val)\n"
			   "print(f\"  validation loss {val_loss:.4f}\")\n");
	if (!s->patience)
		return;
	py_text(p, "if val_loss < best - MIN_DELTA:\n"
		   "    best, waited = val_loss, 0\n");
	if (s->restore)
		py_text(p, "    kept = {k: v.clone() for k, v in model.state_dict().items()}\n");
	py_text(p, "else:\n"
		   "    waited += 1\n"
		   "if waited >= PATIENCE:\n"
		   "    break\n");
}

static void write_train(const struct train *t, bool init)
{
	struct py *p = t->p;
	const struct early_stop *s = &t->r->early_stop;

	function(p, s->patience ? "train(x, y, x_val, y_val)" : "train(x, y, x_val=None, y_val=None)",
		 "torch.manual_seed(SEED)\nmodel = Model().to(DEVICE)\n");
	p->indent++;
	if (init)
		py_line(p, NULL, "initialise(model)");
	if (s->patience)
		py_line(p, NULL, "best, waited%s = math.inf, 0%s", s->restore ? ", kept" : "",
			s->restore ? ", None" : "");
	py_text(p, "optimizer = make_optimizer(model)\n"
		   "steps = len(x) // BATCH  # what is left of an epoch is dropped\n"
		   "assert steps > 0, f\"at least {BATCH} examples are needed\"\n"
		   "for epoch in range(EPOCHS):\n"
		   "    model.train()\n"
		   "    order, total = torch.randperm(len(x)), 0.0\n"
		   "    for step in range(steps):\n"
		   "        pick = order[step * BATCH : (step + 1) * BATCH]\n"
		   "        lr = rate(epoch * steps + step, steps)\n");
	p->indent += 2;
	py_line(p, NULL, "batch = %s", t->r->n_augment ? "augment(x[pick].to(DEVICE))" : "x[pick].to(DEVICE)");
	py_line(p, NULL, "total += train_step(model, optimizer, batch, y[pick].to(DEVICE), lr)");
	p->indent--;
	py_line(p, NULL, "print(f\"epoch {epoch + 1}: training loss {total / steps:.4f}\")");
	if (!s->patience) {
		py_line(p, NULL, "if x_val is not None:");
		p->indent++;
	}
	write_epoch_end(t);
	p->indent -= s->patience ? 1 : 2;
	if (s->patience && s->restore)
		py_text(p, "if kept:\n    model.load_state_dict(kept)\n");
	py_line(p, NULL, "return model.cpu().eval()");
	p->indent--;
}

static const char save_text[] = "header, data = {\"__metadata__\": {\"format\": \"pt\"}}, b\"\"\n"
				"for name, tensor in model.state_dict().items():\n"
				"    if name.endswith(\"num_batches_tracked\"):\n"
				"        continue  # of no use with a fixed momentum\n"
				"    raw = bytes(tensor.float().contiguous().view(-1).numpy())\n"
				"    header[name] = {\n"
				"        \"dtype\": \"F32\",\n"
				"        \"shape\": list(tensor.shape),\n"
				"        \"data_offsets\": [len(data), len(data) + len(raw)],\n"
				"    }\n"
				"    data += raw\n"
				"text = json.dumps(header).encode()\n"
				"text += b\" \" * (-len(text) % 8)\n"
				"Path(path).write_bytes(struct.pack(\"<Q\", len(text)) + text + data)\n";

static void write_main(const struct train *t)
{
	struct py *p = t->p;
	const char *x = t->tokens ? ".long()" : "", *y = t->classify ? ".long()" : "";

	function(p, "save(model, path)", save_text);
	py_blank(p, 2);
	py_text(p, "if __name__ == \"__main__\":\n"
		   "    if len(sys.argv) != 2:\n"
		   "        sys.exit(f\"usage: python3 {sys.argv[0]} data.safetensors\")\n"
		   "    data = read_safetensors(sys.argv[1])\n");
	p->indent++;
	if (t->r->early_stop.patience) {
		py_line(p, NULL, "validation = (data[\"x_val\"]%s, data[\"y_val\"]%s)", x, y);
	} else {
		py_line(p, NULL, "validation = ()");
		py_line(p, NULL, "if \"x_val\" in data:");
		py_line(p, NULL, "    validation = (data[\"x_val\"]%s, data[\"y_val\"]%s)", x, y);
	}
	py_line(p, NULL, "trained = train(data[\"x\"]%s, data[\"y\"]%s, *validation)", x, y);
	py_line(p, NULL, "save(trained, \"trained.safetensors\")");
	p->indent--;
}

int torch_train(struct py *p, const struct export_job *job, struct err *e)
{
	const struct graph *g = job->graph;
	struct train t = { .p = p, .job = job, .r = job->recipe };
	int count[INIT_COUNT] = { 0 }, most;

	if (g->n_inputs != 1 || g->n_outputs != 1)
		return ERR(e, ERR_INVALID, NULL,
			   "training code needs a model with one input and one output: export it without a recipe");
	if (g->outputs[0].task == TASK_MULTILABEL)
		return ERR(e, ERR_INVALID, NULL,
			   "there is no training code for multi-label models: export it without a recipe");
	t.classify = g->outputs[0].task == TASK_CLASSIFY;
	t.tokens = g->inputs[0].shape.type == TENSOR_TOKENS;
	most = commonest_init(count, g);
	write_head(&t);
	write_constants(&t);
	write_init_table(p, g, most);
	write_initialise(&t, count, most);
	write_optimizer(&t);
	write_rate(&t);
	write_augment(&t);
	write_loss(&t);
	write_step(&t);
	write_evaluate(&t);
	write_train(&t, count[most] > 0);
	write_main(&t);
	return 0;
}
