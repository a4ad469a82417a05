/* cli/main.c - finds the command, reads its flags, prints errors, sets the exit status. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/host.h"
#include "base/json.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"
#include "cli/cli.h"

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
	NULL
};

static const struct opt global_flags[] = {
	OPT_STRS(struct cli, set, "key=value: set a key of the configuration file; may be repeated"),
	OPT_BOOL(struct cli, json, 0, "print data as JSON"),
	OPT_BOOL(struct cli, quiet, 0, "no messages but errors"),
	OPT_BOOL(struct cli, verbose, 0, "more messages, and where in the source an error arose"),
	OPT_STR(struct cli, color, "auto", "auto, always or never"),
	OPT_END,
};

/* ---- output --------------------------------------------------------------------------------------------- */

static const struct cli *the_cli; /* for handlers that get no argument */

const char *cli_paint(bool on, const char *code)
{
	return on ? code : "";
}

static void sink(enum log_level level, const char *text)
{
	bool on = the_cli->paint_err && level == LOG_WARN;

	fprintf(stderr, "%s%s%s%s\n", cli_paint(on, "\033[33m"), level == LOG_WARN ? "warning: " : "",
		cli_paint(on, "\033[0m"), text);
}

static void out_of_memory(void)
{
	static const char text[] = "nab: out of memory; what was stored is safe, run the same command to resume\n";
	ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);

	(void)ignored;
	_exit(ERR_RUNTIME);
}

/* Control characters in names must not reach the terminal; but for these. */
static void put_safely(FILE *f, const char *s, const char *except)
{
	for (; *s; s++)
		fputc((unsigned char)*s < 0x20 && !strchr(except, *s) ? '?' : *s, f);
}

int cli_report(const struct cli *c, struct diag *d, const char *file, struct err *e)
{
	bool any = d->errors > 0;

	for (int i = 0; i < d->n; i++) {
		const struct diag_item *it = &d->items[i];
		bool bad = it->level == DIAG_ERROR;

		if (!bad && c->quiet)
			continue;
		fprintf(stderr, "%s%s:%s ", cli_paint(c->paint_err, bad ? "\033[31m" : "\033[33m"),
			bad ? "error" : "warning", cli_paint(c->paint_err, "\033[0m"));
		put_safely(stderr, file, "\n");
		fputs(it->where[0] ? ": " : "", stderr);
		put_safely(stderr, it->where, "\n");
		fputs(": ", stderr);
		put_safely(stderr, it->msg, "\n");
		fputc('\n', stderr);
	}
	diag_release(d);
	if (!any)
		return 0;
	err_clear(e);
	e->code = ERR_INVALID; /* everything is said: no text of its own */
	return -1;
}

void cli_say(const struct cli *c, const struct err *e)
{
	char text[640];

	if (!e->msg[0])
		return;
	fprintf(stderr, "%snab:%s ", cli_paint(c->paint_err, "\033[31m"), cli_paint(c->paint_err, "\033[0m"));
	put_safely(stderr, err_text(e, text, sizeof text), "\n");
	fputc('\n', stderr);
	if (c->verbose && e->src)
		fprintf(stderr, "     (%s:%d)\n", e->src, e->line);
}

