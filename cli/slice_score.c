/* cli/slice_score.c - see slice_score.h. */
#include "cli/slice_score.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/stats.h"
#include "base/str.h"
#include "dataset/dataset.h"

/* The validation examples of one data set, and those of the slice. */
struct part {
	int64_t study, data;
	struct store_truth truth;
	const uint8_t *member;
};

static int find_part(struct part *p, struct store *s, int64_t study, const char *name, struct str *known,
		     struct arena *a, struct err *e)
{
	struct store_study y;
	int found;

	if (p->study == study)
		return 0;
	if (store_study_get(s, study, &y, a, e) < 0)
		return -1;
	p->study = study;
	if (p->data == y.data)
		return 0;
	*p = (struct part){ .study = study, .data = y.data };
	found = store_truth_get(s, y.data, SPLIT_VALIDATION, &p->truth, a, e);
	if (found < 0)
		return -1;
	for (int i = 0; found && i < p->truth.n_slices; i++) {
		if (strcmp(p->truth.slices[i].name, name) == 0)
			p->member = p->truth.slices[i].member;
		if (!strstr(str_get(known), p->truth.slices[i].name))
			str_addf(known, "%s%s", known->len ? ", " : "", p->truth.slices[i].name);
	}
	return 0;
}

static int judge(struct slice_score *out, struct store *s, const struct part *p, int64_t run, struct arena *a,
		 struct err *e)
{
	struct store_evaluation v;
	int64_t right = 0;
	int found = p->member ? store_evaluation_get(s, run, SPLIT_VALIDATION, &v, a, e) : 0;

	*out = (struct slice_score){ 0, (double)NAN, (double)NAN, (double)NAN };
	if (found <= 0 || !v.predicted || v.n != p->truth.n)
		return found < 0 ? -1 : 0;
	for (int64_t i = 0; i < v.n; i++) {
		out->n += p->member[i];
		right += p->member[i] && v.predicted[i] == p->truth.label[i];
	}
	if (out->n) {
		out->accuracy = (double)right / (double)out->n;
		stats_wilson(out->accuracy, out->n, &out->low, &out->high);
	}
	return 0;
}

int slice_scores(struct slice_score *out, struct store *s, const char *name, const struct store_item *items, int n,
		 struct arena *a, struct err *e)
{
	struct part p = { 0 };
	struct str known = { 0 };
	bool any = n == 0;
	int rc = -1;

	for (int i = 0; i < n; i++) {
		TRY(find_part(&p, s, items[i].candidate.study, name, &known, a, e));
		TRY(judge(&out[i], s, &p, items[i].run.id, a, e));
		any = any || p.member;
	}
	rc = any ? 0
		 : ERR(e, ERR_USAGE, "--slice", "no data set of this store has a slice \"%s\"%s%s%s", name,
		       known.len ? " (it has " : "; name slices under \"dataset\": {\"slices\": ...}", str_get(&known),
		       known.len ? ")" : "");
out:
	str_release(&known);
	return rc;
}
