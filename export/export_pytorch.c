/* export/export_pytorch.c - a model as PyTorch code that needs nothing but torch:
 *
 *	model.py             the network, a class per distinct block; `python3 model.py --check`
 *	weights.safetensors  its parameters and statistics, by the names of the model's layers
 *	check.safetensors    inputs and the logits that they gave here
 *	train.py             the recipe as code, if there is one
 *	model.json           the model in nab's own form
 */
#include <assert.h>
#include <string.h>

#include "arch/model.h"
#include "arch/safetensors.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "export/torch.h"

static int write_text(const struct export_job *job, const char *name, const struct str *text, struct arena *a,
		      struct err *e)
{
	return file_write(path_join(a, job->dir, name), str_get(text), text->len, e);
}

/* Texts for the files' metadata: where they come from. */
static struct json *metadata(const struct export_job *job, const char *hash)
{
	struct json *meta = json_object();

	json_put(meta, "model", json_str(hash));
	JSON_EACH(v, job->provenance) {
		if (json_string(v))
			json_put(meta, json_key(v), json_str(json_string(v)));
	}
	return meta;
}

static void input_tensor(struct safetensor *t, const struct export_job *job, int k, struct arena *a)
{
	const struct graph_input *in = &job->graph->inputs[k];

	t->name = arena_printf(a, "input.%s", in->name);
	t->rank = 1 + shape_rank(&in->shape);
	t->d[0] = job->examples;
	for (int i = 1; i < t->rank; i++)
		t->d[i] = in->shape.d[i - 1];
	t->data = ARENA_ARRAY(a, float, safetensor_count(t));
	memcpy(t->data, job->input[k], (size_t)safetensor_count(t) * sizeof(float));
}

static void output_tensor(struct safetensor *t, const struct export_job *job, int k, struct arena *a)
{
	const struct graph_output *out = &job->graph->outputs[k];

	t->name = arena_printf(a, "output.%s", out->name);
	t->rank = 2;
	t->d[0] = job->examples;
	t->d[1] = out->classes;
	t->data = ARENA_ARRAY(a, float, safetensor_count(t));
	memcpy(t->data, job->logits[k], (size_t)safetensor_count(t) * sizeof(float));
}

static int write_check(const struct export_job *job, const struct json *meta, struct arena *a, struct err *e)
{
	int n = job->graph->n_inputs + job->graph->n_outputs;
	struct safetensor *t = ARENA_ARRAY(a, struct safetensor, n);

	for (int k = 0; k < job->graph->n_inputs; k++)
		input_tensor(&t[k], job, k, a);
	for (int k = 0; k < job->graph->n_outputs; k++)
		output_tensor(&t[job->graph->n_inputs + k], job, k, a);
	return safetensors_save(path_join(a, job->dir, "check.safetensors"), t, n, meta, e);
}

/* The code first: what cannot be exported is refused before anything is written. */
static int run(const struct export_job *job, struct err *e)
{
	struct arena *a = arena_new();
	struct py model = { 0 }, train = { 0 };
	struct str json = { 0 };
	struct json *meta;
	char hash[HASH_TEXT];
	int rc = -1;

	hash_text(hash, graph_digest(job->graph));
	meta = metadata(job, hash);
	TRY(torch_model(&model, job, hash, e));
	if (job->recipe)
		TRY(torch_train(&train, job, e));
	model_print(&json, job->graph);
	TRY(file_mkdirs(job->dir, e));
	TRY(write_text(job, "model.py", &model.text, a, e));
	TRY(write_text(job, "model.json", &json, a, e));
	if (job->recipe)
		TRY(write_text(job, "train.py", &train.text, a, e));
	TRY(weights_save(job->weights, path_join(a, job->dir, "weights.safetensors"), meta, e));
	if (job->examples)
		TRY(write_check(job, meta, a, e));
	rc = 0;
out:
	py_release(&model);
	py_release(&train);
	str_release(&json);
	json_free(meta);
	arena_free(a);
	return rc;
}

const struct exporter exporter_pytorch = {
	.name = "pytorch",
	.help =
	    "readable PyTorch code, its weights (safetensors), the training recipe as code, and a check of the logits",
	.run = run,
};
