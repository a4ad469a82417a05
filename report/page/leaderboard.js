/* report/page/leaderboard.js - the table of models: sorted and filtered over all rows, shown a page at a time. */
nab.view("leaderboard", function (section) {
	"use strict";
	var rows = nab.rows, f = nab.format, make = nab.make, known = nab.known, ranked = nab.data.ranked;
	var body = section.querySelector("#board tbody"), head = section.querySelector("#board thead tr"), made = {};
	var order = [], at = 0, size = 100, key = "rank", direction = 1, pinned = false, extra = null;

	/* ---- sorting: a column, or something that is worked out ---- */
	function ratio(of, unit) { /* REMAP's: accuracy for each power of ten */
		return function (row) {
			var v = nab.judge(row), x = rows[of][row];
			return v && known(x) && x * unit > 1 ? v.value / Math.log10(x * unit) : null;
		};
	}
	var column = nab.column, metric = nab.data.metric.name;
	function milli(v) { return (1e3 * v).toPrecision(3) + " ms"; }
	function four(v) { return f.fixed(v, 4); }
	var sorts = { /* title, value, text if it has no column of its own, sorted upward at first */
		rank: ["rank", function (row) { var v = nab.value(row); return nab.selective() ? (known(v) ? -v : null) : row; }, null, true],
		score: ["score", column("score")], label: ["name", column("label"), null, true], accuracy: [metric, nab.value],
		params: ["parameters", column("params"), null, true], macs: ["multiply-adds", column("macs"), null, true],
		seconds: ["training time", column("seconds"), null, true], epochs: ["epochs", column("epochs"), null, true],
		best: ["best epoch", column("best")], test: ["test " + metric, column("test")],
		created: ["order of making", column("started"), function (v) { return new Date(1000 * v).toISOString().slice(0, 16).replace("T", " "); }, true],
		spread: ["spread over seeds", column("spread"), f.bare, true], depth: ["depth", column("depth"), String, true],
		forward: ["forward time", column("forward"), milli, true], backward: ["backward time", column("backward"), milli, true],
		per_params: [metric + " / log parameters", ratio("params", 1), four], per_macs: [metric + " / log multiply-adds", ratio("macs", 1), four],
		per_forward: [metric + " / log forward time", ratio("forward", 1e9), four],
		per_backward: [metric + " / log backward time", ratio("backward", 1e9), four] };
	function useful(k) {
		for (var i = 0; i < ranked; i++) if (known(sorts[k][1](i)) || typeof sorts[k][1](i) === "string") return true;
		return false;
	}
	function sort() {
		var value = sorts[key][1], list = [];
		for (var i = 0; i < ranked; i++)
			if (nab.visible(i) && (!pinned || nab.state.pinned.indexOf(i) >= 0)) list.push([value(i), i]);
		list.sort(function (a, b) {
			if (a[0] === null || b[0] === null) return (a[0] === null) - (b[0] === null) || a[1] - b[1];
			return a[0] < b[0] ? -direction : a[0] > b[0] ? direction : a[1] - b[1];
		});
		order = list.map(function (p) { return p[1]; });
	}

	/* ---- rows ---- */
	function name(row) {
		var td = make("td", { class: "model-name" }, make("button", { class: "link", "data-choose": row,
			title: rows.detailed[row] ? null : "in compact form: nab report --pin keeps it in full" }, rows.label[row]));
		if (rows.kind[row] !== "search") td.append(" ", make("span", { class: "badge " + rows.kind[row] }, rows.kind[row]));
		if (rows.front[row]) td.append(" ", make("span", { class: "badge front", title: "no other model is as accurate with fewer parameters" }, "front"));
		if (rows.surplus[row]) td.append(" ", make("span", { class: "badge", title: "finished beyond what the study's targets asked for" }, "surplus"));
		if (nab.data.studies.length > 1) td.append(make("div", { class: "dim" }, nab.data.studies[rows.study[row]]));
		return td;
	}
	var cells = { rank: function () { return make("td", { class: "rank" }); }, label: name,
		score: function (row) { return number(four(rows.score[row])); },
		chips: function (row) { return make("td", { class: "a" }, nab.chips(row)); },
		accuracy: function () { return make("td", { class: "n acc" }, make("b")); },
		interval: function () { return make("td", { class: "w" }); },
		params: function (row) { return number(f.whole(rows.params[row])); },
		macs: function (row) { return number(f.whole(rows.macs[row])); },
		seconds: function (row) { return number(f.fixed(rows.seconds[row], 1)); },
		epochs: function (row) { return number(f.round(rows.epochs[row], 3)); },
		best: function (row) { return make("td", { class: "n dim" }, f.bare(rows.best[row])); },
		test: function (row) { return number(f.bare(rows.test[row])); } };
	function number(text) { return make("td", { class: "n" }, text); }
	nab.all("tr", body).forEach(function (tr) { finish(tr, +tr.dataset.row); });
	function finish(tr, row) {
		tr.querySelector(".model-name").prepend(nab.pinButton(row), " ");
		made[row] = tr;
	}
	function rowOf(row) {
		if (!made[row]) finish(make("tr", { "data-row": row }, nab.all("th", head).filter(function (th) { return th !== extra; })
			.map(function (th) { return cells[th.dataset.sort || th.dataset.key](row); })), row);
		return made[row];
	}

	/* ---- what depends on the classes that count ---- */
	/* The scale of the page that is shown, without what is far below the rest: that is an arrow at the left end. */
	function scale(list) {
		var v = list.map(nab.judge).filter(Boolean), low, high;
		function of(key) { return v.map(function (j) { return known(j[key]) ? j[key] : j.value; }).sort(function (a, b) { return a - b; }); }
		low = of("low");
		high = of("high");
		low = low.length ? Math.max(low[0], low[low.length >> 2] - 0.6 * (high[high.length - 1] - low[low.length >> 2])) : 0;
		high = high[high.length - 1];
		return function (x) { return 5 + (high > low ? (x - low) / (high - low) * 100 : 50); };
	}
	function whisker(row, v, x) {
		var ink = rows.origin[row] === "baseline" ? "line-1" : "line-0", e = nab.svg("svg", { width: 110, height: 14, viewBox: "0 0 110 14", "aria-hidden": "true" },
			nab.svg("path", { d: "M0 7L110 7", class: "s-grid" }));
		if (known(v.low) && x(v.high) > 4) e.append(nab.svg("path", { d: "M" + Math.max(0, x(v.low)) + " 7L" + x(v.high) + " 7", class: "s-" + ink, "stroke-width": 2.5 }));
		if (x(v.value) < 3) return e.append(nab.svg("path", { d: "M1 7L6 4L6 10Z", class: "f-" + ink })), e;
		e.append(nab.svg("circle", { cx: x(v.value), cy: 7, r: 3, class: "f-" + ink }));
		return e;
	}
	function paint(tr, row, x) {
		var v = nab.judge(row), acc = tr.querySelector(".acc"), w = tr.querySelector(".w");
		tr.querySelector(".rank").textContent = nab.placeText(row);
		acc.replaceChildren(make("b", v ? f.bare(v.value) : "\u2013"));
		if (!nab.selective() && known(rows.spread[row])) acc.append(make("div", { class: "dim" }, "\u00b1 " + f.bare(rows.spread[row])));
		w.replaceChildren();
		if (v) w.append(whisker(row, v, x));
		if (v && known(v.low)) w.append(make("div", { class: "dim" }, f.bare(v.low) + "\u2013" + f.bare(v.high)));
		tr.classList.toggle("current", row === nab.state.current);
		if (tr.lastChild.classList.contains("by")) tr.lastChild.remove();
		if (extra) {
			v = sorts[key][1](row);
			tr.append(make("td", { class: "n by" }, known(v) ? sorts[key][2](v) : ""));
		}
	}
	function show() {
		var x, list;
		at = Math.max(0, Math.min(at, Math.floor((order.length - 1) / size) * size));
		list = order.slice(at, at + size);
		x = scale(list);
		list = list.map(function (row) {
			var tr = rowOf(row);
			paint(tr, row, x);
			return tr;
		});
		if (!list.length) list = [make("tr", make("td", { class: "dim", colspan: head.cells.length }, ranked ? "No model is left: the filter above hides them all." : "No model has a result yet."))];
		body.replaceChildren.apply(body, list);
		pages();
	}

	/* ---- the bars above and below ---- */
	var choice = make("select", { id: "sort", on: { change: function () { sortBy(choice.value); } } });
	var turn = make("button", { on: { click: function () { sortBy(key, -direction); } } });
	var only = make("button", { "aria-pressed": "false", on: { click: function () {
		pinned = !pinned;
		nab.press(only, pinned);
		refresh(true);
	} } }, "pinned only");
	var shown = make("span", { id: "shown", class: "k", role: "status" });
	function pages() {
		var last = Math.floor((order.length - 1) / size) * size, bar = document.getElementById("board-pages");
		function go(to, text, label) {
			return make("button", { disabled: to < 0 || to > last || to === at, "aria-label": label, on: { click: function () {
				at = to;
				show();
				section.scrollIntoView();
			} } }, text);
		}
		shown.textContent = f.whole(order.length) + " of " + f.whole(ranked) + " models" + (nab.selective() ? ", judged by " + nab.judgedBy() + " only" : "");
		bar.hidden = order.length <= 50;
		bar.replaceChildren(go(0, "\u00ab", "first page"), go(at - size, "\u2039", "page before"),
			make("span", { class: "k" }, f.whole(at + 1) + "\u2013" + f.whole(Math.min(at + size, order.length)) + " of " + f.whole(order.length)),
			go(at + size, "\u203a", "next page"), go(last, "\u00bb", "last page"), make("span", { class: "space" }), make("span", { class: "k" }, "rows a page"),
			[50, 100, 300].map(function (n) {
				return make("button", { "aria-pressed": n === size ? "true" : "false", on: { click: function () { size = n; show(); } } }, String(n));
			}));
	}
	function sortBy(next, way) {
		var th = section.querySelector("th[data-sort='" + next + "']");
		key = next;
		direction = way || (sorts[key][3] ? 1 : -1);
		if (extra) { extra.remove(); extra = null; }
		if (!th) head.append(th = extra = make("th", { class: "n", scope: "col" }, sorts[key][0]));
		nab.all("th", head).forEach(function (t) { t.removeAttribute("aria-sort"); });
		th.setAttribute("aria-sort", direction > 0 ? "ascending" : "descending");
		choice.value = key;
		turn.textContent = direction > 0 ? "\u2191" : "\u2193";
		turn.setAttribute("aria-label", direction > 0 ? "smallest first; turn round" : "largest first; turn round");
		refresh(true);
	}
	function refresh(top) {
		if (top) at = 0;
		sort();
		show();
	}
	Object.keys(sorts).filter(useful).forEach(function (k) {
		if (section.querySelector("th[data-sort='" + k + "']") || sorts[k][2]) choice.append(make("option", { value: k }, sorts[k][0]));
	});
	document.getElementById("board-bar").append(make("label", { class: "k", for: "sort" }, "sorted by"), choice, turn, only, shown);
	nab.all("th[data-sort]", head).forEach(function (th) {
		function go() { sortBy(th.dataset.sort, th.getAttribute("aria-sort") ? -direction : 0); }
		th.tabIndex = 0;
		th.addEventListener("click", go);
		th.addEventListener("keydown", function (e) { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); go(); } });
	});
	nab.on("judge", function () { if (key === "rank" || key === "accuracy") refresh(true); else refresh(); });
	nab.on("filter", function () { refresh(true); });
	nab.on("pinned", function () { if (pinned) refresh(); });
	nab.on("current", function () {
		nab.all("tr", body).forEach(function (tr) { tr.classList.toggle("current", +tr.dataset.row === nab.state.current); });
	});
	sortBy("rank");
});
