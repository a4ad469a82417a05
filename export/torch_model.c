/* export/torch_model.c - model.py: constants, classes, the loader of the weights and the check against the logits that
 * were computed here.
 */
#include <string.h>

#include "arch/kinds.h"
#include "base/json.h"
#include "base/mem.h"
#include "export/torch_scope.h"

static const char avg_pool_text[] = "def avg_pool(x, size, stride, padding, count_pad, beyond=(0, 0)):\n"
				    "    \"\"\"Average pooling with a padding per side (left, right[, top, bottom]).\n"
				    "\n"
				    "    The divisor counts the padding if count_pad, and never what lies beyond it.\n"
				    "    \"\"\"\n"
				    "    if x.ndim == 3:  # a sequence is an image of one row\n"
				    "        x, size, stride = x.unsqueeze(2), (1, size), (1, stride)\n"
				    "        return avg_pool(x, size, stride, padding, count_pad, beyond).squeeze(2)\n"
				    "    ones = F.pad(torch.ones_like(x[:1, :1]), padding, value=float(count_pad))\n"
				    "    sums = [\n"
				    "        F.avg_pool2d(F.pad(t, beyond), size, stride=stride, divisor_override=1)\n"
				    "        for t in (F.pad(x, padding), ones)\n"
				    "    ]\n"
				    "    return sums[0] / sums[1]\n";

static const char recurrent_text[] =
    "def recurrent(layer, x, last=False, add=False):\n"
    "    \"\"\"A recurrent layer on a sequence [batch, channels, steps]: out, state(, cell).\n"
    "\n"
    "    last: out is the last state of each direction; add: directions are added.\n"
    "    \"\"\"\n"
    "    out, states = layer(x.transpose(1, 2))\n"
    "    states = states if isinstance(states, tuple) else (states,)\n"
    "    states = [s.transpose(0, 1).flatten(1) for s in states]  # directions side by side\n"
    "    out = states[0] if last else out.transpose(1, 2)\n"
    "    return sum(out.chunk(2, dim=1)) if add else out, *states\n";

static const char normalise_text[] =
    "def normalise(raw):\n"
    "    \"\"\"What the network sees: (raw - MEAN) / STD per channel.\"\"\"\n"
    "    shape = (-1,) + (1,) * (raw.ndim - 2)\n"
    "    return (raw.float() - torch.tensor(MEAN).view(shape)) / torch.tensor(STD).view(shape)\n";

static const char reader_text[] =
    "def read_safetensors(path):\n"
    "    \"\"\"Float32 tensors by name (https://github.com/huggingface/safetensors).\"\"\"\n"
    "    raw = bytearray(Path(path).read_bytes())\n"
    "    start = 8 + struct.unpack(\"<Q\", raw[:8])[0]\n"
    "    header = json.loads(raw[8:start])\n"
    "    header.pop(\"__metadata__\", None)\n"
    "    tensors = {}\n"
    "    for name, entry in header.items():\n"
    "        assert entry[\"dtype\"] == \"F32\", f\"{path}: {name} is {entry['dtype']}\"\n"
    "        begin, end = entry[\"data_offsets\"]\n"
    "        flat = torch.frombuffer(\n"
    "            raw, dtype=torch.float32, offset=start + begin, count=(end - begin) // 4\n"
    "        )\n"
    "        tensors[name] = flat.reshape(entry[\"shape\"]).clone()\n"
    "    return tensors\n"
    "\n"
    "\n"
    "def load(path=HERE / \"weights.safetensors\"):\n"
    "    \"\"\"The trained model, in evaluation mode.\"\"\"\n"
    "    model = Model()\n"
    "    model.load_state_dict(read_safetensors(path), strict=True)\n"
    "    return model.eval()\n";

static const char main_text[] = "if __name__ == \"__main__\":\n"
				"    if sys.argv[1:] != [\"--check\"]:\n"
				"        sys.exit(f\"usage: python3 {sys.argv[0]} --check\")\n"
				"    sys.exit(check())\n";

/* ---- docstring ------------------------------------------------------------------------------------------ */

static void fact(struct py *p, const char *key, const char *value)
{
	struct str line = { 0 };

	py_prose(&line, key);
	while (line.len < 13)
		str_addc(&line, ' ');
	str_addc(&line, ' ');
	py_prose(&line, value);
	py_text(p, str_get(&line));
	str_release(&line);
}

