/* cli/cmd_schema.c - nab schema: JSON Schemas for editors, and the reference of layers and recipe keys as text. */
#include <string.h>

#include "arch/recipe.h"
#include "base/json.h"
#include "base/str.h"
#include "cli/cli.h"
#include "engine/study.h"
#include "mutate/mutate.h"

static void layers_text(struct str *t)
{
	for (int i = 0; i < LAYER_KIND_COUNT; i++) {
		const struct layer_class *k = layer_classes[i];

		str_addf(t, "%-14s %s [%s, chart symbol %s]\n", k->name, k->help, layer_family_names[k->family],
			 k->symbol);
		opt_help(t, k->opts, "");
	}
}

static void print_schema(struct json *v, const char *title)
{
	json_put(v, "$schema", json_str("http://json-schema.org/draft-07/schema#"));
	json_put(v, "title", json_str(title));
	cli_print_json(v);
}

static int run(struct cli *c, struct err *e)
{
	const char *what = c->args[0];
	struct str t = { 0 };

	if (strcmp(what, "model") == 0)
		cli_print_json(model_schema());
	else if (strcmp(what, "study") == 0 && c->json)
		print_schema(study_schema(), "nab study");
	else if (strcmp(what, "study") == 0)
		study_help(&t);
	else if (strcmp(what, "recipe") == 0 && c->json)
		print_schema(recipe_schema(), "nab recipe");
	else if (strcmp(what, "recipe") == 0)
		recipe_help(&t);
	else if (strcmp(what, "layers") == 0)
		layers_text(&t);
	else if (strcmp(what, "edits") == 0 && c->json)
		cli_print_json(mutate_schema());
	else if (strcmp(what, "edits") == 0)
		mutate_help(&t);
	else
		return ERR(e, ERR_USAGE, NULL, "unknown schema \"%s\": model, layers, study, recipe or edits", what);
	cli_print(&t);
	str_release(&t);
	return 0;
}

const struct command command_schema = {
	.name = "schema",
	.usage = "model|layers|study|recipe|edits",
	.help = "what models, layers, studies, recipes and edits may hold: as text, and as JSON Schema for editors",
	.more = "  nab schema model > model.schema.json    then \"$schema\": \"./model.schema.json\" in a model file\n"
		"  nab schema study                        every key of a study, with bounds and defaults\n"
		"  nab schema study --json                 the same as JSON Schema",
	.min_args = 1,
	.max_args = 1,
	.run = run,
};
