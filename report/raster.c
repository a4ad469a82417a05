/* report/raster.c - the canvas as PNG, by rsvg-convert of librsvg. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "report/canvas.h"
#include "report/spawn.h"

/* The SVG as an open file without a name, at its start. */
static FILE *svg_file(const struct canvas *c, bool dark)
{
	struct str svg = { 0 };
	FILE *f = tmpfile();

	canvas_svg(&svg, c, &(struct svg_opts){ .theme = dark ? SVG_DARK : SVG_LIGHT, .paper = true });
	if (f && (fwrite(svg.s, 1, svg.len, f) != svg.len || fflush(f) || lseek(fileno(f), 0, SEEK_SET))) {
		fclose(f);
		f = NULL;
	}
	str_release(&svg);
	return f;
}

static int convert(FILE *svg, const char *path, int out, double scale, struct err *e)
{
	char zoom[32];
	const char *argv[] = { "rsvg-convert", "--unlimited", "--format=png", zoom, NULL };
	int rc;

	snprintf(zoom, sizeof zoom, "--zoom=%.4g", scale > 0 ? scale : 1);
	rc = spawn_run(argv, NULL, fileno(svg), out);
	if (rc < 0 && errno == ENOENT)
		return ERR(
		    e, ERR_RUNTIME, path,
		    "rsvg-convert is not installed, and PNG needs it (package librsvg2-bin); SVG and PDF do not");
	if (rc < 0)
		return ERR(e, ERR_RUNTIME, path, "rsvg-convert could not be started: %s", strerror(errno));
	if (rc > 0)
		return ERR(e, ERR_RUNTIME, path,
			   "rsvg-convert ended with status %d: perhaps the picture is too large; try a smaller scale, "
			   "or SVG or PDF",
			   rc);
	return 0;
}

int canvas_png(const struct canvas *c, const char *path, double scale, bool dark, struct err *e)
{
	struct str part = { 0 };
	FILE *svg = svg_file(c, dark);
	int rc = -1, out = -1;

	str_addf(&part, "%s.tmp", path);
	if (!svg) {
		ERR(e, ERR_RUNTIME, path, "no room for a temporary file: %s", strerror(errno));
		goto out;
	}
	out = open(part.s, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (out < 0) {
		ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno));
		goto out;
	}
	TRY(convert(svg, path, out, scale, e));
	if (close(out) || rename(part.s, path)) {
		out = -1;
		ERR(e, ERR_RUNTIME, path, "cannot be written: %s", strerror(errno));
		goto out;
	}
	out = -1;
	rc = 0;
out:
	if (out >= 0)
		close(out);
	if (rc < 0)
		unlink(part.s);
	if (svg)
		fclose(svg);
	str_release(&part);
	return rc;
}
