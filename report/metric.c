/* report/metric.c - see metric.h. */
#include "report/metric.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "store/store.h"

static const struct metric accuracy = { "accuracy", " %", "accuracy, %", " points", 100, 2, true };
static const struct metric determination = { "R2", "", "R2", "", 1, 3, false };

const struct metric *metric_of_task(enum task task)
{
	return task == TASK_REGRESS ? &determination : &accuracy;
}

const struct metric *metric_of_info(const char *info)
{
	const struct metric *m = &accuracy;
	struct json *doc = NULL;
	const char *task;

	if (!info || json_parse(&doc, info, strlen(info), "info", NULL) < 0)
		return m;
	task = json_string(json_get(doc, "task"));
	if (task && strcmp(task, task_names[TASK_REGRESS]) == 0)
		m = &determination;
	json_free(doc);
	return m;
}

/* Nothing reads -0.00, and what diverged stays short. */
static char *format(char buf[METRIC_TEXT], const struct metric *m, double v, const char *sign)
{
	double x = fabs(m->scale * v) < 0.5 * pow(10, -m->digits) ? 0 : m->scale * v;

	if (isnan(v))
		buf[0] = 0;
	else if (fabs(x) < 1e9)
		snprintf(buf, METRIC_TEXT, *sign ? "%+.*f" : "%.*f", m->digits, x);
	else
		snprintf(buf, METRIC_TEXT, *sign ? "%+.3g" : "%.3g", x);
	return buf;
}

char *metric_number(char buf[METRIC_TEXT], const struct metric *m, double v)
{
	return format(buf, m, v, "");
}

char *metric_text(char buf[METRIC_TEXT], const struct metric *m, double v)
{
	format(buf, m, v, "");
	if (buf[0])
		strcat(buf, m->unit);
	return buf;
}

char *metric_change(char buf[METRIC_TEXT], const struct metric *m, double v)
{
	return format(buf, m, v, "+");
}

static char *interval(char buf[METRIC_INTERVAL], const struct metric *m, double low, double high, const char *sign)
{
	char from[METRIC_TEXT], to[METRIC_TEXT];

	buf[0] = 0;
	if (!isnan(low) && !isnan(high))
		snprintf(buf, METRIC_INTERVAL, "[%s, %s]", format(from, m, low, sign), format(to, m, high, sign));
	return buf;
}

char *metric_interval(char buf[METRIC_INTERVAL], const struct metric *m, double low, double high)
{
	return interval(buf, m, low, high, "");
}

char *metric_change_interval(char buf[METRIC_INTERVAL], const struct metric *m, double low, double high)
{
	return interval(buf, m, low, high, "+");
}

/* ---- of studies ----------------------------------------------------------------------------------------- */

int metrics_read(struct metrics *out, struct store *s, struct arena *a, struct err *e)
{
	struct store_study *y;

	if (store_studies(s, &y, &out->n, a, e) < 0)
		return -1;
	out->of = ARENA_ARRAY(a, struct metric_study, out->n + 1);
	for (int i = 0; i < out->n; i++) {
		struct store_data d = { 0 };

		if (y[i].data && store_data_get(s, y[i].data, &d, a, e) < 0)
			return -1;
		out->of[i] = (struct metric_study){ y[i].id, metric_of_info(d.info) };
	}
	return 0;
}

const struct metric *metric_of_study(const struct metrics *m, int64_t study)
{
	for (int i = 0; i < m->n; i++)
		if (m->of[i].study == study)
			return m->of[i].metric;
	return &accuracy;
}
