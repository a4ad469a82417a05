/* cli/edit_words.h - edits of a model written as flags: `nab edit MODEL --widen conv2d_1 --to 32 --remove relu_3`.
 *
 * The name of an operator begins an edit, its value is the layer or block it acts on (or, for insert, the new layers);
 * names of the operator's options that follow belong to it. New layers are JSON, or words: "conv2d:16,3 batchnorm relu"
 * (options in their order, or by name: "conv2d:filters=16,stride=2"). "--set dropout_1.rate=0.3" is short for
 * --set dropout_1 --options rate=0.3.
 */
#ifndef NAB_CLI_EDIT_WORDS_H
#define NAB_CLI_EDIT_WORDS_H

#include "base/err.h"

struct json;
struct mutation;

struct edit_words {
	struct json *list; /* the edits so far; made by the first */
	struct json *last; /* the one that options belong to, in list; NULL: none */
	const struct mutation *op;
};

/* One flag (dashes as underscores). 1: taken; 0: it names neither an operator nor an option of the last one; -1: e. */
int edit_word(struct edit_words *w, const char *flag, const char *value, struct err *e);
/* Appends edits from elsewhere (copied). */
void edit_words_add(struct edit_words *w, const struct json *edits);
void edit_words_release(struct edit_words *w);

#endif
