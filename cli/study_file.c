/* cli/study_file.c - see study_file.h. */
#include "cli/study_file.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "train/backend.h"

/* A study for a device that this build cannot drive is not wrong: it belongs on another machine. */
static int check_device(const struct json *doc, struct err *e)
{
	const char *backend = json_string(json_get(doc, "backend"));

	if (backend && strcmp(backend, "cuda") == 0 && !backend_find(backend))
		return ERR(e, ERR_RUNTIME, "backend cuda",
			   "there is no such device here: this nab drives none (`nab doctor` lists what works)");
	JSON_EACH(d, json_get(doc, "devices"))
		if (json_string(d) && strncmp(json_string(d), "cuda:", 5) == 0 && !backend_find("cuda"))
			return ERR(
			    e, ERR_RUNTIME, json_string(d),
			    "there is no such device here: this nab drives none (`nab doctor` lists what works)");
	return 0;
}

int cli_read_study(struct cli *c, const struct json *doc, const char *name, const char *dir, bool need_space,
		   struct study *y, struct err *e)
{
	struct diag d = { 0 };
	struct json_in in = { doc, &d, NULL };
	int rc;

	if (check_device(doc, e) < 0)
		return -1;
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