/* Lines "key  value" about the model and its origin, for docstrings. */
static void put_facts(struct py *p, const struct export_job *job, const char *hash)
{
	struct cost cost = { 0 };
	char number[32];

	fact(p, "model", hash);
	if (graph_cost(job->graph, &cost, NULL) == 0) {
		fact(p, "parameters", str_thousands(number, cost.params));
		fact(p, "multiply-adds", str_thousands(number, cost.macs));
	}
	JSON_EACH(v, job->provenance) {
		if (json_string(v))
			fact(p, json_key(v), json_string(v));
	}
}

static bool has_open_steps(const struct graph *g)
{
	for (int i = 0; i < g->n_inputs; i++)
		if (g->inputs[i].shape.open)
			return true;
	return false;
}

static void write_docstring(struct py *p, const struct export_job *job, const char *hash)
{
	const struct graph *g = job->graph;
	struct str title = { 0 };

	str_add(&title, "\"\"\"");
	py_prose(&title, g->name ? g->name : "A network");
	str_add(&title, ", exported by nab for PyTorch.\n\n");
	py_text(p, str_get(&title));
	str_release(&title);
	put_facts(p, job, hash);
	py_text(p, "\n    from model import load\n    model = load()  # evaluation mode\n");
	if (g->n_inputs == 1)
		py_text(p, job->channels ? "    logits = model(normalise(raw))  # raw: [n, *INPUT]\n"
					 : "    logits = model(x)  # x: [n, *INPUT]\n");
	if (has_open_steps(g))
		py_text(p, "\nSequences may have any length, but all of a batch the same: there is no mask.\n");
	if (job->examples)
		py_text(p, "\n`python3 model.py --check` compares stored logits with this code's.\n");
	py_text(p, "\nThis file is yours: use, change and license it as you like.\n\"\"\"\n\n");
}

/* ---- constants ------------------------------------------------------------------------------------------ */

static const char *axes(enum tensor_type t)
{
	static const char *const names[] = { "channels, height, width", "features", "channels, steps", "steps" };

	return names[t];
}

static void shape_tuple(struct str *out, const struct shape *s)
{
	str_addf(out, "(%d,", s->d[0]);
	for (int i = 1; i < shape_rank(s); i++)
		str_addf(out, " %d%s", s->d[i], i + 1 < shape_rank(s) ? "," : "");
	str_addc(out, ')');
}

static void write_shapes(struct py *p, const struct graph *g)
{
	struct str text = { 0 };

	if (g->n_inputs == 1) {
		shape_tuple(&text, &g->inputs[0].shape);
		py_line(p, axes(g->inputs[0].shape.type), "INPUT = %s", str_get(&text));
	} else {
		for (int i = 0; i < g->n_inputs; i++) {
			str_addf(&text, "%s\"%s\": ", i ? ", " : "", g->inputs[i].name);
			shape_tuple(&text, &g->inputs[i].shape);
		}
		py_line(p, NULL, "INPUT = {%s}", str_get(&text));
	}
	str_clear(&text);
	if (g->n_outputs == 1) {
		py_line(p, NULL, "CLASSES = %d", g->outputs[0].classes);
	} else {
		for (int i = 0; i < g->n_outputs; i++)
			str_addf(&text, "%s\"%s\": %d", i ? ", " : "", g->outputs[i].name, g->outputs[i].classes);
		py_line(p, NULL, "CLASSES = {%s}", str_get(&text));
	}
	str_release(&text);
}

static void write_numbers(struct py *p, const char *name, const float *v, int n, const char *comment)
{
	struct str text = { 0 };
	char number[40];

	for (int i = 0; i < n; i++)
		str_addf(&text, "%s%s", i ? ", " : "", py_real(number, (double)v[i]));
	py_line(p, comment, "%s = [%s]", name, str_get(&text));
	str_release(&text);
}

