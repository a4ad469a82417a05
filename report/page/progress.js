/* report/page/progress.js - how the search went: each candidate in the order of proposal, the best so far, a moving
 * average with a band of one standard deviation, baselines and targets as lines. nab.progress tells what was drawn. */
nab.view("progress", function (section, data) {
	"use strict";
	var rows = nab.rows, plot = nab.plot, f = nab.format, make = nab.make, live = section.querySelector(".live");
	var mode = "candidates", points = [], steps = [], finder = null, axes = null, size = plot.radius(), id = nab.data.overview.id;
	var margin = { left: 66, right: 24, top: 30, bottom: 48 }, share = nab.data.classify;
	var sequence = rows.label.map(function (l, row) { return row; }).filter(function (row) { return rows.origin[row] !== "baseline"; })
		.sort(function (a, b) { return id[a] - id[b]; });
	var timed = data.device.some(function (s) { return s > 0; });
	if (!live) return;

	/* [{ row, x, v }]: v null for those without a result */
	function series() {
		var sum = 0;
		return sequence.map(function (row, k) {
			sum += data.device[row] || 0;
			return { row: row, x: mode === "seconds" ? sum : k + 1, v: nab.value(row), counts: row < nab.data.ranked };
		});
	}
	function best(list) {
		var top = -Infinity, out = [];
		list.forEach(function (p) {
			if (p.v === null || !p.counts || p.v <= top) return;
			top = p.v;
			out.push(p);
		});
		return out;
	}
	function average(list) { /* of the last `wide` results: [{ x, mean, sd }] */
		var known = list.filter(function (p) { return p.v !== null; }), wide = Math.max(5, Math.round(known.length / 15)), out = [], k, part, mean, sd;
		for (k = wide - 1; k < known.length; k++) {
			part = known.slice(k - wide + 1, k + 1).map(function (p) { return p.v; });
			mean = part.reduce(function (a, b) { return a + b; }, 0) / wide;
			sd = Math.sqrt(part.reduce(function (a, v) { return a + (v - mean) * (v - mean); }, 0) / (wide - 1));
			out.push({ x: known[k].x, mean: mean, sd: sd });
		}
		out.wide = wide;
		return out;
	}
	function bases() {
		return rows.label.map(function (l, row) { return row; }).filter(function (row) { return rows.origin[row] === "baseline" && nab.judge(row); })
			.sort(function (a, b) { return nab.judge(b).value - nab.judge(a).value; });
	}
	function target() { return !nab.selective() && nab.known(data.accuracy) ? data.accuracy : null; }

	/* ---- painting ---- */
	function px(v) { return axes.left + axes.w * axes.x.at(v); }
	function py(v) { return axes.top + axes.h * (1 - axes.y.at(v)); }
	function paint(c, w, h) {
		var list = series(), shade = nab.darkness(), mean = average(list), values = list.map(function (p) { return p.v; });
		var y = plot.range(values.concat(bases().map(function (row) { return nab.judge(row).value; }), target()), false, 0.07), last = list.length ? list[list.length - 1].x : 1;
		steps = best(list);
		axes = { left: margin.left, top: margin.top, w: w - margin.left - margin.right, h: h - margin.top - margin.bottom,
			x: plot.axis({ low: 0, high: last * 1.02 || 1, seconds: mode === "seconds", whole: mode !== "seconds" }), y: plot.axis({ low: y[0], high: y[1], share: share }) };
		plot.scales(c, axes, "validation " + nab.data.metric.name + (nab.selective() ? " on " + nab.judgedBy() : ""),
			mode === "seconds" ? "seconds of training, summed up" : "candidates, in the order of proposal");
		c.save(); c.beginPath(); c.rect(axes.left, axes.top - 6, axes.w, axes.h + 12); c.clip();
		band(c, mean);
		lines(c);
		stairs(c, last);
		marks(c, list, shade);
		c.restore();
		names(c);
		words(list, mean);
	}
	function band(c, mean) {
		if (mean.length < 2) return;
		c.beginPath();
		mean.forEach(function (p, k) { c[k ? "lineTo" : "moveTo"](px(p.x), py(p.mean + p.sd)); });
		mean.slice().reverse().forEach(function (p) { c.lineTo(px(p.x), py(p.mean - p.sd)); });
		c.closePath(); c.fillStyle = plot.ink("line-5"); c.globalAlpha = 0.16; c.fill(); c.globalAlpha = 1;
		c.beginPath();
		mean.forEach(function (p, k) { c[k ? "lineTo" : "moveTo"](px(p.x), py(p.mean)); });
		c.strokeStyle = plot.ink("line-5"); c.lineWidth = 2; c.stroke();
	}
	function lines(c) {
		c.lineWidth = 1.2; c.strokeStyle = plot.ink("line-1"); c.setLineDash([6, 4]);
		bases().forEach(function (row) { plot.line(c, axes.left, py(nab.judge(row).value), axes.left + axes.w, py(nab.judge(row).value)); });
		c.setLineDash([2, 3]); c.strokeStyle = plot.ink("line-2"); c.lineWidth = 1.6;
		if (target() !== null) plot.line(c, axes.left, py(target()), axes.left + axes.w, py(target()));
		if (mode === "seconds" && nab.known(data.seconds)) plot.line(c, px(data.seconds), axes.top, px(data.seconds), axes.top + axes.h);
		c.setLineDash([]);
	}
	function stairs(c, last) {
		if (!steps.length) return;
		c.beginPath();
		steps.forEach(function (p, k) {
			if (!k) c.moveTo(px(p.x), py(p.v));
			else { c.lineTo(px(p.x), py(steps[k - 1].v)); c.lineTo(px(p.x), py(p.v)); }
		});
		c.lineTo(px(last), py(steps[steps.length - 1].v));
		c.strokeStyle = plot.ink("text"); c.lineWidth = 2; c.lineJoin = "round"; c.stroke();
	}
	function marks(c, list, shade) {
		var many = list.length > 1000;
		points = [];
		list.forEach(function (p) {
			var at = { row: p.row, x: px(p.x), y: p.v === null ? axes.top + axes.h - 7 : py(p.v), r: (many ? 0.6 : 1) * size(rows.params[p.row]), on: plot.shown(p.row), failed: p.v === null };
			c.globalAlpha = at.on ? 1 : 0.14;
			if (at.failed) { cross(c, at); points.push(at); return; }
			plot.shape(c, plot.kind(p.row), at.x, at.y, at.r);
			c.fillStyle = plot.color(shade(p.row)); c.fill();
			c.lineWidth = many ? 0.4 : 0.9; c.strokeStyle = plot.ink("muted"); c.stroke();
			points.push(at);
		});
		c.globalAlpha = 1;
		finder = plot.grid(points.filter(function (p) { return p.on; }));
	}
	function cross(c, p) {
		if (["queued", "running"].indexOf(rows.state[p.row]) >= 0 || rows.state[p.row] === "done") { p.r = 0; return; }
		p.r = 4;
		c.strokeStyle = plot.ink("bad"); c.lineWidth = 1.6;
		plot.line(c, p.x - 3.5, p.y - 3.5, p.x + 3.5, p.y + 3.5);
		plot.line(c, p.x - 3.5, p.y + 3.5, p.x + 3.5, p.y - 3.5);
	}
	function names(c) {
		var taken = [], right = axes.left + axes.w;
		function put(text, v, ink, up) {
			var y = py(v) - 8;
			if (taken.some(function (t) { return Math.abs(t - y) < 15; })) return;
			taken.push(y);
			c.fillStyle = plot.ink(ink); c.textAlign = "right";
			plot.words(c, f.cut(text, 32), right - 4, y);
		}
		c.font = plot.type(11.5); c.textBaseline = "middle";
		if (steps.length) put("best: " + rows.label[steps[steps.length - 1].row], steps[steps.length - 1].v, "text");
		if (target() !== null) put("target " + f.metric(target()), target(), "line-2");
		bases().forEach(function (row) { put(rows.label[row], nab.judge(row).value, "line-1"); });
		if (mode === "seconds" && nab.known(data.seconds) && data.seconds < axes.x.high) {
			c.textAlign = "right"; c.fillStyle = plot.ink("line-2");
			plot.words(c, "time budget", px(data.seconds) - 5, axes.top + 8);
		}
	}
	function over(c) {
		points.forEach(function (p) {
			if (p.row === nab.state.current) plot.ring(c, p.x, p.y, 10, "line-1", 2);
			if (p.row === nab.state.hover) plot.ring(c, p.x, p.y, 10, "line-1", 3);
		});
	}
	function words(list, mean) {
		var done = list.filter(function (p) { return p.v !== null; }).length, end = steps[steps.length - 1], lost;
		lost = list.filter(function (p) { return p.v === null && ["queued", "running", "done"].indexOf(rows.state[p.row]) < 0; }).length;
		var text = !end ? "No candidate has a result yet." : "The best of " + done + " candidates, " + rows.label[end.row] + " (" + f.metric(end.v) + "), was number " + (sequence.indexOf(end.row) + 1) + ". " +
			(mean.length > 1 ? "The band is a moving average of " + mean.wide + " results, with one standard deviation. " : "") + (lost ? "Crosses at the bottom: " + lost + " without a result." : "");
		if (note.textContent !== text) note.textContent = text;
		chart.canvas.setAttribute("aria-label", "Line of the best so far over " + (mode === "seconds" ? "seconds of training" : "candidates") + ", a mark for each candidate. " + text);
	}

	/* ---- controls ---- */
	var tabs = [["candidates", "over candidates"], ["seconds", "over training time"]].map(function (t) {
		return make("button", { "data-mode": t[0], "aria-pressed": t[0] === mode ? "true" : "false", on: { click: function () {
			mode = t[0];
			tabs.forEach(function (b) { nab.press(b, b.dataset.mode === mode); });
			chart.paint();
		} } }, t[1]);
	});
	live.append(make("div", { class: "card pad" }, timed ? make("div", { class: "bar" }, make("span", { class: "tabs", role: "group", "aria-label": "over what" }, tabs)) : null));
	var chart = plot.surface(live.lastChild, function (w) { return Math.max(300, Math.min(440, w * 0.4)); }, paint, over);
	live.lastChild.append(make("div", { class: "keys" }, make("span", { class: "key line best" }, make("i"), "best so far"), make("span", { class: "key line mean" }, make("i"), "moving average"),
		bases().length ? make("span", { class: "key line dashed" }, make("i"), "baselines") : null));
	var note = live.lastChild.appendChild(make("p", { class: "note" }));
	chart.canvas.setAttribute("role", "img");
	function under(e) { var at = plot.at(e, chart.canvas); return finder && finder.near(at[0], at[1], 8); }
	chart.top.addEventListener("pointermove", function (e) {
		var p = under(e);
		chart.top.style.cursor = p ? "pointer" : "default";
		if (!p) return plot.leave();
		plot.hover(p.row, [e.clientX, e.clientY]);
	});
	chart.top.addEventListener("pointerleave", plot.leave);
	chart.top.addEventListener("click", function (e) {
		var p = under(e);
		if (p && e.shiftKey) nab.pin(p.row);
		else if (p) nab.choose(p.row, false);
	});
	nab.on("judge", chart.paint);
	nab.on("filter", chart.paint);
	plot.onBrush(chart.paint);
	nab.on("hover", chart.paintOver);
	nab.on("current", chart.paintOver);
	nab.progress = {
		best: function () { chart.fresh(); return steps.map(function (p) { return p.row; }); },
		average: function () { return average(series()); },
		series: series
	};
});
