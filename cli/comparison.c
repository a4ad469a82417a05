/* cli/comparison.c - see comparison.h. */
#include "cli/comparison.h"

#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/json.h"
#include "base/str.h"
#include "report/escape.h"

int cli_width(void)
{
	const char *env = getenv("COLUMNS");
	struct winsize w;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20)
		return w.ws_col;
	return env && atoi(env) > 20 ? atoi(env) : 0;
}

struct json *cli_comparison_json(const struct comparison *m, struct arena *a)
{
	struct json *out = table_json(compare_table(m, a));

	json_put(out, "title", m->title ? json_str(m->title) : json_null());
	json_put(out, "split", json_str(m->split));
	json_put(out, "primary", json_str(m->primary));
	json_put(out, "examples", json_num((double)m->n_examples));
	return out;
}

void cli_render_comparison(struct str *out, const struct cli *c, const struct comparison *m, enum table_format format,
			   bool file)
{
	if (format == TABLE_TEXT && m->title) {
		escape_plain(out, m->title);
		str_add(out, "\n\n");
	}
	table_print(out, compare_table(m, c->arena), format, file ? 0 : cli_width(), !file && c->paint_out);
}

static void render(struct str *out, const struct cli *c, const struct comparison *m, enum table_format format,
		   bool file)
{
	struct json *j;

	if (format != TABLE_JSON) {
		cli_render_comparison(out, c, m, format, file);
		return;
	}
	j = cli_comparison_json(m, c->arena);
	json_pretty(out, j);
	str_addc(out, '\n');
	json_free(j);
}

int cli_print_comparison(struct cli *c, const struct comparison *m, enum table_format format, const char *output,
			 struct err *e)
{
	struct str text = { 0 };
	int rc = 0;

	render(&text, c, m, c->json ? TABLE_JSON : format, output != NULL);
	if (output)
		rc = file_write(output, str_get(&text), text.len, e);
	else
		fputs(str_get(&text), stdout); /* texts of others were escaped where they were put in */
	str_release(&text);
	return rc;
}
