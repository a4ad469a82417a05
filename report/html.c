/* report/html.c - the shell of the page, and what its views share. See html.h. */
#include "report/html.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "base/str.h"
#include "report/assets.h"
#include "report/canvas.h"
#include "report/escape.h"
#include "report/gather.h"
#include "report/metric.h"
#include "report/page.h"

#define DASH "\xe2\x80\x93"

#define VIEW(n) &view_##n,
const struct page_view *const page_views[] = {
#include "report/views.def"
	NULL
};
#undef VIEW

/* ---- shared parts --------------------------------------------------------------------------------------- */

void html_text(struct str *out, const char *s)
{
	escape_xml(out, s);
}

void html_canvas(struct str *out, const struct canvas *c, const char *label)
{
	canvas_svg(out, c, &(struct svg_opts){ .theme = SVG_INLINE, .label = label });
}

void html_json(struct str *out, const char *json)
{
	struct json *v = NULL;
	struct str text = { 0 };

	str_add(out, "<pre>");
	if (json && json_parse(&v, json, strlen(json), "", NULL) == 0)
		json_pretty(&text, v);
	else
		str_add(&text, json ? json : "");
	html_text(out, str_get(&text));
	str_add(out, "</pre>");
	json_free(v);
	str_release(&text);
}

void html_number(struct str *out, double v)
{
	if (!isfinite(v))
		str_add(out, "null");
	else if (v == trunc(v) && fabs(v) < 1e15)
		str_whole(out, (int64_t)v);
	else
		str_addf(out, "%.7g", v);
}

void html_percent(struct str *out, double share)
{
	if (!isnan(share))
		str_addf(out, "%.2f", 100 * share);
}

void html_metric(struct str *out, const struct metric *m, double v)
{
	char buf[METRIC_TEXT];

	str_add(out, metric_number(buf, m, v));
}

void html_metric_range(struct str *out, const struct metric *m, double low, double high)
{
	if (isnan(low))
		return;
	html_metric(out, m, low);
	str_add(out, "\xe2\x80\x93");
	html_metric(out, m, high);
}

void html_seconds(struct str *out, double s)
{
	long t = lround(s);

	if (isnan(s))
		str_add(out, DASH);
	else if (s < 100)
		str_addf(out, "%.1f s", s);
	else if (t < 3600)
		str_addf(out, "%ld min %ld s", t / 60, t % 60);
	else
		str_addf(out, "%ld h %ld min", t / 3600, t / 60 % 60);
}

void html_tile(struct str *out, const char *key, const char *value, const char *detail)
{
	str_add(out, "<div class=\"tile card\"><div class=\"k\">");
	html_text(out, key);
	str_add(out, "</div><div class=\"v\">");
	html_text(out, value);
	str_add(out, "</div><div class=\"d\">");
	html_text(out, detail);
	str_add(out, "</div></div>");
}
void html_bold(struct str *out, const char *s)
{
	str_add(out, "<b>");
	html_text(out, s);
	str_add(out, "</b>");
}

/* ---- page ----------------------------------------------------------------------------------------------- */

static void assets(struct str *out, const char *const *parts)
{
	for (; *parts; parts++)
		str_add(out, *parts);
}

static void head(struct str *out, const struct report *r, const struct str *style, const struct str *script)
{
	char css[SHA256_BASE64], js[SHA256_BASE64];

	sha256_base64(css, style->s, style->len);
	sha256_base64(js, script->s, script->len);
	str_add(out, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
	str_addf(out,
		 "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-%s'; "
		 "script-src 'sha256-%s' 'wasm-unsafe-eval'; img-src data:; base-uri 'none'; form-action 'none'\">\n",
		 css, js);
	str_add(out,
		"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" "
		"content=\"no-referrer\">\n<title>");
	html_text(out, r->studies[0].name);
	str_addf(out, " \xc2\xb7 nab report</title>\n<style>%s</style>\n</head>\n<body>\n", str_get(style));
}

/* A view's section, and its place in the navigation. */
static void section(struct str *body, struct str *nav, const struct page_view *v, const struct page *p)
{
	struct str content = { 0 };

	if (v->html)
		v->html(&content, p);
	if (v->html && !content.len)
		return;
	if (v->title)
		str_addf(nav, "<a href=\"#%s\"%s>%s</a>", v->id, v->html ? "" : " class=\"js-only\" hidden", v->title);
	str_addf(body, "<section id=\"%s\"%s>", v->id, v->html ? "" : " class=\"js-only\" hidden");
	if (v->title)
		str_addf(body, "<h2>%s</h2>", v->title);
	str_add(body, str_get(&content));
	str_add(body, "</section>\n");
	str_release(&content);
}

static void data(struct str *out, const struct page *p)
{
	str_add(out, "<script type=\"application/json\" id=\"data\">{");
	html_rows(out, p);
	str_add(out, ",\n");
	html_chips(out, p);
	for (int i = 0; page_views[i]; i++)
		if (page_views[i]->data) {
			str_addf(out, ",\n\"%s\":", page_views[i]->id);
			page_views[i]->data(out, p);
		}
	str_add(out, "}</script>\n");
}

void html_page(struct str *out, const struct page *p)
{
	struct str style = { 0 }, script = { 0 }, body = { 0 }, nav = { 0 };

	canvas_css(&style);
	assets(&style, page_styles);
	assets(&script, page_scripts);
	head(out, p->r, &style, &script);
	for (int i = 0; page_views[i]; i++)
		section(&body, &nav, page_views[i], p);
	str_addf(out,
		 "<a class=\"skip\" href=\"#main\">to the content</a><nav class=\"top\" "
		 "aria-label=\"sections\"><div><b>nab</b>%s<span class=\"space\"></span><button id=\"theme\" "
		 "class=\"js-only\" hidden>light / dark</button></div></nav>\n<main id=\"main\">\n",
		 str_get(&nav));
	str_add(out, str_get(&body));
	str_add(out, "<footer>Made by nab, Neural Architecture Bench. This file needs no network and sends nothing."
		     "</footer>\n</main>\n");
	data(out, p);
	str_addf(out, "<script>%s</script>\n</body>\n</html>\n", str_get(&script));
	str_release(&style);
	str_release(&script);
	str_release(&body);
	str_release(&nav);
}
