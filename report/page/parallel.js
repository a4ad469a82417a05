/* report/page/parallel.js - parallel coordinates: an axis for each hyper-parameter that varies, the costs, the accuracy;
 * a line for each model, coloured by accuracy. A brush on an axis keeps the models that pass through it, everywhere on
 * the page where models are marks. What has no value on an axis runs below it, so that no failure flattens a scale. */
nab.view("parallel", function (section) {
	"use strict";
	var rows = nab.rows, plot = nab.plot, f = nab.format, make = nab.make, share = nab.data.classify, column = nab.column, judged = nab.value;
	var axes = [], brushes = {}, top = 100, chart = null, drag = null, painted = null, at = {}, cut = -Infinity;
	var margin = { left: 24, right: 44, top: 58, bottom: 34 }, RAIL = 22;

	/* ---- axes ---- */
	function make_axis(key, title, value, how) {
		var a = { key: key, title: title, value: value }, list = [], seen = {}, names;
		rows.label.forEach(function (l, row) { var v = value(row); if (v !== null && v !== undefined && v === v && v !== Infinity) { list.push(v); seen[v] = (seen[v] || 0) + 1; } });
		names = Object.keys(seen);
		if (!how.always && names.length < 2) return null;
		if (list.some(function (v) { return typeof v !== "number"; })) {
			a.names = names.sort();
			return a.names.length <= 40 ? a : null;
		}
		a.values = list; a.how = how;
		a.few = names.length <= 6 && !how.always ? names.map(Number).sort(function (x, y) { return x - y; }) : null;
		return a;
	}
	Object.keys(rows.hyper || {}).forEach(function (key) {
		axes.push(make_axis("hyper " + key, key, function (row) { var v = rows.hyper[key][row]; return typeof v === "boolean" ? String(v) : v; }, {}));
	});
	axes.push(make_axis("epochs", "epochs", column("epochs"), { whole: true }), make_axis("depth", "depth", column("depth"), { whole: true }),
		make_axis("layers", "layers", column("layers"), { whole: true }), make_axis("params", "parameters", column("params"), {}),
		make_axis("macs", "multiply-adds", column("macs"), {}), make_axis("seconds", "training time", column("seconds"), { seconds: true }),
		make_axis("forward", "forward time", column("forward"), { seconds: true }), make_axis("accuracy", nab.data.metric.name, judged, { share: share, always: true }));
	axes = axes.filter(Boolean);
	var whole = axes.slice();

	/* Where the value stands on its axis: 0 below, 1 above; NaN: no value. */
	function scale(a) {
		var list, r, log;
		if (a.names) {
			a.at = function (v) { var k = v === null || v === undefined ? -1 : a.names.indexOf(String(v)); return k < 0 ? NaN : a.names.length > 1 ? 0.04 + 0.92 * (1 - k / (a.names.length - 1)) : 0.5; };
			a.ticks = a.names.map(function (n) { return [a.at(n), n || "(empty)"]; });
			return;
		}
		list = a.key === "accuracy" ? rows.label.map(function (l, row) { return judged(row); }) : a.values;
		log = a.key !== "accuracy" && plot.spans(list, a.how.whole ? 40 : 9);
		r = plot.range(list, log, 0.03);
		a.axis = plot.axis({ low: r[0], high: r[1], log: log, share: a.how.share, seconds: a.how.seconds, whole: a.how.whole });
		a.at = a.axis.at;
		a.log = log;
		a.ticks = (a.few || a.axis.ticks(7)).map(function (v) { return [a.axis.at(v), a.axis.text(v)]; });
	}

	/* ---- what is kept ---- */
	function inside(a, row) {
		var b = brushes[a.key], t = a.at(a.value(row));
		return !b || t === t && t >= b[0] && t <= b[1];
	}
	function kept(row) {
		var v;
		if (!axes.every(function (a) { return inside(a, row); })) return false;
		if (top >= 100) return true;
		v = judged(row);
		return v !== null && v >= cut;
	}
	function count() { /* the best per cent of those with a result */
		var list = rows.label.map(function (l, row) { return judged(row); }).filter(nab.known).sort(function (a, b) { return b - a; });
		cut = list.length ? list[Math.max(0, Math.ceil(list.length * top / 100) - 1)] : -Infinity;
	}
	function active() { return top < 100 || Object.keys(brushes).length > 0; }
	function changed() {
		count();
		clear.hidden = !active();
		plot.setBrush(active() ? kept : null);
		words();
		chart.paint();
	}
	function words() {
		var n = rows.label.filter(function (l, row) { return plot.shown(row); }).length;
		note.textContent = n + " of " + nab.data.n + " models pass" + (active() ? ": " + axes.filter(function (a) { return brushes[a.key]; }).map(limits).concat(top < 100 ? ["the best " + top + " % by " + nab.data.metric.name] : []).join(", ") : "") + ".";
		chart.canvas.setAttribute("aria-label", "Parallel coordinates of " + nab.data.n + " models over " + axes.map(function (a) { return a.title; }).join(", ") + ". " + note.textContent);
	}
	function limits(a) {
		var b = brushes[a.key], list;
		if (a.names) {
			list = a.names.filter(function (n) { var t = a.at(n); return t >= b[0] && t <= b[1]; });
			return a.title + " is " + list.join(" or ");
		}
		return a.title + " from " + a.axis.text(+a.axis.value(Math.max(0, b[0])).toPrecision(3)) + " to " + a.axis.text(+a.axis.value(Math.min(1, b[1])).toPrecision(3));
	}

	/* ---- painting ---- */
	function x(k) { return axes.length > 1 ? margin.left + 30 + (chart.w - margin.left - margin.right - 60) * k / (axes.length - 1) : chart.w / 2; }
	function y(t) { return t === t ? margin.top + high() * (1 - t) : chart.h - margin.bottom + RAIL; }
	function high() { return chart.h - margin.top - margin.bottom; }
	function path(c, row) {
		axes.forEach(function (a, k) {
			var px = x(k), py = y(a.at(a.value(row))), before = k && x(k - 1), mid = (before + px) / 2, last = k && at.last;
			if (!k) c.moveTo(px, py);
			else if (nab.data.n > 2000) c.lineTo(px, py);
			else c.bezierCurveTo(mid, last, mid, py, px, py);
			at.last = py;
		});
	}
	function paint(c) {
		var shade = nab.darkness(), mine = painted = {}, list = rows.label.map(function (l, row) { return { row: row, t: shade(row), on: plot.shown(row) }; });
		axes.forEach(scale);
		list.sort(function (a, b) { return a.on - b.on || (a.t === null ? 2 : a.t) - (b.t === null ? 2 : b.t); });
		rulers(c);
		place();
		/* a thousand at a time: who has thousands of models can go on reading meanwhile */
		(function some(from) {
			if (mine !== painted) return;
			list.slice(from, from + 1000).forEach(function (p) { stroke(c, p); });
			c.globalAlpha = 1; c.setLineDash([]);
			if (from + 1000 < list.length) requestAnimationFrame(function () { some(from + 1000); });
			else rulers(c);
		})(0);
	}
	function stroke(c, p) {
		var dense = Math.max(0.12, Math.min(0.75, 40 / Math.sqrt(nab.data.n) / 8));
		c.lineJoin = "round";
		c.beginPath(); path(c, p.row);
		c.setLineDash(p.t === null ? [3, 3] : []);
		c.strokeStyle = !p.on ? plot.ink("grid") : p.t === null ? plot.ink("bad") : plot.color(p.t, dense + (1 - dense) * 0.6 * p.t);
		c.globalAlpha = !p.on ? Math.min(0.6, 3 * dense) : p.t === null ? Math.max(0.25, dense) : 1;
		c.lineWidth = !p.on ? 1 : nab.data.n > 800 ? 1 : 1 + 0.9 * (p.t || 0);
		c.stroke();
	}
	function rulers(c) { axes.forEach(function (a, k) { ruler(c, a, x(k), k === 0); }); }
	function ruler(c, a, px, outside) { /* the first axis has room on its free side */
		var room = axes.length > 1 ? x(1) - x(0) - 14 : 300, taken = -Infinity;
		c.strokeStyle = plot.ink("muted"); c.lineWidth = 1;
		c.beginPath(); c.moveTo(px, y(0)); c.lineTo(px, y(1)); c.stroke();
		c.font = plot.type(11); c.textAlign = outside ? "right" : "left"; c.textBaseline = "middle";
		if (outside) room = px - 10;
		a.ticks.slice().sort(function (p, q) { return q[0] - p[0]; }).forEach(function (t) {
			var py = y(t[0]), text = String(t[1]);
			c.beginPath(); c.moveTo(px - 3, py); c.lineTo(px + 3, py); c.stroke();
			if (py - taken < 13) return;
			taken = py;
			while (text.length > 3 && c.measureText(text).width > room) text = text.slice(0, -2) + "\u2026";
			c.fillStyle = plot.ink("text");
			plot.words(c, text, px + (outside ? -6 : 6), py);
		});
		if (rows.label.some(function (l, row) { var t = a.at(a.value(row)); return t !== t; })) {
			c.fillStyle = plot.ink("muted"); c.textAlign = "center";
			plot.words(c, "none", px, y(NaN) + 1);
		}
	}
	function over(c) {
		axes.forEach(function (a, k) {
			var b = brushes[a.key];
			if (!b) return;
			c.fillStyle = plot.ink("line-0"); c.globalAlpha = 0.22;
			c.fillRect(x(k) - 8, y(b[1]), 16, y(b[0]) - y(b[1]));
			c.globalAlpha = 1; c.strokeStyle = plot.ink("line-0"); c.lineWidth = 1.5;
			c.strokeRect(x(k) - 8, y(b[1]), 16, y(b[0]) - y(b[1]));
		});
		[nab.state.current, nab.state.hover].forEach(function (row, k) {
			if (row < 0 || !axes[0] || !axes[0].at) return;
			c.beginPath(); path(c, row);
			c.strokeStyle = plot.ink("card"); c.lineWidth = k ? 6 : 4; c.stroke();
			c.strokeStyle = plot.ink("line-1"); c.lineWidth = k ? 3 : 1.8; c.stroke();
			rulers(c);
		});
		if (drag && drag.head) {
			c.strokeStyle = plot.ink("line-0"); c.lineWidth = 2;
			c.beginPath(); c.moveTo(drag.x, margin.top - 10); c.lineTo(drag.x, chart.h - margin.bottom); c.stroke();
		}
	}

	/* ---- heads of the axes: names that can be dragged, with keys to move and to brush ---- */
	function place() {
		nab.all(".axis", heads).forEach(function (h, k) {
			var room = axes.length > 1 ? x(1) - x(0) : chart.w;
			h.style.left = x(k) + "px";
			h.style.top = (k % 2 && room < 130 ? 22 : 2) + "px";
			h.style.maxWidth = (room < 130 ? 2 * room - 12 : room - 8) + "px";
		});
	}
	function build(focus) {
		heads.replaceChildren.apply(heads, axes.map(function (a, k) {
			return make("button", { class: "axis", "data-axis": a.key, title: a.title + " \u2013 drag or arrow keys move this axis; up and down brush it, Escape lets go", on: {
				pointerdown: function (e) { drag = { head: a, x: x(k), from: e.clientX }; e.currentTarget.setPointerCapture(e.pointerId); },
				pointermove: function (e) { if (drag && drag.head === a) { drag.x = plot.at(e, chart.canvas)[0]; chart.paintOver(); } },
				pointerup: function (e) { var d = drag; drag = null; if (d && d.head && Math.abs(e.clientX - d.from) > 5) shift(a, nearest(d.x)); chart.paintOver(); },
				keydown: function (e) { headKey(e, a, k); }
			} }, a.title, a.log ? make("span", { class: "dim" }, " log") : null);
		}));
		if (focus) nab.all(".axis", heads)[axes.indexOf(focus)].focus();
		if (chart.w) place();
	}
	function nearest(px) { var best = 0; axes.forEach(function (a, k) { if (Math.abs(x(k) - px) < Math.abs(x(best) - px)) best = k; }); return best; }
	function shift(a, to) {
		var from = axes.indexOf(a);
		if (to < 0 || to >= axes.length || to === from) return;
		axes.splice(to, 0, axes.splice(from, 1)[0]);
		build(a);
		words();
		chart.paint();
	}
	function headKey(e, a, k) {
		var b = brushes[a.key] || [0, 1], step = 0.05;
		if (e.key === "ArrowLeft") shift(a, k - 1);
		else if (e.key === "ArrowRight") shift(a, k + 1);
		else if (e.key === "ArrowUp") setBrush(a, e.shiftKey ? [b[0], Math.min(1, b[1] + step)] : [Math.min(b[1] - step, b[0] + step), b[1]]);
		else if (e.key === "ArrowDown") setBrush(a, e.shiftKey ? [b[0], Math.max(b[0] + step, b[1] - step)] : [Math.max(0, b[0] - step), b[1]]);
		else if (e.key === "Escape") setBrush(a, null);
		else return;
		e.preventDefault();
	}
	function setBrush(a, b) {
		if (!b || b[0] <= 0 && b[1] >= 1 || b[1] - b[0] < 0.005) delete brushes[a.key];
		else brushes[a.key] = b;
		changed();
		chart.paintOver();
	}

	/* ---- pointer ---- */
	function share_at(py) { return Math.max(0, Math.min(1, 1 - (py - margin.top) / high())); }
	function axisAt(p) { var k = nearest(p[0]); return Math.abs(x(k) - p[0]) < 14 && p[1] > margin.top - 10 && p[1] < chart.h - margin.bottom + 10 ? axes[k] : null; }
	function lineAt(p) { /* the shown model whose line is nearest, within 7 pixels */
		var k = -1, best = null, least = 7, t, s;
		while (k + 1 < axes.length - 1 && x(k + 1) <= p[0]) k++;
		if (k < 0 || k + 1 >= axes.length) return null;
		t = (p[0] - x(k)) / (x(k + 1) - x(k));
		s = along(t);
		rows.label.forEach(function (l, row) {
			var a, b, d;
			if (!plot.shown(row)) return;
			a = y(axes[k].at(axes[k].value(row))); b = y(axes[k + 1].at(axes[k + 1].value(row)));
			d = Math.abs(a + (b - a) * s - p[1]);
			if (d < least || best !== null && d === least && (judged(row) || 0) > (judged(best) || 0)) { least = d; best = row; }
		});
		return best;
	}
	function along(t) { /* height of the curve of path() at the share t of its width: 1.5 u (1 - u) + u^3 = t, solved for u */
		var a = 0, b = 1, u, k;
		if (nab.data.n > 2000) return t; /* straight */
		for (k = 0; k < 24; k++) {
			u = (a + b) / 2;
			if (1.5 * u * (1 - u) + u * u * u < t) a = u; else b = u;
		}
		return u * u * (3 - 2 * u);
	}
	function move(e) {
		var p = plot.at(e, chart.canvas), row;
		if (drag && drag.axis) {
			setBrush(drag.axis, [Math.min(drag.from, share_at(p[1])), Math.max(drag.from, share_at(p[1]))]);
			drag.moved = true;
			return;
		}
		if (axisAt(p)) { chart.top.style.cursor = "ns-resize"; return plot.leave(); }
		row = lineAt(p);
		chart.top.style.cursor = row === null ? "default" : "pointer";
		if (row === null) return plot.leave();
		plot.hover(row, [e.clientX, e.clientY]);
	}

	/* ---- controls ---- */
	var slider = make("input", { id: "parallel-top", type: "range", min: 1, max: 100, value: 100, on: { input: function () { top = +slider.value; amount.textContent = top + " %"; changed(); } } });
	var amount = make("span", { class: "k" }, "100 %"), clear = make("button", { hidden: true, on: { click: function () {
		brushes = {}; top = 100; slider.value = 100; amount.textContent = "100 %";
		changed(); chart.paintOver();
	} } }, "let all pass");
	section.append(make("p", { class: "sub" }, "A line is a model. Drag along an axis to keep the models that pass through a range, here and wherever models are marks; drag an axis by its name to move it."),
		make("div", { class: "card pad" }, make("div", { class: "bar noprint" }, make("label", { class: "k", for: "parallel-top" }, "only the best"), slider, amount, clear)));
	var card = section.lastChild, scroll = card.appendChild(make("div", { class: "scroll" })), stage = scroll.appendChild(make("div", { class: "parallel" }));
	stage.style.minWidth = Math.min(2400, 64 * axes.length + 60) + "px";
	chart = plot.surface(stage, function () { return 420; }, paint, over);
	var heads = chart.holder.appendChild(make("div", { class: "heads" })), note = card.appendChild(make("p", { class: "note", "aria-live": "polite" }));
	chart.canvas.setAttribute("role", "img");
	axes.forEach(scale);
	build();
	chart.top.addEventListener("pointerdown", function (e) {
		var p = plot.at(e, chart.canvas), a = axisAt(p);
		if (e.button || !a) return;
		drag = { axis: a, from: share_at(p[1]), moved: false };
		chart.top.setPointerCapture(e.pointerId);
	});
	chart.top.addEventListener("pointermove", move);
	chart.top.addEventListener("pointerleave", function () { if (!drag) plot.leave(); });
	chart.top.addEventListener("pointerup", function (e) {
		var d = drag, row = lineAt(plot.at(e, chart.canvas));
		drag = null;
		if (d) { if (!d.moved) setBrush(d.axis, null); }
		else if (row !== null && e.shiftKey) nab.pin(row);
		else if (row !== null) nab.choose(row, false);
	});
	chart.top.addEventListener("pointercancel", function () { drag = null; });
	nab.on("judge", function () { axes.forEach(scale); if (active()) changed(); else { words(); chart.paint(); } });
	nab.on("filter", function () { words(); chart.paint(); });
	nab.on("hover", chart.paintOver);
	nab.on("current", chart.paintOver);
	nab.parallel = {
		axes: function () { return axes.map(function (a) { return a.key; }); },
		at: function (key, row) { var a = whole.filter(function (b) { return b.key === key; })[0]; return a.at(a.value(row)); },
		place: function (key, t) { chart.fresh(); var k = axes.map(function (a) { return a.key; }).indexOf(key); return [x(k), y(t)]; },
		brush: function (key, range) { setBrush(whole.filter(function (a) { return a.key === key; })[0], range); },
		shown: function () { return rows.label.map(function (l, row) { return row; }).filter(plot.shown); }
	};
});
