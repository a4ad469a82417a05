/* report/page/confusion.js - what a model takes for what: the matrix, whose cells open their examples, the worst
 * confusions, and how well each class is known.
 */
nab.confusion = (function () {
	"use strict";
	var make = nab.make, percent = nab.format.percent, name = nab.examples.name, brief = nab.examples.brief, known = nab.known;
	var WORST = 12, how = { order: "data", sort: "data", measure: "recall", least: 10 };
	/* Shares of a row at which the next of seven colours begins. */
	var rightFrom = [0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98], wrongFrom = [0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2];

	function bucket(share, from) {
		var k = 6;
		while (k > 0 && share < from[k]) k--;
		return k + 1;
	}
	function sums(m, n) { /* of rows and columns */
		var s = { row: new Array(n).fill(0), column: new Array(n).fill(0), n: n };
		m.forEach(function (v, c) { s.row[Math.floor(c / n)] += v; s.column[c % n] += v; });
		return s;
	}
	/* Wrong cells, most frequent first: [true, predicted, answers] */
	function worst(m, n) {
		var out = [];
		m.forEach(function (v, c) { if (v && c % (n + 1)) out.push([Math.floor(c / n), c % n, v]); });
		return out.sort(function (a, b) { return b[2] - a[2] || a[0] - b[0] || a[1] - b[1]; });
	}
	/* Classes that are taken for each other stand side by side: a chain that grows at either end by the class most
	 * confused with what is there; then parts of it (or of the classes as they are, if these are better) are turned
	 * round while that brings likes together. */
	function turned(list, like) {
		var n = list.length, more = true, at = function (i) { return i < 0 || i >= n ? -1 : list[i]; };
		var both = function (a, b) { return a < 0 || b < 0 ? 0 : like(a, b); };
		for (var round = 0; more && round < 40; round++) {
			more = false;
			for (var i = 0; i < n - 1; i++)
				for (var j = i + 1; j < n; j++)
					if (both(at(i - 1), at(j)) + both(at(i), at(j + 1)) > both(at(i - 1), at(i)) + both(at(j), at(j + 1)) + 1e-12) {
						list = list.slice(0, i).concat(list.slice(i, j + 1).reverse(), list.slice(j + 1));
						more = true;
					}
		}
		return list;
	}
	function chain(m, n, s) {
		var left = [], like = function (a, b) { return (s.row[a] ? m[a * n + b] / s.row[a] : 0) + (s.row[b] ? m[b * n + a] / s.row[b] : 0); };
		for (var c = 0; c < n; c++) left.push(c);
		var first = worst(m, n)[0], out = first ? [first[0], first[1]] : [0];
		left = left.filter(function (k) { return out.indexOf(k) < 0; });
		while (left.length) {
			var best = { v: -1 };
			left.forEach(function (k) {
				[0, out.length - 1].forEach(function (e) { if (like(k, out[e]) > best.v) best = { v: like(k, out[e]), k: k, end: e }; });
			});
			if (best.end) out.push(best.k); else out.unshift(best.k);
			left.splice(left.indexOf(best.k), 1);
		}
		var total = function (list) { return list.reduce(function (sum, c, k) { return sum + (k ? like(list[k - 1], c) : 0); }, 0); };
		var plain = out.slice().sort(function (a, b) { return a - b; });
		return turned(total(plain) > total(out) ? plain : out, like);
	}
	function order(m, n, s, way) {
		var all = m.slice(0, n).map(function (v, c) { return c; }), some = [];
		if (way === "alike") return chain(m, n, s);
		if (way !== "worst") return all;
		worst(m, n).some(function (w) {
			[w[0], w[1]].forEach(function (c) { if (some.indexOf(c) < 0 && some.length < WORST) some.push(c); });
			return some.length >= WORST;
		});
		return some.sort(function (a, b) { return a - b; });
	}

	/* ---- examples of a cell ---- */
	/* [{ i, times }] with times = runs that answer so; null where a run's answers are not here. */
	function members(model, t, p) {
		var truth = nab.examples.get() && nab.examples.get().truth, done = model.runs.filter(function (r) { return r.state === "done"; }), times = {};
		if (!truth || !done.length || done.some(function (r) { return !r.wrong; })) return null;
		if (t === p) truth.forEach(function (c, i) { if (c === t) times[i] = done.length; });
		done.forEach(function (r) {
			for (var k = 0, at = -1; k < r.wrong.length; k += 2) {
				at += r.wrong[k];
				if (truth[at] !== t) continue;
				if (t === p) times[at]--;
				else if (r.wrong[k + 1] === p) times[at] = (times[at] || 0) + 1;
			}
		});
		return Object.keys(times).map(Number).filter(function (i) { return times[i] > 0; }).map(function (i) { return { i: i, times: times[i] }; })
			.sort(function (a, b) { return b.times - a.times || a.i - b.i; });
	}
	function open(box, model, t, p) {
		var list = members(model, t, p), seeds = model.runs.filter(function (r) { return r.state === "done"; }).length, v = model.confusion[t * nab.data.classes.length + p];
		var title = t === p ? "\u201c" + brief(t) + "\u201d, recognised" : "\u201c" + brief(t) + "\u201d taken for \u201c" + brief(p) + "\u201d";
		box.replaceChildren(make("div", { class: "bar" }, make("h4", title),
			make("span", { class: "dim count" }, list ? list.length + (list.length === 1 ? " example" : " examples") + (seeds > 1 ? ", " + v + " answers of " + seeds + " seeds" : "") : v + " answers"),
			make("span", { class: "space" }), make("button", { class: "noprint", "aria-label": "close the examples", on: { click: function () { box.replaceChildren(); } } }, "\u2715")));
		box.appendChild(list ? nab.examples.list(list.map(function (e) {
			return { i: e.i, words: seeds > 1 ? e.times + " of " + seeds : "" };
		}), 120) : make("p", { class: "note" }, "Which examples these are is not in this page: it keeps the answers of the best models only, and only where the store has them."));
	}

	/* ---- the matrix ---- */
	function density(n) { return n <= 12 ? "roomy" : n <= 25 ? "close" : n <= 60 ? "tight" : "tiny"; }
	function matrix(model, show, say) {
		var m = model.confusion, all = nab.data.classes.length, s = sums(m, all), list = order(m, all, s, how.order), n = list.length, size = density(n);
		var upright = n > 12 || list.some(function (c) { return name(c).length > 6; });
		var table = make("table", { class: "matrix " + size + (upright ? " upright" : ""), role: "grid", "aria-label": "confusion matrix: rows are true classes, columns what the model said" });
		var head = make("tr", make("th", { "aria-hidden": "true" })), body = make("tbody"), cells = [];
		list.forEach(function (p) { head.appendChild(make("th", { title: name(p), scope: "col" }, make("span", name(p)))); });
		list.forEach(function (t, y) {
			var tr = body.appendChild(make("tr", make("th", { title: name(t) + ": " + s.row[t], scope: "row" }, make("span", name(t)))));
			cells.push(list.map(function (p) {
				var v = m[t * all + p], share = s.row[t] ? v / s.row[t] : 0, words = v + " of " + s.row[t] + " \u201c" + name(t) + "\u201d " + (t === p ? "recognised" : "taken for \u201c" + name(p) + "\u201d") + " (" + percent(share) + " %)";
				return tr.appendChild(make("td", { class: v ? (t === p ? "r" + bucket(share, rightFrom) : "w" + bucket(share, wrongFrom)) : null, tabindex: -1,
					title: words, "aria-label": words, "data-cell": t + "," + p }, size === "roomy" || size === "close" ? v || "\u00b7" : null));
			}));
		});
		if (n) cells[0][0].tabIndex = 0;
		function place(td) {
			for (var y = 0; y < n; y++) { var x = cells[y].indexOf(td); if (x >= 0) return [x, y]; }
			return null;
		}
		function go(x, y) {
			nab.all("[tabindex='0']", table).forEach(function (t) { t.tabIndex = -1; });
			cells[y][x].tabIndex = 0;
			cells[y][x].focus();
		}
		function pick(td) {
			var c = td && td.dataset && td.dataset.cell && td.dataset.cell.split(",").map(Number);
			if (!c || !m[c[0] * all + c[1]]) return;
			nab.all(".chosen", table).forEach(function (t) { t.classList.remove("chosen"); });
			td.classList.add("chosen");
			show(c[0], c[1]);
		}
		table.addEventListener("click", function (e) { pick(e.target.closest("td")); });
		table.addEventListener("keydown", function (e) {
			var at = place(e.target), step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
			if (!at) return;
			if (e.key === "Enter" || e.key === " ") { e.preventDefault(); pick(e.target); }
			if (step) { e.preventDefault(); go(Math.max(0, Math.min(n - 1, at[0] + step[0])), Math.max(0, Math.min(n - 1, at[1] + step[1]))); }
		});
		["mouseover", "focusin"].forEach(function (k) {
			table.addEventListener(k, function (e) { var td = e.target.closest("td"); if (td) say(td.title); });
		});
		table.append(make("thead", head), body);
		return table;
	}
	function legend() {
		function scale(kind, from) {
			return from.map(function (v, k) {
				return make("span", { class: "swatch " + kind + (k + 1), title: (k ? "from " : "above ") + 100 * v + " % of the class" }, k ? String(+(100 * v).toPrecision(2)) : "0");
			});
		}
		return make("div", { class: "scales" }, make("span", { class: "scale" }, make("span", { class: "dim" }, "recognised, from %"), make("span", scale("r", rightFrom))),
			make("span", { class: "scale" }, make("span", { class: "dim" }, "mistaken, from %"), make("span", scale("w", wrongFrom))));
	}
	function worstList(model, show) {
		var n = nab.data.classes.length, s = sums(model.confusion, n), list = worst(model.confusion, n).slice(0, n > 25 ? 24 : 8);
		if (!list.length) return null;
		return make("div", { class: "worst" }, make("h4", "Worst confusions"), make("ol", list.map(function (w) {
			return make("li", make("button", { class: "link", on: { click: function () { show(w[0], w[1]); } } }, make("span", { class: "cut", title: name(w[0]) }, name(w[0])), " \u2192 ",
				make("span", { class: "cut", title: name(w[1]) }, name(w[1]))), make("span", { class: "dim" }, w[2] + " of " + s.row[w[0]] + ", " + (100 * w[2] / s.row[w[0]]).toFixed(1) + " %"));
		})));
	}
	/* [matrix, worst confusions if they are not beside it, where examples are shown], or an element that says why not */
	function panel(model) {
		var n = nab.data.classes.length, seeds = model.runs.filter(function (r) { return r.state === "done"; }).length;
		if (!model.confusion) return n ? make("div", { class: "part" }, make("h4", "Confusion"), make("p", { class: "note" }, "Not recorded.")) : null;
		var found = make("div", { class: "found", "aria-live": "polite" }), place = make("div", { class: "confusion" }), said = make("div", { class: "dim said", "aria-hidden": "true" }, "\u00a0");
		function show(t, p) { open(found, model, t, p); found.scrollIntoView({ block: "nearest", behavior: "instant" }); }
		function redraw() { place.replaceChildren(matrix(model, show, function (text) { said.textContent = text; })); }
		var way = make("select", { "data-confusion": "order", "aria-label": "order of the classes", on: { change: function () { how.order = way.value; redraw(); } } },
			make("option", { value: "data" }, "classes in their order"), make("option", { value: "alike" }, "confused classes side by side"),
			n > WORST ? make("option", { value: "worst" }, "the " + WORST + " most confused only") : null);
		way.value = n > WORST || how.order !== "worst" ? how.order : "data";
		how.order = way.value;
		redraw();
		function panelOf(aside) { return make("div", { class: "part" }, make("h4", "Confusion ", make("span", { class: "dim" }, "rows: true class, columns: what the model said" + (seeds > 1 ? "; answers of " + seeds + " seeds" : "") + "; a cell opens its examples")),
			make("div", { class: "bar noprint" }, way), make("div", { class: "beside" }, place, aside), said, legend()); }
		var list = worstList(model, show);
		return n > 12 ? [panelOf(list), null, found] : [panelOf(null), list, found];
	}

	/* ---- by class ---- */
	function measures(model) {
		var m = model.confusion, n = nab.data.classes.length, s = sums(m, n), seeds = model.runs.filter(function (r) { return r.state === "done"; }).length;
		return nab.data.classes.map(function (label, c) {
			var right = m[c * n + c], recall = s.row[c] ? right / s.row[c] : null, precision = s.column[c] ? right / s.column[c] : null;
			return { c: c, n: s.row[c] / seeds, said: s.column[c] / seeds, recall: recall, precision: precision,
				f1: recall === null || precision === null ? null : recall + precision > 0 ? 2 * recall * precision / (recall + precision) : 0 };
		});
	}
	function bar(value, low, high, title) {
		var t = make("span", { class: "t", title: title }), i = t.appendChild(make("i")), u;
		i.style.width = 100 * (value || 0) + "%";
		if (known(low)) {
			u = t.appendChild(make("u"));
			u.style.left = 100 * low + "%";
			u.style.width = 100 * (high - low) + "%";
		}
		return t;
	}
	function row(d) {
		var v = d[how.measure], n = how.measure === "recall" ? d.n : d.said, w = known(v) && how.measure !== "f1" ? nab.wilson(v * n, n) : [null, null];
		var few = d.n < how.least, title = percent(v) + " %" + (known(w[0]) ? ", 95 % interval " + percent(w[0]) + " to " + percent(w[1]) : "");
		var cell = function (x) { return make("td", { class: "n" }, known(x) ? nab.format.fixed(100 * x, 1) : "\u2013"); };
		return make("tr", { class: few ? "few" : null, "data-class": d.c }, make("th", { scope: "row", title: name(d.c) }, make("span", { class: "cut" }, name(d.c)), few ? make("span", { class: "badge" }, "few") : null),
			make("td", { class: "wide" }, bar(v, w[0], w[1], title)), cell(d.recall), cell(d.precision), cell(d.f1), make("td", { class: "n" }, nab.format.whole(d.n)));
	}
	function classes(model) {
		var body = make("tbody"), all, change = function (key) { return function () { how[key] = key === "least" ? +this.value || 0 : this.value; redraw(); }; };
		if (!model.confusion) return null;
		all = measures(model);
		function redraw() {
			var list = all.slice();
			if (how.sort === "worst") list.sort(function (a, b) {
				return (a.n < how.least) - (b.n < how.least) || (a[how.measure] === null ? 2 : a[how.measure]) - (b[how.measure] === null ? 2 : b[how.measure]) || a.c - b.c;
			});
			body.replaceChildren.apply(body, list.map(row));
		}
		function select(key, label, options) {
			var e = make("select", { "data-classes": key, "aria-label": label, on: { change: change(key) } }, options.map(function (o) { return make("option", { value: o[0] }, o[1]); }));
			e.value = how[key];
			return e;
		}
		redraw();
		return make("div", { class: "part" }, make("h4", "By class ", make("span", { class: "dim" }, "line: 95 % interval (Wilson)")),
			make("div", { class: "bar noprint" }, select("measure", "bars show", [["recall", "recall (accuracy of the class)"], ["precision", "precision"], ["f1", "F1"]]),
				select("sort", "order", [["data", "in their order"], ["worst", "worst first"]]),
				make("label", make("span", { class: "k" }, "mark below "), make("input", { type: "number", min: 0, value: how.least, size: 4, "data-classes": "least", on: { input: change("least") } }), make("span", { class: "k" }, " examples"))),
			make("div", { class: "byclasses" + (all.length > 16 ? " long" : ""), tabindex: all.length > 16 ? 0 : null, role: "group", "aria-label": "quality by class" }, make("table", { class: "bars2" },
				make("thead", make("tr", make("th", "class"), make("th", { class: "wide" }), ["recall", "precision", "F1", "n"].map(function (h) { return make("th", { class: "n" }, h); }))), body)));
	}

	/* ---- by slice ---- */
	function slices(row) {
		var right = nab.rows.slice_right && nab.rows.slice_right[row], seeds = nab.rows.seeds[row];
		if (!nab.data.slices.length || !right) return null;
		return make("div", { class: "part" }, make("h4", "By slice ", make("span", { class: "dim" }, "line: 95 % interval (Wilson)")), make("div", { class: "byclasses narrow" }, make("table", { class: "bars2" }, make("tbody", nab.data.slices.map(function (s, k) {
			var v = known(right[k]) && s.n ? right[k] / (s.n * seeds) : null, w = known(v) ? nab.wilson(v * s.n, s.n) : [null, null];
			return make("tr", { "data-slice": k }, make("th", { scope: "row", title: s.name }, make("span", { class: "cut" }, s.name)), make("td", { class: "wide" }, bar(v, w[0], w[1], percent(v) + " %" + (known(v) ? ", 95 % interval " + percent(w[0]) + " to " + percent(w[1]) : ""))),
				make("td", { class: "n" }, known(v) ? (100 * v).toFixed(1) : "\u2013"), make("td", { class: "n" }, nab.format.whole(s.n)));
		})))));
	}
	return { panel: panel, classes: classes, slices: slices, members: members, measures: measures, how: how, bar: bar };
})();
