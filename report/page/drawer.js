/* report/page/drawer.js - the models that are pinned: a strip of cards that can be sorted and moved, and what differs
 * between them side by side: charts on one scale, numbers against the first, learning curves, classes, commands. */
nab.view("drawer", function (section, data) {
	"use strict";
	var make = nab.make, svg = nab.svg, rows = nab.rows, f = nab.format, known = nab.known, plot = nab.plot, share = nab.data.classify, judged = nab.value, metric = nab.data.metric.name;
	var MOST = 8, curve = { what: "accuracy", train: false }, classes = "given";
	var keys = [["accuracy", metric, -1], ["params", "parameters", 1], ["macs", "multiply-adds", 1], ["seconds", "training time", 1], ["epochs", "epochs", 1], ["label", "name", 1]];

	function swatch(k) { return make("i", { class: "swatch-" + k % 8, "aria-hidden": "true" }); }
	function compared() { return nab.state.pinned.slice(0, MOST); }

	/* ---- the strip ---- */
	function move(row, by) {
		var list = nab.state.pinned.slice(), at = list.indexOf(row), to = at + by;
		if (to < 0 || to >= list.length) return;
		list.splice(to, 0, list.splice(at, 1)[0]);
		nab.set({ pinned: list });
	}
	function sort(key) {
		var k = keys.filter(function (o) { return o[0] === key; })[0];
		function value(row) { return key === "accuracy" ? judged(row) : rows[key][row]; }
		nab.set({ pinned: nab.state.pinned.slice().sort(function (a, b) {
			var x = value(a), y = value(b);
			if (x === null || y === null) return (x === null) - (y === null);
			return (x < y ? -1 : x > y ? 1 : 0) * k[2] || a - b;
		}) });
	}
	function card(row, k) {
		var name = rows.label[row], v = nab.judge(row);
		function tool(text, words, click, off) { return make("button", { class: "tool", "data-tool": words, disabled: off, title: words, "aria-label": words + ": " + name, on: { click: click } }, text); }
		return make("li", { class: "card", "data-row": row },
			make("div", { class: "head" }, make("span", { class: "grip", title: "drag to move", "aria-hidden": "true", on: { pointerdown: grab } }, "\u2807"), k < MOST ? swatch(k) : null,
				make("button", { class: "link", title: name, on: { click: function () { nab.choose(row, true); } } }, name),
				make("span", { class: "tools noprint" }, tool("\u2190", "move left", function () { move(row, -1); }, k === 0), tool("\u2192", "move right", function () { move(row, 1); }, k === nab.state.pinned.length - 1),
					tool("\u00d7", "unpin", function () { nab.pin(row); }))),
			nab.chips(row),
			make("div", { class: "two-numbers" }, make("b", v ? f.metric(v.value) : "no result"), make("span", { class: "dim" }, f.short(rows.params[row]) + " parameters")));
	}
	function grab(e) { /* the card follows the pointer from place to place; the new order counts when it is let go */
		var li = e.currentTarget.closest("li");
		if (e.button) return;
		e.preventDefault();
		li.classList.add("dragged");
		function follow(e) {
			var over = nab.all("li", strip).filter(function (o) {
				var r = o.getBoundingClientRect();
				return o !== li && e.clientX > r.left && e.clientX < r.right && e.clientY > r.top && e.clientY < r.bottom;
			})[0];
			if (over) strip.insertBefore(li, over.compareDocumentPosition(li) & Node.DOCUMENT_POSITION_FOLLOWING ? over : over.nextSibling);
		}
		function drop() {
			["pointermove", "pointerup", "pointercancel"].forEach(function (v) { document.removeEventListener(v, v === "pointermove" ? follow : drop); });
			li.classList.remove("dragged");
			nab.set({ pinned: nab.all("li", strip).map(function (o) { return +o.dataset.row; }) });
		}
		/* of the document: a card that moves in the tree loses the pointer */
		["pointermove", "pointerup", "pointercancel"].forEach(function (v) { document.addEventListener(v, v === "pointermove" ? follow : drop); });
	}

	/* ---- charts, one under the other ---- */
	function charts(list) {
		return make("div", { class: "scroll" }, make("div", { class: "stack" }, list.map(function (row, k) {
			return make("div", make("div", { class: "who" }, swatch(k), rows.label[row]), nab.chart && nab.chart(row) || nab.chips(row) || make("span", { class: "dim" }, rows.summary[row]));
		})));
	}

	/* ---- numbers against the first ---- */
	function numbers(list) {
		var all = [];
		function add(title, value, show, better, relative) {
			if (list.some(function (row) { return known(value(row)); })) all.push({ title: title, value: value, show: show, better: better, relative: relative });
		}
		var column = nab.column;
		function times(v) { return v < 1 ? f.round(1000 * v, 3) + " ms" : f.seconds(v); }
		function digits(n) { return function (v) { return f.round(v, n); }; }
		add(metric + (nab.selective() ? " on " + nab.judgedBy() : ""), judged, f.metric, 1);
		if (nab.selective()) add(metric + " on all examples", column("accuracy"), f.metric, 1);
		add("training " + metric, column("train"), f.metric, 1);
		add("best epoch (optimistic)", column("best"), f.metric, 1);
		add("test " + metric, column("test"), f.metric, 1);
		if (rows.score.some(function (s, row) { return known(s) && Math.abs(s - rows.accuracy[row]) > 1e-9; })) add("score", column("score"), digits(4), 1, true);
		add("validation loss", column("loss"), function (v) { return f.fixed(v, 4); }, -1, true);
		add("parameters", column("params"), f.whole, -1, true);
		add("multiply-adds", column("macs"), f.whole, -1, true);
		add("weights, bytes", column("bytes"), f.whole, -1, true);
		add("training time", column("seconds"), f.seconds, -1, true);
		add("forward time per example", column("forward"), times, -1, true);
		add("backward time per example", column("backward"), times, -1, true);
		add("epochs", column("epochs"), digits(3), 0, true);
		add("depth", column("depth"), f.whole, 0, true);
		add("layers", column("layers"), f.whole, 0, true);
		add("seeds", column("seeds"), f.whole, 0, true);
		return all;
	}
	function difference(m, row, first, same) {
		var a = m.value(first), b = m.value(row), d, text;
		if (!known(a) || !known(b) || row === first) return null;
		d = b - a;
		if (m.relative) {
			if (!d) return make("span", { class: "delta dim" }, "=");
			text = a ? f.signed(d, function (x) { return Math.abs(x / a) >= 9.995 ? Math.abs(b / a).toPrecision(3) + "\u00d7" : f.round(100 * Math.abs(x / a), 3) + " %"; }) : "";
			if (a && d > 0 && d / a >= 9.995) text = "\u00d7 " + (b / a).toPrecision(3);
		} else text = f.signed(d, f.bare);
		if (same) text += " \u2248";
		return make("span", { class: "delta " + (!m.better || !d ? "dim" : d * m.better > 0 ? "good" : "worse"), title: same ? "the 95 % intervals overlap: the difference may be chance" : null }, text);
	}
	function overlap(a, b) {
		var x = nab.judge(a), y = nab.judge(b);
		return a !== b && x && y && known(x.low) && known(y.low) && x.low <= y.high && y.low <= x.high;
	}
	function table(list) {
		var first = list[0], body = make("tbody"), some = false;
		numbers(list).forEach(function (m, k) {
			body.appendChild(make("tr", make("th", { scope: "row" }, m.title), list.map(function (row) {
				var v = m.value(row), j = k === 0 && nab.judge(row), same = k === 0 && overlap(row, first);
				some = some || same;
				return make("td", { class: "n" }, known(v) ? m.show(v) : "\u2013", difference(m, row, first, same),
					j && known(j.low) ? make("div", { class: "dim" }, f.metric(j.low) + " \u2013 " + f.metric(j.high)) : null);
			})));
		});
		Object.keys(rows.hyper || {}).forEach(function (key) {
			var seen = {};
			list.forEach(function (row) { seen[JSON.stringify(rows.hyper[key][row])] = true; });
			if (Object.keys(seen).length > 1) body.appendChild(make("tr", make("th", { scope: "row", class: "mono" }, key), list.map(function (row) {
				var v = rows.hyper[key][row];
				return make("td", { class: "n" }, v === null || v === undefined ? "\u2013" : String(v));
			})));
		});
		return [make("div", { class: "scroll" }, make("table", { class: "versus" }, make("thead", make("tr", make("th"), list.map(function (row, k) { return make("th", { class: "n", scope: "col" }, swatch(k), rows.label[row]); }))), body)),
			make("p", { class: "note" }, "Differences are to the first model" + (share ? ", of accuracies in points" : "") + "." + (some ? " \u2248: the 95 % intervals overlap." : "") + " Drag the cards or sort them to compare with another one.")];
	}

	/* ---- learning curves ---- */
	function mean(m, key) { /* over the seeds, an epoch at a time: [[epoch, value]] */
		var sum = {};
		m.runs.forEach(function (r) {
			r.epoch.forEach(function (e, k) {
				if (!known(r[key][k])) return;
				sum[e] = sum[e] || [0, 0];
				sum[e][0] += r[key][k];
				sum[e][1]++;
			});
		});
		return Object.keys(sum).map(Number).sort(function (a, b) { return a - b; }).map(function (e) { return [e, sum[e][0] / sum[e][1]]; });
	}
	function series(list) {
		var out = [];
		list.forEach(function (row, k) {
			var m = nab.model && nab.model(row);
			if (!m) return;
			if (curve.train) out.push({ row: row, k: k, train: true, points: mean(m, curve.what === "loss" ? "tl" : "ta") });
			out.push({ row: row, k: k, points: mean(m, curve.what === "loss" ? "vl" : "va") });
		});
		return out.filter(function (s) { return s.points.length; });
	}
	function curves(list) {
		var W = Math.max(480, (section.clientWidth || 1222) - 42), H = 320, L = 58, R = 150, T = 12, B = 40, lines = series(list), values = [], last = 1, y, x, s, ends = [];
		if (!lines.length) return null;
		lines.forEach(function (l) { l.points.forEach(function (p) { values.push(p[1]); last = Math.max(last, p[0]); }); });
		y = plot.range(values, curve.what === "loss" && plot.spans(values, 10), 0.05);
		y = plot.axis({ low: y[0], high: y[1], share: curve.what !== "loss" && share, log: curve.what === "loss" && plot.spans(values, 10) });
		x = plot.axis({ low: last > 1 ? 1 : 0.5, high: last > 1 ? last : 1.5, whole: true });
		function X(v) { return L + (W - L - R) * x.at(v); }
		function Y(v) { return T + (H - T - B) * (1 - y.at(v)); }
		s = svg("svg", { viewBox: "0 0 " + W + " " + H, class: "versus-curves", role: "img", "aria-label": "Validation " + curve.what + " by epoch: " + lines.filter(function (l) { return !l.train; }).map(function (l) {
			return rows.label[l.row] + " ends at " + y.text(+l.points[l.points.length - 1][1].toPrecision(4));
		}).join("; ") });
		y.ticks(6).forEach(function (v) {
			s.append(svg("line", { x1: L, x2: W - R, y1: Y(v), y2: Y(v), class: "s-grid" }), svg("text", { x: L - 8, y: Y(v) + 4, "text-anchor": "end", class: "f-muted" }, y.text(v)));
		});
		x.ticks(12).forEach(function (v) { s.appendChild(svg("text", { x: X(v), y: H - B + 18, "text-anchor": "middle", class: "f-muted" }, x.text(v))); });
		s.appendChild(svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle", class: "f-muted" }, "epoch"));
		lines.forEach(function (l) {
			s.appendChild(svg("path", { d: plot.path(l.points.map(function (p) { return [X(p[0]), Y(p[1])]; })), class: "s-line-" + l.k % 8 + (l.train ? " train" : ""), fill: "none", "stroke-width": l.train ? 1.2 : 2.2, "stroke-linejoin": "round" }));
			if (l.points.length === 1) s.appendChild(svg("circle", { cx: X(l.points[0][0]), cy: Y(l.points[0][1]), r: 3, class: "f-line-" + l.k % 8 }));
			if (!l.train) ends.push({ l: l, x: X(l.points[l.points.length - 1][0]), y: Y(l.points[l.points.length - 1][1]) });
		});
		ends.sort(function (a, b) { return a.y - b.y; }).forEach(function (e, k) { /* names at the ends, none over another */
			var name = rows.label[e.l.row];
			e.at = Math.max(e.y, k ? ends[k - 1].at + 15 : T + 4);
			s.append(svg("line", { x1: e.x + 2, y1: e.y, x2: W - R + 10, y2: e.at, class: "s-line-" + e.l.k % 8, "stroke-width": 0.8, opacity: 0.6 }),
				svg("text", { x: W - R + 14, y: e.at + 4, class: "f-text" }, f.cut(name, 20)));
		});
		return s;
	}
	function curvePart(list) {
		var box = make("div"), what = make("select", { "aria-label": "what the curves show" }, make("option", { value: "accuracy" }, metric), make("option", { value: "loss" }, "loss"));
		var train = make("input", { type: "checkbox" });
		function draw() { var c = curves(list); box.replaceChildren(c || make("p", { class: "note" }, "No learning curves of these models are on the page; --top keeps those of more models.")); }
		what.value = curve.what;
		train.checked = curve.train;
		what.addEventListener("change", function () { curve.what = what.value; draw(); });
		train.addEventListener("change", function () { curve.train = train.checked; draw(); });
		draw();
		return [make("div", { class: "bar noprint" }, what, make("label", { class: "k check" }, train, "with training (dashed)")), box];
	}

	/* ---- classes ---- */
	function classShare(row, c) { return rows.right[row] && nab.data.class_n[c] ? rows.right[row][c] / (nab.data.class_n[c] * rows.seeds[row]) : null; }
	function spread(list, c) {
		var v = list.map(function (row) { return classShare(row, c); }).filter(known);
		return v.length ? Math.max.apply(null, v) - Math.min.apply(null, v) : 0;
	}
	function classPart(list) {
		var box = make("div", { class: "by-class" }), order = make("select", { "aria-label": "order of the classes" }, make("option", { value: "given" }, "classes in their order"), make("option", { value: "spread" }, "largest difference first"));
		if (!list.some(function (row) { return rows.right[row]; })) return null;
		function draw() {
			var all = nab.data.classes.map(function (n, c) { return c; });
			if (classes === "spread") all.sort(function (a, b) { return spread(list, b) - spread(list, a) || a - b; });
			box.replaceChildren.apply(box, all.map(function (c) {
				return make("div", { class: "one", "data-class": c }, make("div", { class: "l", title: nab.data.classes[c] }, nab.data.classes[c] || "(empty)"), list.map(function (row, k) {
					var v = classShare(row, c), w = known(v) ? nab.wilson(v * nab.data.class_n[c], nab.data.class_n[c]) : null;
					return make("div", { class: "t", title: rows.label[row] + ": " + (w ? f.percent(v) + " % of " + f.whole(nab.data.class_n[c]) + ", 95 % interval " + f.percent(w[0]) + " to " + f.percent(w[1]) : "not known") },
						make("span", { class: "track" }, w ? [make("i", { class: "swatch-" + k % 8, style: { width: 100 * v + "%" } }), make("u", { style: { left: 100 * w[0] + "%", width: 100 * (w[1] - w[0]) + "%" } })] : null),
						make("span", { class: "v" }, w ? f.percent(v) : ""));
				}));
			}));
		}
		order.value = classes;
		order.addEventListener("change", function () { classes = order.value; draw(); });
		draw();
		return [make("div", { class: "bar noprint" }, order), box];
	}

	/* ---- commands ---- */
	function commands(list) {
		var store = data.store ? " --store " + nab.quote(data.store) : "", ids = list.map(function (row) { return data.run[row]; }), out = [];
		if (list.length > 1) out.push("nab compare " + ids.join(" ") + store, "nab diff " + ids[0] + " " + ids[1] + store);
		list.forEach(function (row, k) { out.push("nab export " + ids[k] + store + " --to pytorch -o run-" + ids[k]); });
		return out;
	}
	function commandPart(list) {
		return make("div", { class: "commands" }, commands(list).map(function (c) {
			return make("div", make("code", c), nab.copier(c, "copy"));
		}), make("p", { class: "note" }, "Numbers name runs, whatever the models are called: " + list.map(function (row) { return data.run[row] + " is " + rows.label[row]; }).join(", ") + "."));
	}

	/* ---- all ---- */
	function part(title) { return make("div", { class: "part" }, make("h4", title), Array.prototype.slice.call(arguments, 1)); }
	function empty() {
		function take(text, list) { return list.length ? make("button", { on: { click: function () { nab.set({ pinned: list }); } } }, text) : null; }
		var best = rows.label.map(function (l, row) { return row; }).filter(function (row) { return row < nab.data.ranked && known(judged(row)); }).sort(function (a, b) { return judged(b) - judged(a); });
		return make("div", { class: "card pad" }, make("p", { class: "sub" }, "Nothing is pinned yet. Shift-click a mark, press P on it, or use the star of a model: pinned models are compared here, and stay when the page is opened again."),
			make("div", { class: "bar noprint" }, take("compare the best three", best.slice(0, 3)), nab.overview && nab.overview.front().length ? take("compare the front", nab.overview.front().slice(-MOST)) : null));
	}
	var strip = make("ol", { class: "strip" }), top = make("div"), rest = make("div", { class: "card pad" });
	section.append(top, strip, rest);
	function controls() {
		var by = make("select", { id: "drawer-sort", on: { change: function () { if (by.value) sort(by.value); } } }, make("option", { value: "" }, "\u2013"), keys.map(function (k) { return make("option", { value: k[0] }, k[1]); }));
		return make("div", { class: "bar noprint" }, make("span", { class: "k" }, nab.state.pinned.length + " pinned" + (nab.state.pinned.length > MOST ? ", the first " + MOST + " are compared" : "")),
			make("label", { class: "k", for: "drawer-sort" }, "sort by"), by, make("button", { on: { click: function () { nab.set({ pinned: [] }); } } }, "unpin all"));
	}
	function refresh() {
		var had = document.activeElement && strip.contains(document.activeElement) ? [document.activeElement.closest("li").dataset.row, document.activeElement.dataset.tool] : null, list = compared(), by;
		rest.hidden = strip.hidden = !list.length;
		top.replaceChildren(list.length ? controls() : empty());
		strip.replaceChildren.apply(strip, nab.state.pinned.map(card));
		if (!list.length) return;
		by = classPart(list);
		rest.replaceChildren.apply(rest, [part("Architecture", charts(list)), part("Numbers", table(list)), part("Learning curves", curvePart(list)), by ? part("Accuracy by class", by) : null, part("Commands", commandPart(list))].filter(Boolean));
		if (had) nab.all("li[data-row='" + had[0] + "'] [data-tool='" + had[1] + "']", strip).forEach(function (b) { b.focus(); });
	}
	nab.on("pinned", refresh);
	nab.on("judge", refresh);
	nab.drawer = { commands: function () { return commands(compared()); } };
});
