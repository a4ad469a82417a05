/* tests/helper_open.c - see helper_open.h. */
#include "tests/helper_open.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

struct err open_err;

static struct dataset *open_text(const char *text)
{
	struct arena *a = arena_new();
	struct diag diag = { 0 };
	struct dataset_spec spec;
	struct dataset *d = NULL;
	struct json *json = NULL;

	err_clear(&open_err);
	if (json_parse(&json, text, strlen(text), "spec", &open_err) == 0) {
		struct json_in in = { json, &diag, NULL };

		dataset_spec_read(&spec, json, NULL, a, &in);
		if (diag_check(&diag, ERR_INVALID, NULL, &open_err) == 0)
			dataset_open(&d, &spec, &open_err);
	}
	diag_release(&diag);
	json_free(json);
	arena_free(a);
	return d;
}

static struct dataset *open_va(const char *fmt, va_list ap)
{
	struct str text = { 0 };
	struct dataset *d;

	str_vaddf(&text, fmt, ap);
	d = open_text(str_get(&text));
	str_release(&text);
	return d;
}

struct dataset *open_data(const char *fmt, ...)
{
	struct dataset *d;
	va_list ap;

	va_start(ap, fmt);
	d = open_va(fmt, ap);
	va_end(ap);
	if (!d)
		print_message("# %s: %s\n", open_err.where, open_err.msg);
	return d;
}

void expect_invalid(const char *part, const char *fmt, ...)
{
	struct dataset *d;
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	d = open_va(fmt, ap);
	va_end(ap);
	assert_null(d);
	assert_int_equal(open_err.code, ERR_INVALID);
	err_text(&open_err, text, sizeof text);
	if (!strstr(text, part))
		fail_msg("the message \"%s\" does not hold \"%s\"", text, part);
}
