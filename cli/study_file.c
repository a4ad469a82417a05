/* cli/study_file.c - see study_file.h. */
#include "cli/study_file.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/backend_cuda_load.h"

int cli_read_study(struct cli *c, const struct json *doc, const char *name, const char *dir, bool need_space,
		   struct study *y, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	int rc;

	rc = study_read(y, doc, dir, &c->lib, need_space, c->arena, &in);
	if (cli_report(c, &d, name, e) < 0)
		return -1;
	return rc;
}

int cli_load_study(struct cli *c, const char *path, bool need_space, struct study *y, struct err *e)
{
	struct json *doc;
	int rc;

	if (cli_load_document(c, &doc, path, e) < 0)
		return -1;
	rc = cli_read_study(c, doc, path, path_dir(c->arena, path), need_space, y, e);
	json_free(doc);
	return rc;
}

/* The card that a study would begin with; NULL: it needs none. */
static const char *first_card(const struct study *y)
{
	for (int i = 0; i < y->devices.n; i++)
		if (study_device_kind(y->devices.v[i]) == DEVICE_CUDA)
			return y->devices.v[i];
	return study_kind(y) == DEVICE_CUDA && y->devices.n == 0 ? "cuda:0" : NULL;
}

int cli_check_cards(const struct study *y, struct err *e)
{
	const char *card = first_card(y);
	struct cuda_found *found;
	struct err missing = { 0 };
	int rc = 0;

	if (!card)
		return 0;
	found = mem_new(sizeof *found);
	if (cuda_find(found, &missing) < 0) {
		for (int i = 0; i < found->n_parts; i++)
			fprintf(stderr, "  %-14s %-8s %s\n", found->part[i].name, found->part[i].ok ? "ok" : "missing",
				found->part[i].text);
		rc = ERR(e, ERR_RUNTIME, card,
			 "there is no such device here: see above what is missing; `nab doctor` lists what works");
	}
	mem_free(found);
	return rc;
}
