/* arch/schema.c - the JSON Schema (draft-07) of models, from the tables that validate them. */
#include <string.h>

#include "arch/kinds.h"
#include "arch/model.h"
#include "base/json.h"

static struct json *typed(const char *type, const char *description)
{
	struct json *s = json_object();

	json_put(s, "type", json_str(type));
	if (description)
		json_put(s, "description", json_str(description));
	return s;
}

/* An option may also be an expression over a block's parameters: "$filters/4". */
static void allow_expressions(struct json *schema)
{
	struct json *props = json_mutable(schema, "properties"), *loose = json_object();

	JSON_EACH(p, props) {
		struct json *v = json_object(), *any = json_put(v, "anyOf", json_array()), *text;

		json_push(any, json_copy(p));
		text = json_push(any, typed("string", NULL));
		json_put(text, "pattern", json_str("\\$"));
		if (json_get(p, "description"))
			json_put(v, "description", json_copy(json_get(p, "description")));
		json_put(loose, json_key(p), v);
	}
	json_put(schema, "properties", loose);
}

static struct json *any_of(struct json *a, struct json *b)
{
	struct json *s = json_object(), *list = json_put(s, "anyOf", json_array());

	json_push(list, a);
	json_push(list, b);
	return s;
}

static struct json *reference(const char *to)
{
	struct json *s = json_object();

	json_put(s, "$ref", json_str(to));
	return s;
}

static struct json *layer_schema(void)
{
	struct json *s = typed("object", NULL), *props = json_put(s, "properties", json_object()), *texts;

	for (int i = 0; i < LAYER_KIND_COUNT; i++) {
		const struct layer_class *k = layer_classes[i];
		struct json *extra = NULL, *options;

		if (i == LAYER_add) {
			extra = json_object();
			json_put(extra, "project",
				 typed("boolean", "project operands of another shape by a 1x1 "
						  "convolution and a batch norm"));
		}
		if (i == LAYER_choice) {
			options = typed("array", k->help);
			json_free(extra);
		} else {
			options = opt_schema(k->opts, extra);
			json_drop(options, "required"); /* a repeat's "first" may give them */
			allow_expressions(options);
			json_put(options, "description", json_str(k->help));
			options = any_of(options, typed("null", NULL));
		}
		json_put(props, k->name, options);
	}
	json_put(props, "id", typed("string", "name of the layer, unique in its block"));
	texts = typed("array", NULL);
	json_put(texts, "items", typed("string", NULL));
	json_put(props, "from", any_of(typed("string", "what it reads: an id, id:port, prev or in"), texts));
	json_put(props, "repeat",
		 any_of(typed("integer", "number of copies, one after the other"), typed("string", NULL)));
	json_put(props, "first", typed("object", "options of the first copy"));
	json_put(props, "share", typed("string", "an earlier layer whose parameters are used"));
	json_put(props, "frozen", typed("boolean", "do not train its parameters"));
	json_put(props, "device", typed("string", "placement hint"));
	return any_of(typed("string", "a layer or block with its defaults"), s);
}

struct json *model_schema(void)
{
	struct json *s = typed("object", NULL), *props, *defs, *list, *block, *bp;

	json_put(s, "$schema", json_str("http://json-schema.org/draft-07/schema#"));
	json_put(s, "title", json_str("nab model"));
	props = json_put(s, "properties", json_object());
	json_put(props, "$schema", typed("string", NULL));
	json_put(props, "name", typed("string", NULL));
	json_put(props, "note", typed("string", NULL));
	json_put(props, "input",
		 any_of(typed("array", "[channels, height, width], [channels, steps] or [features]"),
			typed("object", NULL)));
	json_put(props, "inputs", typed("object", "inputs by name"));
	json_put(props, "classes", typed("integer", "width of the logits"));
	json_put(props, "outputs", typed("object", "outputs by name: task, classes, from"));
	list = typed("array", NULL);
	json_put(list, "items", typed("string", NULL));
	json_put(props, "use", any_of(typed("string", "a file of block definitions"), list));
	json_put(props, "sources", typed("object", "parameterised definitions kept in a canonical model"));
	block = typed("object", "block definitions by name");
	json_put(block, "additionalProperties", reference("#/definitions/block"));
	json_put(props, "blocks", block);
	list = json_put(props, "layers", typed("array", NULL));
	json_put(list, "items", reference("#/definitions/layer"));
	json_put(s, "additionalProperties", json_bool(false));
	defs = json_put(s, "definitions", json_object());
	json_put(defs, "layer", layer_schema());
	block = json_put(defs, "block", typed("object", NULL));
	bp = json_put(block, "properties", json_object());
	json_put(bp, "with", typed("object", "parameters and their defaults; null: must be given"));
	json_put(bp, "inputs", typed("array", "names of the inputs; in"));
	list = json_put(bp, "layers", typed("array", NULL));
	json_put(list, "items", reference("#/definitions/layer"));
	json_put(bp, "out", json_object());
	json_put(bp, "of", typed("string", NULL));
	json_put(bp, "args", typed("object", NULL));
	json_put(bp, "note", typed("string", NULL));
	json_put(block, "additionalProperties", json_bool(false));
	json_push(json_put(block, "required", json_array()), json_str("layers"));
	json_push(json_put(s, "required", json_array()), json_str("layers"));
	return s;
}