void cli_next(const struct cli *c, const char *fmt, ...)
{
	va_list ap;

	if (c->quiet || c->json)
		return;
	fflush(stdout); /* what to do next comes last */
	va_start(ap, fmt);
	fputs("next: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
}

void cli_print(const struct str *t)
{
	put_safely(stdout, str_get(t), "\n\t\033");
}

void cli_print_json(struct json *v)
{
	struct str t = { 0 };

	json_pretty(&t, v);
	str_addc(&t, '\n');
	fputs(str_get(&t), stdout);
	str_release(&t);
	json_free(v);
}

/* ---- documents ------------------------------------------------------------------------------------------ */

/* Files named in flags are relative to the working directory, those in a document to that document. */
static const char *set_value(struct cli *c, const char *key, const char *value)
{
	static const char *const paths[] = { "dataset.dir", "dir", "space" };
	char cwd[4096];

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		if (strcmp(key, paths[i]) == 0 && value[0] && !strchr("/{[\"", value[0]) && getcwd(cwd, sizeof cwd))
			return path_join(c->arena, cwd, value);
	return value;
}

int cli_apply_set(struct cli *c, struct json *doc, struct err *e)
{
	c->set_used = true;
	for (int i = 0; i < c->set.n; i++) {
		const char *eq = strchr(c->set.v[i], '='), *key;

		if (!eq || eq == c->set.v[i])
			return ERR(e, ERR_USAGE, NULL, "--set %s: write key=value", c->set.v[i]);
		key = arena_printf(c->arena, "%.*s", (int)(eq - c->set.v[i]), c->set.v[i]);
		if (json_set_path(doc, key, set_value(c, key, eq + 1), e) < 0) {
			err_within(e, "--set");
			return -1;
		}
	}
	return 0;
}

int cli_load_document(struct cli *c, struct json **out, const char *path, struct err *e)
{
	if (json_load(out, path, e) < 0)
		return -1;
	if (cli_apply_set(c, *out, e) == 0)
		return 0;
	json_free(*out);
	*out = NULL;
	return -1;
}

int cli_load_model(struct cli *c, struct graph **out, const char *path, struct err *e)
{
	struct json *doc = NULL;
	struct diag d = { 0 };
	struct json_in in;
	int rc;

	if (cli_load_document(c, &doc, path, e) < 0)
		return -1;
	in = (struct json_in){ doc, &d, NULL };
	rc = model_read(out, doc, path_dir(c->arena, path), &c->lib, c->arena, &in);
	json_free(doc);
	if (cli_report(c, &d, path, e) < 0)
		return -1;
	if (rc == 0 && !(*out)->name) {
		const char *base = path_base(path), *dot = strrchr(base, '.');

		(*out)->name = arena_printf(c->arena, "%.*s", (int)(dot ? dot - base : (long)strlen(base)), base);
	}
	return rc;
}

/* ---- flags ---------------------------------------------------------------------------------------------- */

static char *dashes(char *s)
{
	for (char *p = s; *p; p++)
		*p = *p == '_' ? '-' : *p;
	return s;
}

static const struct opt *find_flag(const struct opt *opts, const char *flag, size_t n)
{
	for (; opts && opts->name; opts++) {
		size_t i = 0;

		while (i < n && opts->name[i] && (opts->name[i] == '_' ? '-' : opts->name[i]) == flag[i])
			i++;
		if (i == n && !opts->name[i])
			return opts;
	}
	return NULL;
}

void cli_add_text(struct opt_strs *list, const char *text, struct arena *a)
{
	const char **more = ARENA_ARRAY(a, const char *, list->n + 1);

	if (list->n)
		memcpy(more, list->v, (size_t)list->n * sizeof *more);
	more[list->n++] = arena_strdup(a, text);
	list->v = more;
}

struct opt_strs cli_split(const struct opt_strs *given, struct arena *a)
{
	struct opt_strs out = { 0 };

	for (int i = 0; i < given->n; i++) {
		char *copy = arena_strdup(a, given->v[i]), *save = NULL;

		for (char *s = strtok_r(copy, ",", &save); s; s = strtok_r(NULL, ",", &save))
			cli_add_text(&out, s, a);
	}
	return out;
}

static int flag_value(void *cfg, const struct opt *o, const char *text, struct arena *a, struct err *e)
{
	struct json *v = NULL;
	struct diag d = { 0 };
	struct json_in in;
	int rc;

	if (o->type == OPT_T_STRS) {
		cli_add_text((struct opt_strs *)(void *)((char *)cfg + o->offset), text, a);
		return 0;
	}
	if (o->type == OPT_T_STR || o->type == OPT_T_ENUM || json_parse(&v, text, strlen(text), "", NULL) < 0)
		v = json_str(text);
	in = (struct json_in){ v, &d, NULL };
	rc = opt_read_value(cfg, o, v, a, &in);
	if (rc < 0 && d.n) {
		char name[80];

		snprintf(name, sizeof name, "--%s", o->name);
		ERR(e, ERR_USAGE, dashes(name), "%s", d.items[0].msg);
	}
	diag_release(&d);
	json_free(v);
	return rc;
}

static int unknown_flag(const struct command *cmd, const char *flag, struct err *e)
{
	const char *names[192], *near;
	char text[64];
	int n = cmd->own ? cmd->own->names(names, 80) : 0;

	for (const struct opt *o = cmd->flags; o && o->name && n < 180; o++)
		names[n++] = o->name;
	for (const struct opt *o = global_flags; o->name; o++)
		names[n++] = o->name;
	names[n++] = "help";
	snprintf(text, sizeof text, "%.*s", (int)strcspn(flag, "="), flag);
	for (char *s = text; *s; s++)
		*s = *s == '-' ? '_' : *s;
	near = str_nearest(text, names, n);
	if (!near)
		return ERR(e, ERR_USAGE, NULL, "unknown flag --%s (`nab %s --help` lists them)", flag, cmd->name);
	snprintf(text, sizeof text, "%s", near);
	return ERR(e, ERR_USAGE, NULL, "unknown flag --%s (did you mean --%s?)", flag, dashes(text));
}

/* A flag of the command's own. Returns how many words it took, 0 if it is none of them, or -1. */
static int own_flag(struct cli *c, const struct command *cmd, int argc, char **argv, int i, struct err *e)
{
	const char *flag = argv[i] + 2, *eq = strchr(flag, '=');
	char name[64];
	int rc;

	if (!cmd->own)
		return 0;
	snprintf(name, sizeof name, "%.*s", (int)strcspn(flag, "="), flag);
	for (char *s = name; *s; s++)
		*s = *s == '-' ? '_' : *s;
	rc = cmd->own->read(c, name, eq ? eq + 1 : i + 1 < argc ? argv[i + 1] : NULL, e);
	return rc > 0 ? (eq ? 1 : 2) : rc;
}

/* Reads argv[i] (and perhaps argv[i + 1]). Returns how many words it took, or -1. */
static int read_flag(struct cli *c, const struct command *cmd, int argc, char **argv, int i, struct err *e)
{
	const char *flag = argv[i] + 2, *eq = strchr(flag, '=');
	size_t n = eq ? (size_t)(eq - flag) : strlen(flag);
	const struct opt *o = find_flag(cmd->flags, flag, n);
	char *cfg = c->flags;
	int own = own_flag(c, cmd, argc, argv, i, e);

	if (own)
		return own;
	if (!o && (o = find_flag(global_flags, flag, n)))
		cfg = (char *)c;
	if (!o && strncmp(flag, "no-", 3) == 0 && !eq) {
		o = find_flag(cmd->flags, flag + 3, n - 3);
		if (o && o->type == OPT_T_BOOL) {
			*(bool *)(cfg + o->offset) = false;
			return 1;
		}
		o = NULL;
	}
	if (!o)
		return unknown_flag(cmd, flag, e);
	if (o->type == OPT_T_BOOL && !eq) {
		*(bool *)(cfg + o->offset) = true;
		return 1;
	}
	if (!eq && i + 1 >= argc)
		return ERR(e, ERR_USAGE, argv[i], "needs a value: %s", o->help);
	return flag_value(cfg, o, eq ? eq + 1 : argv[i + 1], c->arena, e) < 0 ? -1 : eq ? 1 : 2;
}

/* The few one-letter flags. Returns 1 if argv[i] was one (or was rewritten to a long one), 0 if not. */
static int short_flag(struct cli *c, const struct command *cmd, char **word)
{
	static char output[] = "--output", dry_run[] = "--dry-run";

	if (strcmp(*word, "-v") == 0)
		c->verbose = true;
	else if (strcmp(*word, "-q") == 0)
		c->quiet = true;
	else if (strcmp(*word, "-o") == 0 && find_flag(cmd->flags, "output", 6))
		*word = output;
	else if (strcmp(*word, "-n") == 0 && find_flag(cmd->flags, "dry-run", 7))
		*word = dry_run;
	return (*word)[1] != '-' && (strcmp(*word, "-v") == 0 || strcmp(*word, "-q") == 0);
}

static int read_words(struct cli *c, const struct command *cmd, int argc, char **argv, struct err *e)
{
	bool only_args = false;

	c->args = ARENA_ARRAY(c->arena, const char *, argc + 1);
	for (int i = 0; i < argc;) {
		int used;

		if (!only_args && strcmp(argv[i], "--") == 0) {
			only_args = true;
			i++;
			continue;
		}
		if (only_args || argv[i][0] != '-' || !argv[i][1]) {
			c->args[c->n_args++] = argv[i++];
			continue;
		}
		if (short_flag(c, cmd, &argv[i])) {
			i++;
			continue;
		}
		if (argv[i][1] != '-')
			return ERR(e, ERR_USAGE, NULL, "unknown flag %s (flags are written --name)", argv[i]);
		used = read_flag(c, cmd, argc, argv, i, e);
		if (used < 0)
			return -1;
		i += used;
	}
	if (c->n_args < cmd->min_args || (cmd->max_args >= 0 && c->n_args > cmd->max_args))
		return ERR(e, ERR_USAGE, NULL, "usage: nab %s %s", cmd->name, cmd->usage);
	return 0;
}

/* ---- help ----------------------------------------------------------------------------------------------- */

static void flag_lines(struct str *t, const struct opt *opts)
{
	for (const struct opt *o = opts; o->name; o++) {
		struct opt one[2] = { *o, OPT_END };
		char *name = dashes(mem_strdup(o->name));

		one[0].name = name;
		opt_help(t, one, "--");
		mem_free(name);
	}
}

static void help_command(const struct command *cmd)
{
	struct str t = { 0 };

	str_addf(&t, "nab %s %s\n\n%s\n", cmd->name, cmd->usage, cmd->help);
	if (cmd->more)
		str_addf(&t, "\n%s\n", cmd->more);
	if (cmd->own)
		cmd->own->help(&t);
	if (cmd->flags && cmd->flags->name) {
		str_add(&t, "\nflags:\n");
		flag_lines(&t, cmd->flags);
	}
	str_add(&t, "\nflags of every command:\n");
	flag_lines(&t, global_flags);
	fputs(str_get(&t), stdout);
	str_release(&t);
}

static void help_all(void)
{
	printf("nab " NAB_VERSION " - Neural Architecture Bench: search, train and compare small neural networks\n\n"
	       "usage: nab COMMAND [ARGUMENTS] [--FLAGS]\n\n");
	for (int i = 0; commands[i]; i++)
		if (!commands[i]->hidden)
			printf("  %-12s %s\n", commands[i]->name, commands[i]->help);
	printf(
	    "\n`nab COMMAND --help` tells more.\n"
	    "Exit codes: 0 done; 1 runtime error, resumable; 2 usage; 3 configuration, model, data or store not\n"
	    "acceptable; 4 finished, but runs were lost; 5 nothing feasible; 75 the store is in use; 130 interrupted,\n"
	    "resumable.\n");
}

/* ---- start ---------------------------------------------------------------------------------------------- */

static bool want_color(const char *mode, FILE *f)
{
	const char *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE"), *clicolor = getenv("CLICOLOR"),
		   *term = getenv("TERM");

	if (strcmp(mode, "always") == 0)
		return true;
	if (strcmp(mode, "never") == 0 || (no && no[0]))
		return false;
	if (force && force[0] && strcmp(force, "0"))
		return true;
	if (clicolor && strcmp(clicolor, "0") == 0)
		return false;
	return isatty(fileno(f)) && !(term && strcmp(term, "dumb") == 0);
}

/* configs/ is looked for in $NAB_SHARE, beside the binary, and where `make install` puts it. */
static void find_share(struct cli *c)
{
	char exe[1024];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
	const char *env = getenv("NAB_SHARE"), *dir;
	const char **dirs = ARENA_ARRAY(c->arena, const char *, 1);

	exe[n > 0 ? n : 0] = 0;
	c->program = arena_strdup(c->arena, exe);
	dir = path_dir(c->arena, exe);
	c->share = env && env[0] ? env : dir;
	if (!(env && env[0]) && !file_exists(path_join(c->arena, dir, "configs")))
		c->share = path_join(c->arena, dir, "../share/nab");
	dirs[0] = path_join(c->arena, c->share, "configs/blocks");
	c->lib = (struct block_path){ dirs, 1 };
}

static const struct command *find_command(const char *name, struct err *e)
{
	const char *names[64], *near;
	int n = 0;

	for (; commands[n]; n++) {
		names[n] = commands[n]->name;
		if (strcmp(names[n], name) == 0)
			return commands[n];
	}
	near = str_nearest(name, names, n);
	if (near)
		ERR(e, ERR_USAGE, NULL, "unknown command \"%s\" (did you mean \"%s\"?)", name, near);
	else
		ERR(e, ERR_USAGE, NULL, "unknown command \"%s\" (`nab --help` lists them)", name);
	return NULL;
}

static int run(struct cli *c, int argc, char **argv, struct err *e)
{
	const struct command *cmd = find_command(argv[1], e);

	if (!cmd)
		return -1;
	for (int i = 2; i < argc && strcmp(argv[i], "--"); i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
			help_command(cmd);
			return 0;
		}
	}
	c->flags = arena_alloc(c->arena, cmd->flags_size ? cmd->flags_size : 1);
	if (cmd->flags)
		opt_defaults(c->flags, cmd->flags);
	if (read_words(c, cmd, argc - 2, argv + 2, e) < 0)
		return -1;
	if (strcmp(c->color, "auto") && strcmp(c->color, "always") && strcmp(c->color, "never"))
		return ERR(e, ERR_USAGE, "--color", "must be auto, always or never");
	c->paint_out = want_color(c->color, stdout);
	c->paint_err = want_color(c->color, stderr);
	log_sink(sink, c->quiet ? LOG_WARN : c->verbose ? LOG_EPOCH : LOG_RUN);
	if (cmd->run(c, e) < 0)
		return -1;
	return c->set.n && !c->set_used ? ERR(e, ERR_USAGE, "--set", "nothing was read here that it could change") : 0;
}

int main(int argc, char **argv)
{
	struct cli c = { 0 };
	struct err e = { 0 };
	int status = 0;

	mem_on_oom(out_of_memory);
	if (getenv("NAB_TEST_FAIL_ALLOC")) /* make check-fault */
		mem_fail_at(atol(getenv("NAB_TEST_FAIL_ALLOC")));
	signal(SIGPIPE, SIG_IGN);
	the_cli = &c;
	c.arena = arena_new();
	opt_defaults(&c, global_flags);
	find_share(&c);
	c.paint_err = want_color("auto", stderr);
	if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		help_all();
	else if (strcmp(argv[1], "--version") == 0)
		printf("nab " NAB_VERSION "\n");
	else if (run(&c, argc, argv, &e) < 0) {
		cli_say(&c, &e);
		status = e.code ? (int)e.code : ERR_RUNTIME;
	}
	if (fflush(stdout) != 0 && status == 0)
		status = ERR_RUNTIME;
	arena_free(c.arena);
	return argc < 2 ? ERR_USAGE : status;
}
