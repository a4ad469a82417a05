/* arch/design.c - see design.h. */
#include "arch/design.h"

#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arch/model.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

enum { LINE = 1000, IF_DEPTH = 8, TEXT_MAX = 1 << 20, DESIGNS = 200 };

struct writer {
	const struct design *d;
	struct json *vars;
	double width;
	bool keep[IF_DEPTH]; /* of the open conditions, the outermost first; keep[0] is true */
	int open;
	enum task task;
	int classes, line;
	struct str *out;
};

static bool starts(const char *s, const char *head)
{
	return strncmp(s, head, strlen(head)) == 0;
}

/* What follows "//: word " of a line, or NULL. */
static const char *directive(const char *line, const char *word)
{
	size_t n = strlen(word);

	line += strspn(line, " ");
	if (!starts(line, "//: ") || strncmp(line + 4, word, n) || (line[4 + n] && line[4 + n] != ' '))
		return NULL;
	return line + 4 + n + strspn(line + 4 + n, " ");
}

/* The next line of *rest into line[LINE], without its end; false at the end of the text. */
static bool next_line(char *line, const char **rest)
{
	size_t n = strcspn(*rest, "\n");

	if (!**rest)
		return false;
	snprintf(line, LINE, "%.*s", (int)n, *rest);
	*rest += n + ((*rest)[n] == '\n');
	return true;
}

/* ---- the folder ----------------------------------------------------------------------------------------- */

int design_shape(struct shape *s, const char *text, struct err *e)
{
	static const enum tensor_type by_rank[] = { TENSOR_VECTOR, TENSOR_SEQUENCE, TENSOR_IMAGE };
	const char *at = text;
	int n = 0;

	*s = (struct shape){ 0 };
	while (n < SHAPE_DIMS) {
		char *end;
		long v = strtol(at, &end, 10);

		if (end == at || v < 1 || v > SHAPE_DIM_MAX || (*end && *end != ',' && *end != 'x'))
			break;
		s->d[n++] = (int)v;
		if (!*end) {
			s->type = by_rank[n - 1];
			return 0;
		}
		at = end + 1;
	}
	return ERR(e, ERR_USAGE, NULL,
		   "\"%s\" is not a shape: write channels,height,width (1,28,28), channels,steps or features", text);
}

static int read_head(struct design *d, const char *text, struct arena *a, struct err *e)
{
	char line[LINE];
	const char *v;
	int used;

	d->multiple = 1;
	while (next_line(line, &text)) {
		if ((v = directive(line, "help")))
			d->help = arena_strdup(a, v);
		else if ((v = directive(line, "type")))
			d->types = arena_strdup(a, v);
		else if ((v = directive(line, "input")) && design_shape(&d->input, v, e) < 0)
			return -1;
		else if ((v = directive(line, "classes")))
			d->classes = atoi(v);
		else if ((v = directive(line, "multiple")))
			d->multiple = atoi(v);
		else if ((v = directive(line, "default depth")))
			d->depth = atoi(v);
		else if ((v = directive(line, "depth")) &&
			 sscanf(v, "%d %d %n", &d->depth_min, &d->depth_max, &used) == 2)
			d->depth_help = arena_strdup(a, v + used);
	}
	if (!d->help || !d->types || !d->classes || !d->input.d[0] || d->multiple < 1)
		return ERR(e, ERR_INVALID, NULL, "is no design: help, type, input or classes is missing");
	return 0;
}

/* A design for every name of the file. */
static int read_file(struct design *list, int *n, const char *path, struct arena *a, struct err *e)
{
	struct design family = { 0 };
	char line[LINE], *text;
	const char *rest, *v, *depth;

	if (file_read(&text, NULL, path, TEXT_MAX, false, e) < 0)
		return -1;
	rest = family.text = arena_strdup(a, text);
	mem_free(text);
	if (read_head(&family, family.text, a, e) < 0) {
		err_within(e, path);
		return -1;
	}
	while (next_line(line, &rest)) {
		size_t length;

		if (!(v = directive(line, "name")) || *n == DESIGNS)
			continue;
		length = strcspn(v, " ");
		list[*n] = family;
		list[*n].name = arena_printf(a, "%.*s", (int)length, v);
		list[*n].values = arena_strdup(a, v + length);
		depth = strstr(list[*n].values, " depth=");
		if (depth)
			list[*n].depth = atoi(depth + 7);
		++*n;
	}
	return 0;
}

int design_list(struct design **out, int *n, const char *dir, struct arena *a, struct err *e)
{
	char *pattern = path_join(a, dir, "*.json");
	glob_t found;
	int rc = 0;

	*n = 0;
	*out = ARENA_ARRAY(a, struct design, DESIGNS);
	if (glob(pattern, 0, NULL, &found) != 0)
		return ERR(e, ERR_RUNTIME, pattern,
			   "no designs there: set $NAB_SHARE to the folder that holds configs/");
	for (size_t i = 0; rc == 0 && i < found.gl_pathc; i++)
		rc = read_file(*out, n, found.gl_pathv[i], a, e);
	globfree(&found);
	return rc;
}

