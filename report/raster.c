/* report/raster.c - the canvas as PNG, by rsvg-convert of librsvg. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
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

/* What rsvg-convert wrote, under its name. */
static int keep(const char *path, FILE *png, struct err *e)
{
	struct stat s;
	char *data;
	int rc = -1;

	if (fstat(fileno(png), &s))
		return ERR(e, ERR_RUNTIME, path, "cannot be read back: %s", strerror(errno));
	data = mem_new((size_t)s.st_size + 1);
	rewind(png);
	if (fread(data, 1, (size_t)s.st_size, png) == (size_t)s.st_size)
		rc = file_write(path, data, (size_t)s.st_size, e);
	else
		ERR(e, ERR_RUNTIME, path, "cannot be read back: %s", strerror(errno));
	mem_free(data);
	return rc;
}

int canvas_png(const struct canvas *c, const char *path, double scale, bool dark, struct err *e)
{
	FILE *svg = svg_file(c, dark), *png = tmpfile();
	int rc = -1;

	if (!svg || !png) {
		ERR(e, ERR_RUNTIME, path, "no room for a temporary file: %s", strerror(errno));
		goto out;
	}
	TRY(convert(svg, path, fileno(png), scale, e));
	TRY(keep(path, png, e));
	rc = 0;
out:
	if (svg)
		fclose(svg);
	if (png)
		fclose(png);
	return rc;
}