static void write_constants(struct py *p, const struct export_job *job, const struct node *norm)
{
	struct str names = { 0 };
	char eps[40], momentum[40];

	py_line(p, NULL, "HERE = Path(__file__).resolve().parent");
	write_shapes(p, job->graph);
	for (int i = 0; job->class_names && i < job->graph->outputs[0].classes; i++) {
		str_add(&names, i ? ", " : "");
		json_quote(&names, job->class_names[i]);
	}
	if (names.len)
		py_line(p, NULL, "CLASS_NAMES = [%s]", str_get(&names));
	if (job->channels) {
		write_numbers(p, "MEAN", job->mean, job->channels, "of the training examples, per channel");
		write_numbers(p, "STD", job->std, job->channels, NULL);
	}
	if (norm) {
		const struct batchnorm *c = norm->cfg;

		py_line(p, "of every batch norm", "NORM = {\"eps\": %s, \"momentum\": %s}", py_real(eps, c->eps),
			py_real(momentum, c->momentum));
	}
	str_release(&names);
}

/* ---- check ---------------------------------------------------------------------------------------------- */

/* stored["input.image"], or its whole numbers if they are tokens */
static void add_inputs(struct str *out, const struct graph *g)
{
	for (int i = 0; i < g->n_inputs; i++)
		str_addf(out, "%sstored[\"input.%s\"]%s", i ? ", " : "", g->inputs[i].name,
			 g->inputs[i].shape.type == TENSOR_TOKENS ? ".long()" : "");
}

static void write_check(struct py *p, const struct graph *g)
{
	struct str inputs = { 0 }, names = { 0 };

	add_inputs(&inputs, g);
	for (int i = 0; i < g->n_outputs; i++)
		str_addf(&names, "%s\"output.%s\"", i ? ", " : "", g->outputs[i].name);
	py_blank(p, 2);
	py_line(p, NULL, "def check():");
	p->indent++;
	py_text(p, "\"\"\"Compares the stored logits with this code's; the exit status.\"\"\"\n"
		   "stored = read_safetensors(HERE / \"check.safetensors\")\n"
		   "with torch.no_grad():");
	p->indent++;
	py_line(p, NULL, "%s = load()(%s)", g->n_outputs == 1 ? "logits" : "outputs", str_get(&inputs));
	p->indent--;
	if (g->n_outputs == 1) {
		py_line(p, NULL, "expected = stored[%s]", str_get(&names));
	} else {
		py_line(p, NULL, "logits = torch.cat(outputs, dim=1)");
		py_line(p, NULL, "expected = torch.cat([stored[name] for name in (%s)], dim=1)", str_get(&names));
	}
	py_text(p, "difference = (logits - expected).abs().max().item()\n"
		   "bound = 1e-5 * max(1.0, expected.abs().max().item())\n"
		   "verdict = \"ok\" if difference <= bound else \"FAILED\"\n"
		   "print(f\"max abs difference {difference:.3g}, bound {bound:.3g}: {verdict}\")\n"
		   "return 0 if difference <= bound else 1\n");
	p->indent--;
	py_blank(p, 2);
	str_release(&inputs);
	str_release(&names);
}

int torch_model(struct py *p, const struct export_job *job, const char *hash, struct err *e)
{
	struct arena *a = arena_new();
	struct torch_classes *classes = NULL;
	struct py body = { 0 };
	unsigned needs = 0;
	int rc = -1;

	TRY(torch_classes_find(&classes, job->graph, a, e));
	for (int i = 0; i < job->graph->n_nodes; i++)
		needs |= torch_needs(job->graph, i);
	write_docstring(p, job, hash);
	py_text(p, "import json\nimport struct\n");
	py_text(p, job->examples ? "import sys\nfrom pathlib import Path\n\n" : "from pathlib import Path\n\n");
	if (needs & TORCH_AVGPOOL) {
		py_blank(&body, 2);
		py_text(&body, avg_pool_text);
	}
	if (needs & TORCH_RECURRENT) {
		py_blank(&body, 2);
		py_text(&body, recurrent_text);
	}
	torch_classes_write(&body, classes);
	py_text(p, "import torch\n");
	if (strstr(str_get(&body.text), "F."))
		py_text(p, "import torch.nn.functional as F\n");
	py_text(p, "from torch import nn\n\n");
	write_constants(p, job, torch_classes_norm(classes));
	str_add(&p->text, str_get(&body.text));
	py_blank(p, 2);
	if (job->channels && job->graph->n_inputs == 1) {
		py_text(p, normalise_text);
		py_blank(p, 2);
	}
	py_text(p, reader_text);
	if (job->examples) {
		write_check(p, job->graph);
		py_text(p, main_text);
	}
	rc = 0;
out:
	torch_classes_free(classes);
	py_release(&body);
	arena_free(a);
	return rc;
}
