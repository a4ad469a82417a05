/* report/page/curves.js - learning curves of a model: nab.curves.panel(model) is what the inspection shows;
 * nab.curves.lines(model, metric, how) are the points it draws.
 *
 * Smoothing w replaces every point by the mean of it and those before, the weights falling by w a point:
 * s_k = (v_k + w v_(k-1) + w^2 v_(k-2) + ...) / (1 + w + w^2 + ...).
 */
nab.curves = (function () {
	"use strict";
	var make = nab.make, svg = nab.svg, known = nab.known, plot = nab.plot;
	var how = { x: "epoch", smooth: 0, log: false, trim: false, train: true, valid: true };
	var metrics = {
		accuracy: { title: nab.data.classify ? "Accuracy" : nab.data.metric.name, train: "ta", valid: "va", judged: true, percent: nab.data.classify },
		loss: { title: "Loss", train: "tl", valid: "vl", log: true },
		rate: { title: "Learning rate", valid: "rate", log: true },
		grad: { title: "Gradient norm", valid: "grad", log: true }
	};
	var names = { epoch: "epoch", step: "step", time: "seconds of training" };
	var W = 560, H = 230, L = 52, R = 10, T = 8, B = 34;

	function smooth(values, w) {
		var s = 0, k = 0;
		return values.map(function (v) {
			if (!known(v)) return null;
			s = w * s + v;
			k = w * k + 1;
			return s / k;
		});
	}
	function positions(run, x) {
		var sum = 0;
		if (x === "epoch") return run.epoch;
		return run[x === "step" ? "steps" : "time"].map(function (v) { sum += known(v) ? v : NaN; return sum; });
	}
	/* [{ part: "train" or "valid", run, x: [], y: [] }], a line a seed */
	function lines(m, metric, o) {
		var out = [];
		["train", "valid"].forEach(function (part) {
			var key = metrics[metric][part];
			if (!key || metrics[metric].train && !o[part]) return;
			m.runs.forEach(function (r) {
				if (r[key].some(known)) out.push({ part: part, run: r.run, x: positions(r, o.x), y: smooth(r[key], o.smooth) });
			});
		});
		return out;
	}
	/* Over the lines of one part: mean, lowest and highest at every epoch that any of them has. */
	function bundle(list) {
		var n = Math.max.apply(null, list.map(function (l) { return l.x.length; })), out = [];
		for (var k = 0; k < n; k++) {
			var at = list.filter(function (l) { return known(l.y[k]) && known(l.x[k]); });
			if (!at.length) continue;
			var y = at.map(function (l) { return l.y[k]; });
			var sum = function (a) { return a.reduce(function (p, q) { return p + q; }, 0); };
			out.push({ x: sum(at.map(function (l) { return l.x[k]; })) / at.length, y: sum(y) / at.length,
				low: Math.min.apply(null, y), high: Math.max.apply(null, y), epoch: k + 1 });
		}
		return out;
	}

	/* ---- axes ---- */
	function text(v, percent) {
		if (percent) return nab.format.round(100 * v, 5) + " %";
		var a = Math.abs(v);
		return a !== 0 && (a < 1e-3 || a >= 1e5) ? (+v.toPrecision(5)).toExponential().replace("e+", "e") : nab.format.round(v, 5);
	}
	function range(values, log, trim) {
		var v = values.filter(function (y) { return known(y) && isFinite(y) && (!log || y > 0); }).sort(function (a, b) { return a - b; });
		if (!v.length) return null;
		var at = function (q) { return v[Math.round(q * (v.length - 1))]; }, lo = trim ? at(0.05) : v[0], hi = trim ? at(0.95) : v[v.length - 1];
		var wide = plot.range([lo, hi], log, log ? 0.04 : 0.05);
		return [wide[0] < 0 && lo >= 0 ? 0 : wide[0], wide[1]];
	}

	/* ---- one chart ---- */
	var number = 0;
	function chart(m, metric, o) {
		var d = metrics[metric], log = o.log && d.log, all = lines(m, metric, o), id = "clip-" + ++number, parts = {};
		var box = make("figure", { class: "curve", "data-metric": metric }), head = box.appendChild(make("figcaption", make("b", d.title)));
		var said = head.appendChild(make("span", { class: "dim said" })), ys = range([].concat.apply([], all.map(function (l) { return l.y; })), log, o.trim);
		var xs = [].concat.apply([], all.map(function (l) { return l.x; })).filter(known);
		if (!ys || !xs.length) { box.appendChild(make("p", { class: "note" }, "Not recorded.")); return box; }
		var x0 = o.x === "epoch" ? Math.min.apply(null, xs) : 0, x1 = Math.max.apply(null, xs);
		if (x1 <= x0) { x0 -= 0.5; x1 += 0.5; }
		var x = plot.axis({ low: x0, high: x1, whole: o.x !== "time" }), y = plot.axis({ low: ys[0], high: ys[1], log: log });
		var X = function (v) { return L + x.at(v) * (W - L - R); };
		var Y = function (v) { return Math.max(-H, Math.min(2 * H, H - B - y.at(v) * (H - B - T))); };
		var s = svg("svg", { viewBox: "0 0 " + W + " " + H, role: "img", "aria-label": describe(d, all, o) });
		s.appendChild(svg("clipPath", { id: id }, svg("rect", { x: L - 4, y: T - 4, width: W - L - R + 8, height: H - B - T + 8 })));
		y.ticks(5).forEach(function (v) {
			s.append(svg("line", { x1: L, x2: W - R, y1: Y(v), y2: Y(v), class: "s-grid" }),
				svg("text", { x: L - 7, y: Y(v) + 3.5, "text-anchor": "end", class: "f-muted" }, text(v, d.percent)));
		});
		x.ticks(9).forEach(function (v) {
			s.appendChild(svg("text", { x: X(v), y: H - B + 15, "text-anchor": "middle", class: "f-muted" }, nab.format.short(v)));
		});
		s.appendChild(svg("text", { x: (L + W - R) / 2, y: H - 4, "text-anchor": "middle", class: "f-muted" }, names[o.x]));
		var g = s.appendChild(svg("g", { "clip-path": "url(#" + id + ")" }));
		["train", "valid"].forEach(function (part) {
			var list = all.filter(function (l) { return l.part === part; });
			if (!list.length) return;
			parts[part] = bundle(list);
			draw(g, part, list, parts[part], X, Y, log);
		});
		point(s, said, parts, X, Y, d);
		box.appendChild(s);
		return box;
	}
	function path(points, X, Y, log) {
		return plot.path(points.filter(function (p) { return known(p[0]) && known(p[1]) && (!log || p[1] > 0); })
			.map(function (p) { return [X(p[0]), Y(p[1])]; }));
	}
	function draw(g, part, list, mean, X, Y, log) {
		var xy = function (key) { return function (p) { return [p.x, p[key]]; }; };
		if (list.length > 1) {
			g.appendChild(svg("path", { class: "band " + part, d: path(mean.map(xy("high")), X, Y, log) +
				path(mean.slice().reverse().map(xy("low")), X, Y, log).replace(/^M/, "L") + "Z" }));
			list.forEach(function (l) {
				g.appendChild(svg("path", { class: "seed " + part, "data-run": l.run,
					d: path(l.x.map(function (x, k) { return [x, l.y[k]]; }), X, Y, log) }));
			});
		}
		g.appendChild(svg("path", { class: "mean " + part, d: path(mean.map(xy("y")), X, Y, log) }));
		if (mean.length <= 40) mean.forEach(function (p) {
			if (log && !(p.y > 0)) return;
			var x = X(p.x), y = Y(p.y);
			g.appendChild(part === "valid" ? svg("circle", { class: "dot " + part, cx: x, cy: y, r: 2.6, "data-y": p.y }) :
				svg("path", { class: "dot " + part, d: "M" + x + " " + (y - 3.4) + "l3.2 5.6h-6.4Z", "data-y": p.y }));
		});
	}
	function describe(d, all, o) {
		return d.title + " by " + names[o.x] + ": " + ["train", "valid"].map(function (part) {
			var list = all.filter(function (l) { return l.part === part; });
			if (!list.length) return "";
			var b = bundle(list);
			return (part === "train" ? "training " : "validation ") + text(b[0].y, d.percent) + " at first, " + text(b[b.length - 1].y, d.percent) + " at last";
		}).filter(Boolean).join("; ");
	}
	/* The numbers under the pointer. */
	function point(s, said, parts, X, Y, d) {
		var line = s.appendChild(svg("line", { class: "s-muted", y1: T, y2: H - B, visibility: "hidden" })), both = parts.valid || parts.train;
		function show(e) {
			var r = s.getBoundingClientRect(), x = (e.clientX - r.left) / r.width * W, best = 0;
			both.forEach(function (p, k) { if (Math.abs(X(p.x) - x) < Math.abs(X(both[best].x) - x)) best = k; });
			line.setAttribute("x1", X(both[best].x));
			line.setAttribute("x2", X(both[best].x));
			line.setAttribute("visibility", "visible");
			said.textContent = "epoch " + both[best].epoch + ["train", "valid"].map(function (part) {
				var p = (parts[part] || []).filter(function (q) { return q.epoch === both[best].epoch; })[0];
				return p ? ", " + (!parts.train ? "" : part === "train" ? "training " : "validation ") + (d.judged ? nab.format.metric(p.y) : nab.format.round(p.y, 4)) : "";
			}).join("");
		}
		s.addEventListener("pointermove", show);
		s.addEventListener("pointerleave", function () { line.setAttribute("visibility", "hidden"); said.textContent = ""; });
	}

	/* ---- the panel ---- */
	function check(key, label, redraw) {
		var box = make("input", { type: "checkbox", "data-curve": key, on: { change: function () { how[key] = box.checked; redraw(); } } });
		box.checked = how[key];
		return make("label", { class: "check" }, box, label);
	}
	function panel(m) {
		var charts = make("div", { class: "curves" }), shown = make("output", how.smooth.toFixed(2));
		var many = m.runs.filter(function (r) { return r.epoch.length; }).length > 1;
		function redraw() {
			charts.replaceChildren.apply(charts, Object.keys(metrics).map(function (k) { return chart(m, k, how); }));
		}
		var x = make("select", { "data-curve": "x", on: { change: function () { how.x = x.value; redraw(); } } },
			make("option", { value: "epoch" }, "epoch"), make("option", { value: "step" }, "step"), make("option", { value: "time" }, "wall clock"));
		x.value = how.x;
		var slide = make("input", { type: "range", min: 0, max: 0.95, step: 0.05, value: how.smooth, "data-curve": "smooth", "aria-label": "smoothing",
			on: { input: function () { how.smooth = +slide.value; shown.textContent = how.smooth.toFixed(2); redraw(); } } });
		redraw();
		return make("div", { class: "part" }, make("h4", "Training"),
			make("div", { class: "bar noprint" }, make("label", make("span", { class: "k" }, "x axis "), x),
				make("label", { class: "check" }, make("span", { class: "k" }, "smoothing"), slide, shown),
				check("log", "log scale", redraw), check("trim", "ignore outliers", redraw), check("train", "training", redraw), check("valid", "validation", redraw)),
			charts,
			make("div", { class: "keys" }, make("span", { class: "key curvekey valid" }, make("i"), "validation"), make("span", { class: "key curvekey train" }, make("i"), "training"),
				many ? make("span", { class: "dim" }, "line: mean over seeds; band: lowest to highest; thin: each seed") : null));
	}
	return { panel: panel, lines: lines, how: how };
})();
