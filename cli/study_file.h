/* cli/study_file.h - studies from files and from flags. */
#ifndef NAB_CLI_STUDY_FILE_H
#define NAB_CLI_STUDY_FILE_H

#include "cli/cli.h"
#include "engine/engine.h"
#include "engine/study.h"

/* Loads a study file with --set applied, and reports what is wrong with it. Everything lives in c->arena. */
int cli_load_study(struct cli *c, const char *path, bool need_space, struct study *y, struct err *e);

/* The same from a document made by the caller; `name` stands in messages, `dir` is what its paths are relative to. */
int cli_read_study(struct cli *c, const struct json *doc, const char *name, const char *dir, bool need_space,
		   struct study *y, struct err *e);

/* Whether the cards that a study asks for can be used at all; if not, says on stderr what `nab doctor` says of them. */
int cli_check_cards(const struct study *y, struct err *e);

/* Prints what a batch came to, and what to run next. */
void cli_outcome(const struct cli *c, const char *store, const struct engine_outcome *o);

#endif