/* ---- variables ------------------------------------------------------------------------------------------ */

static void put_values(struct json *vars, const char *values)
{
	char name[40], value[80];
	int used;

	for (; sscanf(values, " %39[a-z]=%79[^ ]%n", name, value, &used) == 2; values += used) {
		char *end;
		long v = strtol(value, &end, 10);

		json_put(vars, name, *end ? json_str(value) : json_num((double)v));
	}
}

/* Short where a list of numbers says it all, as people write it. */
static struct json *input_value(const struct shape *s)
{
	struct json *v = model_write_input(s), *dims;

	if (s->open || s->type == TENSOR_TOKENS)
		return v;
	dims = json_copy(json_get(v, "shape"));
	json_free(v);
	return dims;
}

static struct json *variables(const struct design *d, const struct design_use *use, const struct shape *in, int classes)
{
	struct json *vars = json_object();
	bool image = in->type == TENSOR_IMAGE;

	json_put(vars, "name", json_str(d->name));
	json_put(vars, "input", input_value(in));
	json_put(vars, "classes", json_num(classes));
	json_put(vars, "type", json_str(tensor_type_names[in->type]));
	json_put(vars, "open", json_num(in->open));
	json_put(vars, "channels", json_num(in->d[0]));
	json_put(vars, "height", json_num(image ? in->d[1] : 1));
	json_put(vars, "columns", json_num(image ? in->d[2] : 1));
	json_put(vars, "side", json_num(!image ? 1 : in->d[1] < in->d[2] ? in->d[1] : in->d[2]));
	put_values(vars, d->values);
	if (d->depth_max)
		json_put(vars, "depth", json_num(use->depth ? use->depth : d->depth));
	return vars;
}

/* ---- expressions ---------------------------------------------------------------------------------------- */

static int bad_line(const struct writer *w, const char *what, const char *text, struct err *e)
{
	return ERR(e, ERR_INVALID, w->d->name, "line %d of the design: %s: %s", w->line, what, text);
}

/* The value of an expression, a number or a text; caller frees. */
static struct json *eval(const struct writer *w, const char *text, struct err *e)
{
	struct json *source, *v;
	struct diag diag = { 0 };
	struct json_in in;
	struct scope scope = { NULL, w->vars, NULL };
	char *end;
	double plain = strtod(text, &end);

	if (end != text && !*end)
		return json_num(plain);
	source = json_str(text);
	in = (struct json_in){ source, &diag, NULL };
	v = scope_eval(source, &scope, &in);
	if (!v)
		bad_line(w, "does not evaluate", diag.n ? diag.items[0].msg : text, e);
	json_free(source);
	diag_release(&diag);
	return v;
}

static bool holds(const char *op, const struct json *a, const struct json *b)
{
	double x = json_number(a), y = json_number(b);

	if (strcmp(op, " == ") == 0)
		return json_equal(a, b);
	if (strcmp(op, " != ") == 0)
		return !json_equal(a, b);
	return strcmp(op, " >= ") == 0 ? x >= y : strcmp(op, " > ") == 0 ? x > y : x < y;
}

/* 1 true, 0 false, -1 e. */
static int condition(const struct writer *w, const char *text, struct err *e)
{
	static const char *const ops[] = { " >= ", " == ", " != ", " > ", " < " };
	char left[LINE];

	for (size_t i = 0; i < sizeof ops / sizeof *ops; i++) {
		const char *at = strstr(text, ops[i]);
		struct json *a, *b;
		int rc = -1;

		if (!at)
			continue;
		snprintf(left, sizeof left, "%.*s", (int)(at - text), text);
		a = eval(w, left, e);
		b = a ? eval(w, at + strlen(ops[i]), e) : NULL;
		if (b)
			rc = holds(ops[i], a, b);
		json_free(a);
		json_free(b);
		return rc;
	}
	return bad_line(w, "is no condition", text, e);
}

/* n times `by`, to the nearest multiple, but not below nine tenths: _make_divisible of MobileNet's authors. */
static double widened(double n, double by, int multiple)
{
	double v = floor(n * by / multiple + 0.5) * multiple;

	if (by == 1)
		return n;
	if (v < multiple)
		v = multiple;
	return v < 0.9 * n * by ? v + multiple : v;
}

static struct json *place(const struct writer *w, const char *text, struct err *e)
{
	bool wide = starts(text, "wide "), wider = starts(text, "wider ");
	struct json *v = eval(w, wide ? text + 5 : wider ? text + 6 : text, e), *scaled;

	if (!v || (!wide && !wider))
		return v;
	scaled = json_num(widened(json_number(v), wider && w->width < 1 ? 1 : w->width, w->d->multiple));
	json_free(v);
	return scaled;
}

/* ---- text ----------------------------------------------------------------------------------------------- */

