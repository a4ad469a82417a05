/* export/python.h - writing Python: indented lines that break where they are too long, as the formatter Black breaks
 * them, and names that are allowed.
 */
#ifndef NAB_EXPORT_PYTHON_H
#define NAB_EXPORT_PYTHON_H

#include <stdbool.h>

#include "base/str.h"

enum { PY_WIDTH = 88 };

struct py {
	struct str text;
	int indent; /* in levels of 4 blanks */
};

void py_release(struct py *p);

/* One logical line at the current indent, with an optional comment behind it (NULL: none). If it is too long, what
 * stands in its last brackets goes on a line of its own, or on one line per element with a trailing comma. */
void py_line(struct py *p, const char *comment, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void py_blank(struct py *p, int lines);

/* Lines as they are, each at the current indent; "\n" ends a line. */
void py_text(struct py *p, const char *text);

/* Whether Python takes `word` as a name (an identifier and no keyword). */
bool py_is_name(const char *word);

/* `word` made an allowed name: other characters as '_', a '_' before a digit and after a keyword. */
void py_name(struct str *out, const char *word);

/* "conv_bn_act" -> "ConvBnAct". */
void py_class_name(struct str *out, const char *word);

/* Free text for a docstring or comment: one line, no triple quotes, backslashes doubled. */
void py_prose(struct str *out, const char *text);

/* A Python literal: "1e-05" stays, 3 becomes 3.0. Into buf of at least 40 bytes. */
char *py_real(char *buf, double v);

#endif
