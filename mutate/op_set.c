/* mutate/op_set.c - {"set": "dropout_1", "options": {"rate": 0.3}}: options of a layer. Its readers follow. */
#include "base/json.h"
#include "base/opt.h"
#include "mutate/draft.h"

struct cfg {
	const struct json *options;
};

static const struct opt opts[] = {
	OPT_JSON(struct cfg, options, "the layer's options and their new values: {\"rate\": 0.3}"),
	OPT_END,
};

static int apply(struct draft *d, struct place at, const struct json *value, const void *cfg, struct err *e)
{
	const struct json *options = ((const struct cfg *)cfg)->options;
	int rc = 1;

	(void)value;
	if (json_type(options) != JSON_OBJECT || !json_count(options))
		return ERR(e, ERR_INVALID, "set", "needs \"options\", such as {\"rate\": 0.3}");
	JSON_EACH(v, options) {
		rc = draft_set_option(d, at.node, json_key(v), v, e);
		if (rc <= 0)
			return rc;
	}
	return rc;
}

const struct mutation mutation_set = {
	.name = "set",
	.help = "give options of a layer other values",
	.at = MUTATE_LAYER,
	.opts = opts,
	.cfg_size = sizeof(struct cfg),
	.apply = apply,
};
