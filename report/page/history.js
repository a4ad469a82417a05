/* report/page/history.js - every run: state, reason, where it comes from, what it changed; a page at a time. */
nab.view("history", function (section, data) {
	"use strict";
	var rows = nab.rows, f = nab.format, make = nab.make, known = nab.known, box = document.getElementById("history-table");
	var SIZE = 50, at = 0, group = "all", newest = true, order = [], DONE = data.states.indexOf("done");
	var LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	var groups = { all: function () { return true; }, "in the queue": function (s) { return s < DONE; },
		done: function (s) { return s === DONE; }, "without a result": function (s) { return s > DONE; } };

	function day(t) { return known(t) ? new Date(1000 * t).toISOString().slice(0, 19).replace("T", " ") : "\u2013"; }
	function curve(text) {
		var e = nab.svg("svg", { width: 90, height: 24, viewBox: "0 0 90 24", role: "img", "aria-label": "validation loss over the epochs" }), points = [], last;
		text.split("").forEach(function (c, i) {
			var x = 2 + (text.length > 1 ? 86 * i / (text.length - 1) : 43), y = 22 - 20 * LETTERS.indexOf(c) / 63;
			if (c !== "-") points.push([x, y]);
		});
		last = points[points.length - 1];
		if (last) e.append(nab.svg("path", { d: nab.plot.path(points), fill: "none", class: "s-line-0", "stroke-width": 1.5 }));
		if (last) e.append(nab.svg("circle", { cx: last[0], cy: last[1], r: 2, class: "f-line-0" }));
		return last ? e : null;
	}
	/* What is better is green and says so by its sign and an arrow, too. */
	function delta(v, show, better) {
		if (!known(v) || !v) return null;
		return make("div", { class: "delta " + (better ? "good" : "worse") }, (v > 0 ? "\u25b2 " : "\u25bc ") + f.signed(v, show));
	}
	function model(row, small) {
		var chip = nab.chips(row, "");
		return [make("button", { class: "link", "data-choose": row }, rows.label[row]), chip && !small ? make("div", chip) : null];
	}
	function line(run) {
		var row = run[0], state = run[1], parent = rows.parent[row], own = run[6], better;
		var change = known(parent) && known(own) && known(rows.accuracy[parent]) ? own - rows.accuracy[parent] : null;
		var more = known(parent) ? rows.params[row] - rows.params[parent] : null;
		better = state === DONE ? "" : state > DONE ? " bad" : " front";
		return make("tr", { "data-run": row }, make("td", { class: "model-name" }, model(row)),
			make("td", { class: "model-name" }, known(parent) ? model(parent, true) : make("span", { class: "dim" }, "\u2013")),
			make("td", rows.kind[row]),
			make("td", { class: "reason", title: rows.change[row] }, make("div", { class: "change" }, rows.change[row] || "")),
			make("td", { class: "n" }, f.whole(rows.params[row]), delta(more, f.whole, more < 0)),
			make("td", { class: "n" }, f.bare(own), delta(change, f.bare, change > 0)),
			make("td", { class: "n", title: "begun " + day(run[4]) }, known(run[5]) ? f.seconds(run[5]) : ""), make("td", curve(run[7])),
			make("td", { class: "reason" }, make("span", { class: "badge" + better }, data.states[state] + (run[10] ? ", copied" : "")),
				run[9] ? make("div", run[9]) : null,
				make("div", { class: "dim" }, "seed " + run[2] + (run[8] ? " \u00b7 " + run[8] : "") + (run[3] > 1 ? " \u00b7 " + run[3] + " attempts" : "") +
					(known(run[4]) ? " \u00b7 " + day(run[4]) : ""))));
	}

	var body = make("tbody"), shown = make("span", { class: "k", role: "status" }), pages = make("div", { class: "bar noprint" });
	var heads = ["model", "parent", "kind", "changes", "parameters", nab.data.metric.name + nab.data.metric.unit, "time", "loss", "status"];
	var bar = make("div", { class: "bar noprint" }, Object.keys(groups).map(function (g) {
		var n = data.runs.filter(function (r) { return groups[g](r[1]); }).length;
		return make("button", { "data-group": g, "aria-pressed": "false", on: { click: function () { group = g; refresh(); } } }, g + " (" + f.whole(n) + ")");
	}), make("button", { id: "history-order", on: { click: function () { newest = !newest; refresh(); } } }), shown);
	function refresh() {
		nab.all("[data-group]", bar).forEach(function (b) { nab.press(b, b.dataset.group === group); });
		bar.querySelector("#history-order").textContent = newest ? "newest first" : "oldest first";
		order = data.runs.filter(function (r) { return groups[group](r[1]) && nab.visible(r[0]); });
		order.sort(function (a, b) { /* what has not begun is newer than all */
			var x = known(a[4]) ? a[4] : Infinity, y = known(b[4]) ? b[4] : Infinity;
			return (x === y ? a[0] - b[0] : x < y ? -1 : 1) * (newest ? -1 : 1);
		});
		at = 0;
		show();
	}
	function show() {
		function go(to, text, label) {
			return make("button", { disabled: to < 0 || to >= order.length || to === at, "aria-label": label, on: { click: function () { at = to; show(); } } }, text);
		}
		body.replaceChildren.apply(body, order.slice(at, at + SIZE).map(line));
		if (!order.length) body.append(make("tr", make("td", { class: "dim", colspan: heads.length }, "None.")));
		shown.textContent = f.whole(order.length) + " of " + f.whole(data.runs.length) + " runs";
		pages.hidden = order.length <= SIZE;
		pages.replaceChildren(go(at - SIZE, "\u2039", "page before"), make("span", { class: "k" },
			f.whole(at + 1) + "\u2013" + f.whole(Math.min(at + SIZE, order.length)) + " of " + f.whole(order.length)), go(at + SIZE, "\u203a", "next page"));
	}
	box.replaceChildren(make("p", { class: "sub" }, "Every run, where it comes from and what became of it. Differences are to the parent: fewer parameters and higher " + nab.data.metric.name + " are green."),
		bar, make("div", { class: "card scroll", tabindex: 0, role: "region", "aria-label": "Queue and history" },
			make("table", { class: "history" }, make("thead", make("tr", heads.map(function (h, i) { return make("th", { scope: "col", class: i > 3 && i < 7 ? "n" : null }, h); }))), body)), pages);
	if (data.events.length)
		box.append(make("details", { class: "events" }, make("summary", "Events (" + f.whole(data.events.length) + ")"),
			make("table", { class: "layers" }, make("tbody", data.events.map(function (v) {
				return make("tr", make("td", day(v[0])), make("td", v[1]), make("td", { class: "reason" }, v[2]));
			})))));
	nab.on("filter", refresh);
});