/* Writes the value that stands for "{{...}}"; `whole`: it is all of a JSON text, and the quotes go with it. */
static int put_place(struct writer *w, const char *text, bool whole, struct err *e)
{
	struct json *v = place(w, text, e);

	if (!v)
		return -1;
	if (json_string(v))
		str_addf(w->out, "%s%s%s", whole ? "\"" : "", json_string(v), whole ? "\"" : "");
	else
		json_pretty(w->out, v);
	json_free(v);
	return 0;
}

static int put_line(struct writer *w, const char *s, struct err *e)
{
	char text[LINE];

	for (const char *at; (at = strstr(s, "{{"));) {
		const char *end = strstr(at, "}}");
		bool whole = end && at > s && at[-1] == '"' && end[2] == '"';

		if (!end)
			return bad_line(w, "has no end", at, e);
		snprintf(text, sizeof text, "%.*s", (int)(end - at - 2), at + 2);
		str_addn(w->out, s, (size_t)(at - s - whole));
		if (put_place(w, text, whole, e) < 0)
			return -1;
		s = end + 2 + whole;
	}
	str_addf(w->out, "%s\n", s);
	return 0;
}

static void put_outputs(struct writer *w, const char *line)
{
	int indent = (int)strspn(line, " ");

	if (w->task == TASK_CLASSIFY)
		str_addf(w->out, "%*s\"classes\": %d,\n", indent, "", w->classes);
	else
		str_addf(w->out, "%*s\"outputs\": { \"out\": { \"task\": \"%s\", \"classes\": %d } },\n", indent, "",
			 task_names[w->task], w->classes);
}

static int refuse(const struct writer *w, const char *v, struct err *e)
{
	const char *why = strstr(v, " : ");
	char text[LINE];
	int yes;

	if (!why)
		return bad_line(w, "says no reason", v, e);
	snprintf(text, sizeof text, "%.*s", (int)(why - v), v);
	yes = condition(w, text, e);
	if (yes > 0)
		return ERR(e, ERR_INVALID, w->d->name, "%s", why + 3);
	return yes;
}

/* if, else, end. 1: the line was one of them. */
static int branch(struct writer *w, const char *line, struct err *e)
{
	const char *v = directive(line, "if");
	bool outer = w->keep[w->open];
	int yes;

	if (v) {
		if (w->open + 1 == IF_DEPTH)
			return bad_line(w, "is nested too deep", line, e);
		yes = outer ? condition(w, v, e) : 0;
		if (yes < 0)
			return -1;
		w->keep[++w->open] = yes;
		return 1;
	}
	if (!directive(line, "else") && !directive(line, "end"))
		return 0;
	if (!w->open)
		return bad_line(w, "has no if", line, e);
	if (directive(line, "end"))
		w->open--;
	else
		w->keep[w->open] = w->keep[w->open - 1] && !w->keep[w->open];
	return 1;
}

static int put_text(struct writer *w, struct err *e)
{
	const char *rest = w->d->text, *v;
	char line[LINE];

	while (next_line(line, &rest)) {
		int rc;

		w->line++;
		rc = branch(w, line, e);
		if (rc < 0)
			return -1;
		if (rc || !w->keep[w->open])
			continue;
		if ((v = directive(line, "refuse")) && refuse(w, v, e) < 0)
			return -1;
		if (directive(line, "outputs"))
			put_outputs(w, line);
		else if (!starts(line + strspn(line, " "), "//: ") && put_line(w, line, e) < 0)
			return -1;
	}
	return w->open ? bad_line(w, "has no end", "if", e) : 0;
}

/* ---- designs for a target ------------------------------------------------------------------------------- */

static bool has_word(const char *list, const char *word)
{
	const char *at = strstr(list, word);
	size_t n = strlen(word);

	return at && (at == list || at[-1] == ' ') && (!at[n] || at[n] == ' ');
}

static int check_use(const struct design *d, const struct design_use *use, const struct shape *in, struct err *e)
{
	if (!has_word(d->types, tensor_type_names[in->type]))
		return ERR(e, ERR_INVALID, d->name, "reads inputs of type %s, and this is of type %s", d->types,
			   tensor_type_names[in->type]);
	if (use->depth && !d->depth_max)
		return ERR(e, ERR_INVALID, d->name, "its depth is fixed; it has no --depth");
	if (use->depth && (use->depth < d->depth_min || use->depth > d->depth_max))
		return ERR(e, ERR_INVALID, d->name, "--depth must be between %d and %d (%s)", d->depth_min,
			   d->depth_max, d->depth_help);
	return 0;
}

int design_write(struct str *out, const struct design *d, const struct design_use *use, struct err *e)
{
	const struct shape *in = use->input ? use->input : &d->input;
	struct writer w = { .d = d, .width = use->width, .keep = { true }, .task = use->task, .out = out };
	int rc;

	if (check_use(d, use, in, e) < 0)
		return -1;
	w.classes = use->classes ? use->classes : d->classes;
	w.vars = variables(d, use, in, w.classes);
	rc = put_text(&w, e);
	json_free(w.vars);
	return rc;
}
