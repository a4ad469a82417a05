/* report/literature.c - see literature.h. */
#include "report/literature.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"

/* Test error of CIFAR-10 in per cent, parameters and GPU-days, as a lecture on the subject collected them. */
static const char cifar10[] =
    "{\"name\":\"CIFAR-10\",\"source\":\"collected from the papers; test error\",\"rows\":["
    "{\"name\":\"Baker et al. 2017 (MetaQNN)\",\"error\":6.92,\"params\":11180000,\"gpu_days\":100},"
    "{\"name\":\"Zoph & Le 2017 (NAS)\",\"error\":3.65,\"params\":37400000,\"gpu_days\":22400},"
    "{\"name\":\"Real et al. 2017 (large-scale evolution)\",\"error\":5.40,\"params\":5400000,\"gpu_days\":2600},"
    "{\"name\":\"Xie & Yuille 2017 (genetic CNN)\",\"error\":5.39,\"gpu_days\":17},"
    "{\"name\":\"Suganuma et al. 2017 (CGP-CNN)\",\"error\":5.98,\"params\":1700000,\"gpu_days\":14.9},"
    "{\"name\":\"Cai et al. 2018a (EAS)\",\"error\":4.23,\"params\":23400000,\"gpu_days\":10},"
    "{\"name\":\"Cai et al. 2018b (path-level)\",\"error\":2.99,\"params\":5700000,\"gpu_days\":200},"
    "{\"name\":\"Cai et al. 2018b (path-level)\",\"error\":2.49,\"params\":5700000,\"gpu_days\":200,\"note\":\"with "
    "cutout\"},"
    "{\"name\":\"Zhong et al. 2018 (BlockQNN)\",\"error\":3.54,\"params\":39800000,\"gpu_days\":96},"
    "{\"name\":\"Zoph et al. 2018 (NASNet)\",\"error\":3.41,\"params\":3300000,\"gpu_days\":2000},"
    "{\"name\":\"Zoph et al. 2018 (NASNet)\",\"error\":2.65,\"params\":3300000,\"gpu_days\":2000,\"note\":\"with "
    "cutout\"},"
    "{\"name\":\"Liu et al. 2018b (hierarchical evolution)\",\"error\":3.75,\"params\":15700000,\"gpu_days\":300},"
    "{\"name\":\"Elsken et al. 2018 (NASH)\",\"error\":5.2,\"params\":19700000,\"gpu_days\":1},"
    "{\"name\":\"Wistuba 2018\",\"error\":3.57,\"params\":5800000,\"gpu_days\":0.5,\"note\":\"with cutout\"},"
    "{\"name\":\"Real et al. 2019 (AmoebaNet)\",\"error\":3.34,\"params\":3200000,\"gpu_days\":3150}"
    "]}";

static const struct {
	const char *name, *text;
} sets[] = { { "cifar-10", cifar10 } };

const char *const literature_names[] = { "cifar-10", NULL };

static const char *text_of(const struct json *v, const char *key, struct arena *a)
{
	const char *s = json_string(json_get(v, key));

	return s ? arena_strdup(a, s) : NULL;
}

static double number_of(const struct json *v, const char *key)
{
	const struct json *n = json_get(v, key);

	return json_type(n) == JSON_NUMBER ? json_number(n) : (double)NAN;
}

static int read_row(struct literature_row *out, const struct json *v, int i, const char *file, struct arena *a,
		    struct err *e)
{
	static const char *const known[] = { "name", "error", "accuracy", "params", "gpu_days", "note" };
	double error = number_of(v, "error");

	if (json_type(v) != JSON_OBJECT || !json_string(json_get(v, "name")))
		return ERR(e, ERR_INVALID, file, "rows[%d]: must be an object with a \"name\"", i);
	JSON_EACH(m, v) {
		size_t k = 0;

		while (k < sizeof known / sizeof *known && strcmp(known[k], json_key(m)) != 0)
			k++;
		if (k == sizeof known / sizeof *known)
			return ERR(e, ERR_INVALID, file,
				   "rows[%d]: \"%s\" is none of name, error, accuracy, params, gpu_days, note", i,
				   json_key(m));
	}
	*out = (struct literature_row){ .name = text_of(v, "name", a),
					.accuracy = isnan(error) ? number_of(v, "accuracy") : 1 - error / 100,
					.params = number_of(v, "params"),
					.gpu_days = number_of(v, "gpu_days"),
					.note = text_of(v, "note", a) };
	if (!isnan(out->accuracy) && !(out->accuracy >= 0 && out->accuracy <= 1))
		return ERR(e, ERR_INVALID, file, "rows[%d]: \"error\" is in per cent, \"accuracy\" a share of 1", i);
	return 0;
}

static int read_json(struct literature *out, const struct json *v, const char *file, struct arena *a, struct err *e)
{
	const struct json *rows = json_get(v, "rows");

	if (json_type(rows) != JSON_ARRAY)
		return ERR(e, ERR_INVALID, file, "must be an object with a list \"rows\"");
	out->name = text_of(v, "name", a);
	out->source = text_of(v, "source", a);
	out->rows = ARENA_ARRAY(a, struct literature_row, json_count(rows) + 1);
	JSON_EACH(row, rows) {
		if (read_row(&out->rows[out->n], row, out->n, file, a, e) < 0)
			return -1;
		out->n++;
	}
	return 0;
}

int literature_read(struct literature *out, const char *what, struct arena *a, struct err *e)
{
	struct json *v = NULL;
	int rc = -1;

	*out = (struct literature){ 0 };
	for (size_t i = 0; i < sizeof sets / sizeof *sets && !v; i++)
		if (strcmp(sets[i].name, what) == 0)
			TRY(json_parse(&v, sets[i].text, strlen(sets[i].text), what, e));
	if (!v)
		TRY(json_load(&v, what, e));
	rc = read_json(out, v, what, a, e);
out:
	json_free(v);
	return rc;
}
