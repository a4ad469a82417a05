/* report/page/plot.js - what the moving charts share: inks and the ramp of accuracy, axes with round ticks, a canvas that
 * follows its box and the theme, finding the mark under the pointer, and the tooltip
 * of a model.
 *
 *	s = nab.plot.surface(box, height, draw, over)   draw(ctx, w, h) paints everything, over(ctx, w, h) what follows
 *	                                                the pointer; s.paint(), s.paintOver() ask for it, s.canvas, s.top;
 *	                                                s.fresh() paints at once what is still to be painted
 *	a = nab.plot.axis({ low, high, log, ... })      a.at(v) is 0..1; a.value(0..1); a.ticks(most); a.text(v)
 *	g = nab.plot.grid(points)                       g.near(x, y, reach): the nearest of points [{ x, y, r, ... }]
 *	nab.plot.scales(c, { x, y, left, top, w, h }, up, across, upright)   ticks and titles of two axes, lines at the ticks
 */
nab.plot = (function () {
	"use strict";
	var rows = nab.rows, f = nab.format, inks = {}, surfaces = [], brush = null, brushed = [];

	/* ---- colours ---- */
	/* Accuracy is lightness alone (REMAP's grey ramp), so that it reads with every kind of colour blindness and in print;
	 * the hue drifts from green to violet only to tell neighbours apart. On dark paper the best is the brightest. */
	var ramps = { light: ["#dbeee2", "#93d2b8", "#48a7a6", "#35789d", "#384983", "#231a3c"],
		dark: ["#403f73", "#3a6397", "#3b90a8", "#56bfa8", "#a5dfbf", "#effaf0"] };
	ramps.light = ramps.light.map(parts);
	ramps.dark = ramps.dark.map(parts);
	function parts(hex) { return [1, 3, 5].map(function (i) { return parseInt(hex.substr(i, 2), 16); }); }
	function color(t, alpha) {
		var list = nab.dark() ? ramps.dark : ramps.light, x = Math.max(0, Math.min(1, t)) * (list.length - 1);
		var k = Math.min(list.length - 2, Math.floor(x)), c = [0, 1, 2].map(function (i) {
			return Math.round(list[k][i] + (list[k + 1][i] - list[k][i]) * (x - k));
		}).join(",");
		return alpha === undefined ? "rgb(" + c + ")" : "rgba(" + c + "," + alpha + ")";
	}
	function ink(name) { return inks[name] || (inks[name] = nab.css(name)); }
	nab.on("theme", function () {
		inks = {};
		surfaces.forEach(function (s) { s.paint(); });
	});
	var font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif";
	function type(size, bold) { return (bold ? "600 " : "") + size + "px " + font; }
	function calm() { return matchMedia("(prefers-reduced-motion: reduce)").matches; }

	/* ---- axes ---- */
	function axis(a) {
		var lo = a.log ? Math.log10(a.low) : a.low, hi = a.log ? Math.log10(a.high) : a.high;
		function at(v) { return v === null || v === undefined || a.log && v <= 0 ? NaN : ((a.log ? Math.log10(v) : v) - lo) / (hi - lo); }
		function value(t) { var v = lo + (hi - lo) * t; return a.log ? Math.pow(10, v) : v; }
		function ticks(most) {
			var out = [], low = a.log ? Math.pow(10, lo) : lo, high = a.log ? Math.pow(10, hi) : hi, step, k, power, each;
			if (a.log && hi - lo > 0.7) {
				each = hi - lo > most / 2 ? [1] : hi - lo > most / 3.5 ? [1, 3] : [1, 2, 5];
				power = Math.max(1, Math.ceil((hi - lo) / most));
				for (k = Math.floor(lo); k <= hi; k += power)
					each.forEach(function (m) { var v = m * Math.pow(10, k); if (v >= low * 0.9999 && v <= high * 1.0001) out.push(+v.toPrecision(12)); });
				return out;
			}
			step = Math.pow(10, Math.floor(Math.log10((high - low) / most)));
			each = (high - low) / step / most;
			step *= each > 5 ? 10 : each > 2 ? 5 : each > 1 ? 2 : 1;
			if (a.whole) step = Math.max(1, step);
			for (k = Math.ceil(low / step - 1e-9); k * step <= high * (1 + 1e-12) + 1e-12; k++) out.push(+(k * step).toPrecision(12));
			return out;
		}
		function text(v) { return a.text ? a.text(v) : tick(v, a); }
		return { at: at, value: value, ticks: ticks, text: text, log: a.log, low: a.low, high: a.high };
	}
	/* Like f.short(), with the digits that tell neighbouring ticks apart. */
	function thousands(v) {
		var units = ["k", "M", "G", "T"], k = 0;
		for (v /= 1000; Math.abs(v) >= 1000 && k < 3; k++) v /= 1000;
		return +v.toPrecision(4) + units[k];
	}
	function tick(v, a) {
		if (a.share) return +(100 * v).toPrecision(6) + " %";
		if (a.seconds) return v < 60 ? (v < 0.1 && v > 0 ? +(1000 * v).toPrecision(3) + " ms" : +v.toPrecision(4) + " s") : v < 3600 ? +(v / 60).toPrecision(3) + " min" : +(v / 3600).toPrecision(3) + " h";
		return Math.abs(v) >= 1000 ? thousands(v) : String(+v.toPrecision(6));
	}
	/* Lowest and highest of the values with a margin, fit for axis(). */
	function range(values, log, margin) {
		var lo = Infinity, hi = -Infinity, pad;
		values.forEach(function (v) {
			if (!nab.known(v) || log && v <= 0) return;
			lo = Math.min(lo, v); hi = Math.max(hi, v);
		});
		if (lo > hi) return [log ? 1 : 0, log ? 10 : 1];
		if (log) {
			pad = hi > lo ? Math.pow(hi / lo, margin) : 2;
			return [lo / pad, hi * pad];
		}
		pad = hi > lo ? (hi - lo) * margin : Math.abs(hi) * 0.1 || 1;
		return [lo - pad, hi + pad];
	}
	/* Positive values that span more than this factor stand better on a logarithmic axis. */
	function spans(values, factor) {
		var lo = Infinity, hi = 0;
		values.forEach(function (v) { if (nab.known(v)) { lo = Math.min(lo, v); hi = Math.max(hi, v); } });
		return lo > 0 && hi / lo > factor && hi < Infinity;
	}

	function line(c, x1, y1, x2, y2) { c.beginPath(); c.moveTo(x1, y1); c.lineTo(x2, y2); c.stroke(); }
	function scales(c, a, up, across, upright) {
		c.font = type(12); c.lineWidth = 1; c.textBaseline = "middle";
		a.y.ticks(Math.max(3, a.h / 60)).forEach(function (v) {
			var y = Math.round(a.top + a.h * (1 - a.y.at(v))) + 0.5;
			c.strokeStyle = ink("grid"); line(c, a.left, y, a.left + a.w, y);
			c.fillStyle = ink("muted"); c.textAlign = "right"; c.fillText(a.y.text(v), a.left - 8, y);
		});
		a.x.ticks(Math.max(3, a.w / 90)).forEach(function (v) {
			var x = Math.round(a.left + a.w * a.x.at(v)) + 0.5;
			c.strokeStyle = ink("grid");
			if (upright) line(c, x, a.top, x, a.top + a.h);
			c.fillStyle = ink("muted"); c.textAlign = "center"; c.fillText(a.x.text(v), x, a.top + a.h + 14);
		});
		c.fillStyle = ink("text"); c.font = type(12.5, true);
		c.textAlign = "left"; c.fillText("\u2191 " + up, 4, 12);
		c.textAlign = "right"; c.fillText(across + " \u2192", a.left + a.w, a.top + a.h + 36);
	}
	/* The d of an SVG path through points [[x, y], ...]. */
	function path(points) {
		return points.map(function (p, k) { return (k ? "L" : "M") + p[0].toFixed(1) + " " + p[1].toFixed(1); }).join("");
	}

	/* ---- canvas ---- */
	function surface(box, height, draw, over) {
		var s = { canvas: nab.make("canvas"), top: nab.make("canvas", { class: "top", "aria-hidden": "true" }), w: 0, h: 0 };
		var holder = nab.make("div", { class: "surface" }, s.canvas, s.top), wanted = 0;
		box.appendChild(holder);
		function prepare(canvas) {
			var scale = window.devicePixelRatio || 1, c;
			if (canvas.width !== Math.round(s.w * scale) || canvas.height !== Math.round(s.h * scale)) {
				canvas.width = Math.round(s.w * scale);
				canvas.height = Math.round(s.h * scale);
			}
			c = canvas.getContext("2d");
			c.setTransform(scale, 0, 0, scale, 0, 0);
			c.clearRect(0, 0, s.w, s.h);
			return c;
		}
		s.now = function (all) {
			if (all) s.stale = false;
			s.w = holder.clientWidth;
			s.h = typeof height === "function" ? height(s.w) : height;
			if (!s.w) return;
			holder.style.height = s.h + "px";
			if (all) draw(prepare(s.canvas), s.w, s.h);
			if (over) over(prepare(s.top), s.w, s.h);
		};
		s.seen = nab.data.n <= 2000; /* of more models, what nobody sees is painted when it comes into sight, or is asked for */
		function ask(level) {
			if (level > 1) s.stale = true;
			if (!s.seen) return;
			if (!wanted) requestAnimationFrame(function () { var all = s.stale; wanted = 0; if (all || s.seen) s.now(all); });
			wanted = Math.max(wanted, level);
		}
		s.fresh = function () { if (s.stale) s.now(true); };
		if (!s.seen) new IntersectionObserver(function (list) {
			s.seen = list[list.length - 1].isIntersecting;
			if (s.seen) ask(s.stale ? 2 : 1);
		}, { rootMargin: "200px" }).observe(holder);
		s.paint = function () { ask(2); };
		s.paintOver = function () { ask(1); };
		s.holder = holder;
		holder.style.height = (typeof height === "function" ? height(holder.clientWidth) : height) + "px"; /* nothing jumps when it is painted */
		new ResizeObserver(function () { if (holder.clientWidth !== s.w) s.paint(); }).observe(holder);
		surfaces.push(s);
		return s;
	}
	/* ---- finding ---- */
	function grid(points) {
		var size = 24, cells = new Map();
		points.forEach(function (p, i) {
			var key = Math.floor(p.x / size) * 65536 + Math.floor(p.y / size), cell = cells.get(key);
			if (cell) cell.push(i); else cells.set(key, [i]);
		});
		function near(x, y, reach) {
			var best = null, least = Infinity, a = Math.floor(x / size), b = Math.floor(y / size), k = Math.ceil(reach / size);
			for (var i = a - k; i <= a + k; i++)
				for (var j = b - k; j <= b + k; j++)
					(cells.get(i * 65536 + j) || []).forEach(function (n) {
						var p = points[n], d = Math.max(0, Math.hypot(p.x - x, p.y - y) - p.r);
						if (d <= reach && (d < least || d === least && n > best.n)) { least = d; best = { n: n, p: p }; }
					});
			return best && best.p;
		}
		return { near: near };
	}
	function box(event, canvas) { var r = canvas.getBoundingClientRect(); return [event.clientX - r.left, event.clientY - r.top]; }

	/* ---- marks ---- */
	function radius() { /* log of the parameters over 3..7 pixels (REMAP) */
		var lo = Infinity, hi = -Infinity;
		rows.params.forEach(function (p) { if (p > 0) { lo = Math.min(lo, p); hi = Math.max(hi, p); } });
		return function (params) {
			return !(params > 0) ? 3 : hi > lo ? 3 + 4 * Math.log(params / lo) / Math.log(hi / lo) : 5;
		};
	}
	function kind(row) { return rows.origin[row] === "baseline" ? "square" : rows.inherited[row] ? "diamond" : "disc"; }
	function shape(c, how, x, y, r) {
		c.beginPath();
		if (how === "square") c.rect(x - r * 0.9, y - r * 0.9, 1.8 * r, 1.8 * r);
		else if (how === "diamond") { c.moveTo(x, y - 1.25 * r); c.lineTo(x + 1.25 * r, y); c.lineTo(x, y + 1.25 * r); c.lineTo(x - 1.25 * r, y); c.closePath(); }
		else c.arc(x, y, r, 0, 2 * Math.PI);
	}
	function ring(c, x, y, r, name, width) {
		c.beginPath(); c.arc(x, y, r, 0, 2 * Math.PI);
		c.lineWidth = width + 2; c.strokeStyle = ink("card"); c.stroke();
		c.lineWidth = width; c.strokeStyle = ink(name); c.stroke();
	}
	/* Text with a rim of paper, so that it reads over lines. */
	function words(c, text, x, y) {
		c.lineWidth = 3; c.lineJoin = "round"; c.strokeStyle = ink("card");
		c.strokeText(text, x, y);
		c.fillText(text, x, y);
	}

	/* ---- tooltip ---- */
	function interval(v) {
		return !v ? "not known" : f.metric(v.value) + (nab.known(v.low) ? "  [" + f.metric(v.low) + " to " + f.metric(v.high) + "]" : "");
	}
	function describe(row) {
		var rank = nab.placeText(row);
		return rows.label[row] + ", " + interval(nab.judge(row)) + (nab.selective() ? " on " + nab.judgedBy() : "") + ", " + f.whole(rows.params[row]) + " parameters" + (rank ? ", rank " + rank : "");
	}
	var tip = document.body.appendChild(nab.make("div", { class: "tip card noprint", hidden: true, "aria-hidden": "true" }));
	function showTip(row, at) {
		var list = nab.make("dl"), v = nab.judge(row), rank = nab.placeText(row), w, x, y;
		[[nab.data.metric.name, interval(v)], nab.selective() ? ["on", nab.judgedBy()] : null,
		 rows.state[row] === "done" ? null : [rows.state[row], rows.reason[row] || ""],
		 ["training", f.metric(rows.train[row])], ["parameters", f.whole(rows.params[row])], ["epochs", f.round(rows.epochs[row], 3)],
		 rank ? ["rank", rank] : null].forEach(function (p) {
			if (p && p[1]) list.append(nab.make("dt", p[0]), nab.make("dd", p[1]));
		});
		tip.replaceChildren(nab.make("b", rows.label[row]), nab.make("span", { class: "dim" }, rows.origin[row] === "search" ? "" : rows.origin[row]), nab.chips(row, "") || "", list);
		tip.hidden = false;
		w = tip.getBoundingClientRect();
		x = at[0] + 18 + w.width > document.documentElement.clientWidth ? at[0] - 18 - w.width : at[0] + 18;
		y = Math.max(8, Math.min(at[1] - w.height / 2, window.innerHeight - w.height - 8));
		tip.style.left = Math.max(4, x) + scrollX + "px";
		tip.style.top = y + scrollY + "px";
	}
	/* The pointer (or the focus) is on the mark of a model; it has left. */
	function hover(row, at) { nab.set({ hover: row }); showTip(row, at); }
	function leave() { nab.set({ hover: -1 }); tip.hidden = true; }

	/* ---- brush: models left out by the parallel coordinates ---- */
	function setBrush(keep) { brush = keep; brushed.forEach(function (g) { g(); }); }
	function shown(row) { return nab.visible(row) && (!brush || brush(row)); }
	function onBrush(g) { brushed.push(g); }

	return { color: color, ink: ink, type: type, calm: calm, axis: axis, range: range, spans: spans, line: line, scales: scales, path: path,
		surface: surface, grid: grid, at: box, radius: radius, kind: kind, shape: shape, ring: ring, words: words, interval: interval, describe: describe,
		hover: hover, leave: leave, setBrush: setBrush, onBrush: onBrush, shown: shown };
})();
