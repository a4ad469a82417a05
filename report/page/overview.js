/* report/page/overview.js - all models in one picture: a scatter with axes of choice, or a map where near means alike.
 * Darkness is accuracy under what is judged by, the radius is the logarithm of the parameters; the Pareto front is of
 * the models that are shown. nab.overview tells tests and the curious what was drawn. */
nab.view("overview", function (section, data) {
	"use strict";
	var rows = nab.rows, plot = nab.plot, f = nab.format, live = section.querySelector(".live"), make = nab.make, known = nab.known;
	var points = [], by = [], axes = null, members = [], tolerated = [], shade = null, size = plot.radius(), old = null, fresh = [];
	var zoom = null, drag = null, focusable = [], moving = 0, finder = null;
	var order = [], mode = { view: "cost", x: "params", y: "accuracy", front: "value", newest: false };
	var margin = { left: 66, right: 20, top: 30, bottom: 48 };
	if (!live) return;

	/* ---- what can stand on an axis ---- */
	var share = nab.data.classify, metric = nab.data.metric.name, column = nab.column;
	data.id.map(function (id, row) { return row; }).sort(function (a, b) { return data.id[a] - data.id[b]; }).forEach(function (row, k) { order[row] = k + 1; });
	var choices = [
		{ key: "accuracy", title: "validation " + metric, value: nab.value, judged: true, more: true, share: share },
		{ key: "score", title: "score of the study", value: column("score"), more: true },
		{ key: "train", title: "training " + metric, value: column("train"), more: true, share: share },
		{ key: "test", title: "test " + metric, value: column("test"), more: true, share: share },
		{ key: "params", title: "parameters", value: column("params") },
		{ key: "macs", title: "multiply-adds per example", value: column("macs") },
		{ key: "seconds", title: "seconds of training", value: column("seconds"), seconds: true },
		{ key: "forward", title: "forward time per example", value: column("forward"), seconds: true },
		{ key: "backward", title: "backward time per example", value: column("backward"), seconds: true },
		{ key: "epochs", title: "epochs", value: column("epochs"), whole: true },
		{ key: "depth", title: "depth", value: column("depth"), whole: true },
		{ key: "layers", title: "layers", value: column("layers"), whole: true },
		{ key: "order", title: "order in which they were proposed", value: function (row) { return order[row]; }, whole: true }
	].filter(function (c) {
		var seen = {};
		rows.label.forEach(function (l, row) { var v = c.value(row); if (known(v)) seen[v] = true; });
		if (c.key === "score") return rows.score.some(function (v, row) { return known(v) && Math.abs(v - rows.accuracy[row]) > 1e-9; });
		return c.judged || c.key === "params" || Object.keys(seen).length > 1;
	});
	function choice(key) { return choices.filter(function (c) { return c.key === key; })[0]; }
	if (!choice("params")) mode.x = choices.length > 1 ? choices[1].key : "accuracy";
	var maps = (data.maps || []).filter(function (m) { return m.x.some(nab.known); });
	function map() { return maps.filter(function (m) { return m.id === mode.view; })[0]; }
	order.map(function (o, row) { return row; }).filter(function (row) { return known(rows.accuracy[row]); }).sort(function (a, b) { return data.id[b] - data.id[a]; })
		.slice(0, 5).forEach(function (row) { fresh[row] = true; });

	/* ---- points ---- */
	function axis(c, values, within) {
		var log = !c.judged && !c.whole && plot.spans(values, c.more ? 50 : 6), r = within || plot.range(values, log, 0.06);
		if (c.judged && !within) r = roomy(r);
		return plot.axis({ low: r[0], high: r[1], log: log, share: c.share, seconds: c.seconds, whole: c.whole });
	}
	function roomy(r) { /* whiskers have their place, unless they would press the marks together */
		var most = 0.4 * (r[1] - r[0]), low = r[0], high = r[1];
		for (var row = 0; row < nab.data.ranked; row++) {
			var v = nab.judge(row);
			if (v && known(v.low)) { low = Math.min(low, v.low); high = Math.max(high, v.high); }
		}
		return [Math.max(low, r[0] - most), Math.min(high, r[1] + most)];
	}
	function square(m, w, h) { /* both axes of a map have one scale */
		var x = plot.range(m.x, false, 0.08), y = plot.range(m.y, false, 0.08), scale = Math.max((x[1] - x[0]) / w, (y[1] - y[0]) / h);
		function wide(r, n) { var c = (r[0] + r[1]) / 2; return [c - scale * n / 2, c + scale * n / 2]; }
		return [wide(x, w), wide(y, h)];
	}
	function place(w, h) {
		var m = map(), x, y, fx, fy, r, small = nab.data.n > 2000 ? 0.65 : 1, wide = w - margin.left - margin.right, high = h - margin.top - margin.bottom;
		if (m) {
			r = square(m, wide, high);
			fx = function (row) { return m.x[row]; }; fy = function (row) { return m.y[row]; };
			x = plot.axis({ low: (zoom || r)[0][0], high: (zoom || r)[0][1] }); y = plot.axis({ low: (zoom || r)[1][0], high: (zoom || r)[1][1] });
		} else {
			fx = choice(mode.x).value; fy = choice(mode.y).value;
			x = axis(choice(mode.x), rows.label.map(function (l, row) { return fx(row); }), zoom && zoom[0]);
			y = axis(choice(mode.y), rows.label.map(function (l, row) { return fy(row); }), zoom && zoom[1]);
		}
		axes = { x: x, y: y, left: margin.left, top: margin.top, w: wide, h: high };
		by = []; points = [];
		shade = nab.darkness();
		rows.label.forEach(function (l, row) {
			var p = { row: row, x: margin.left + wide * x.at(fx(row)), y: margin.top + high * (1 - y.at(fy(row))), r: small * size(rows.params[row]), t: shade(row), on: plot.shown(row), how: plot.kind(row) };
			if (!(p.x >= margin.left - 8 && p.x <= w - margin.right + 8 && p.y >= margin.top - 8 && p.y <= h - margin.bottom + 8)) return;
			points.push(by[row] = p);
		});
		/* baselines and the best on top, what is filtered out below */
		points.sort(function (a, b) { return a.on - b.on || (a.how === "square") - (b.how === "square") || (a.t === null ? -1 : a.t) - (b.t === null ? -1 : b.t); });
		finder = plot.grid(points.filter(function (p) { return p.on; }));
		fronts();
	}

	/* ---- front ---- */
	/* Nobody else is at least as good on both axes and better on one. [{ row, x, y }] from the best x to the worst. */
	function pareto(list, xmore, ymore) {
		var out = [], best = -Infinity, i, k, top;
		function good(v, more) { return more ? v : -v; }
		list.sort(function (a, b) { return good(b.x, xmore) - good(a.x, xmore) || good(b.y, ymore) - good(a.y, ymore) || a.row - b.row; });
		for (i = 0; i < list.length; i = k) {
			top = good(list[i].y, ymore);
			for (k = i; k < list.length && list[k].x === list[i].x; k++)
				if (top > best && good(list[k].y, ymore) === top) out.push(list[k]);
			best = Math.max(best, top);
		}
		return out;
	}
	function candidates() {
		var cx = choice(mode.x), cy = choice(mode.y), out = [], row, x, y;
		for (row = 0; row < nab.data.ranked; row++) {
			x = cx.value(row); y = cy.value(row);
			if (known(x) && known(y) && plot.shown(row)) out.push({ row: row, x: x, y: y });
		}
		return out;
	}
	/* Who may be on the front: nobody who costs no more is better for certain. */
	function possible(list, cost, more) {
		var best = -Infinity, out = [], i, k, j;
		function good(v) { return more ? v : -v; }
		list = list.slice().sort(function (a, b) { return good(b[cost]) - good(a[cost]); });
		for (i = 0; i < list.length; i = k) {
			for (k = i; k < list.length && list[k][cost] === list[i][cost]; k++) best = Math.max(best, low(list[k].row));
			for (j = i; j < k; j++) if (nab.judge(list[j].row).high >= best || !known(nab.judge(list[j].row).high)) out.push(list[j]);
		}
		return out;
	}
	function low(row) { var v = nab.judge(row); return v && known(v.low) ? v.low : -Infinity; }
	/* Only steps that chance does not explain: its interval lies above that of the one before. */
	function certain(list) {
		var last = null;
		return list.filter(function (p) {
			if (last && !(low(p.row) > nab.judge(last.row).high)) return false;
			last = p;
			return true;
		});
	}
	function judgedAxis() { return map() ? null : mode.y === "accuracy" && mode.x !== "accuracy" ? "y" : mode.x === "accuracy" && mode.y !== "accuracy" ? "x" : null; }
	function fronts() {
		var cx, cy, list, which = judgedAxis();
		members = []; tolerated = [];
		if (map() || mode.front === "none" || mode.x === mode.y) return;
		cx = choice(mode.x); cy = choice(mode.y); list = candidates();
		members = pareto(list, cx.more, cy.more);
		if (!which || !share) return;
		if (mode.front === "possible") tolerated = possible(list, which === "y" ? "x" : "y", which === "y" ? cx.more : cy.more);
		if (mode.front === "certain") members = which === "y" ? certain(members) : certain(members.reverse()).reverse();
	}

	/* ---- painting ---- */
	function frame(c) {
		var a = axes;
		if (!map()) return plot.scales(c, a, title("y"), title("x"), true);
		c.font = plot.type(12); c.lineWidth = 1; c.textBaseline = "middle";
		c.strokeStyle = plot.ink("grid");
		c.strokeRect(a.left + 0.5, a.top + 0.5, a.w, a.h);
		scaleBar(c);
	}
	function title(which) {
		var c = choice(mode[which]), a = axes[which];
		return c.title + (c.judged && nab.selective() ? " on " + nab.judgedBy() : "") + (a.log ? " (logarithmic)" : "");
	}
	function scaleBar(c) {
		var a = axes, v = a.x.ticks(6), step = v.length > 1 ? v[1] - v[0] : 0, w = step / (a.x.high - a.x.low) * a.w, y = a.top + a.h + 16;
		if (!step) return;
		c.strokeStyle = plot.ink("text"); c.lineWidth = 1.5;
		c.beginPath(); c.moveTo(a.left, y - 4); c.lineTo(a.left, y); c.lineTo(a.left + w, y); c.lineTo(a.left + w, y - 4); c.stroke();
		c.fillStyle = plot.ink("text"); c.textAlign = "left"; c.fillText("distance " + +step.toPrecision(3), a.left + w + 8, y - 2);
	}
	function pixel(p) { return [axes.left + axes.w * axes.x.at(p.x), axes.top + axes.h * (1 - axes.y.at(p.y))]; }
	function stairs(c) {
		var worst, p, last;
		if (members.length < 1) return;
		c.beginPath();
		members.forEach(function (m, k) {
			p = pixel(m);
			if (!k) c.moveTo(p[0], p[1]);
			else { c.lineTo(p[0], last[1]); c.lineTo(p[0], p[1]); }
			last = p;
		});
		worst = choice(mode.x).more ? axes.left : axes.left + axes.w;
		c.lineTo(worst, last[1]);
		c.strokeStyle = plot.ink("muted"); c.lineWidth = 1.5; c.lineJoin = "round"; c.stroke();
	}
	function whiskers(c) {
		var which = judgedAxis();
		if (!which || !share) return;
		c.strokeStyle = plot.ink("text"); c.lineWidth = 1.2; c.globalAlpha = 0.75;
		(tolerated.length ? tolerated.concat(members) : members).forEach(function (m) {
			var v = nab.judge(m.row), p = pixel(m), a, b;
			if (!v || !known(v.low)) return;
			a = which === "y" ? axes.top + axes.h * (1 - axes.y.at(v.low)) : axes.left + axes.w * axes.x.at(v.low);
			b = which === "y" ? axes.top + axes.h * (1 - axes.y.at(v.high)) : axes.left + axes.w * axes.x.at(v.high);
			if (which === "y") { plot.line(c, p[0], a, p[0], b); plot.line(c, p[0] - 3.5, a, p[0] + 3.5, a); plot.line(c, p[0] - 3.5, b, p[0] + 3.5, b); }
			else { plot.line(c, a, p[1], b, p[1]); plot.line(c, a, p[1] - 3.5, a, p[1] + 3.5); plot.line(c, b, p[1] - 3.5, b, p[1] + 3.5); }
		});
		c.globalAlpha = 1;
	}
	function fill(t) { return t === null ? "transparent" : plot.color(t); }
	function marks(c, part) {
		var many = points.length > 1500, base = plot.ink("line-1"), edge = plot.ink("muted"), paper = plot.ink("card");
		points.forEach(function (p) {
			var from = part < 1 && old && old[p.row], x = from ? from.x + (p.x - from.x) * part : p.x, y = from ? from.y + (p.y - from.y) * part : p.y;
			c.globalAlpha = p.on ? 1 : many ? 0.07 : 0.14;
			plot.shape(c, p.how, x, y, p.r);
			c.fillStyle = fill(p.t); c.fill();
			c.lineWidth = p.how === "square" ? 1.75 : p.t === null ? 1.2 : many ? 0.5 : 0.9;
			c.strokeStyle = p.how === "square" ? base : many && p.t !== null ? paper : edge;
			c.stroke();
			if (mode.newest && fresh[p.row]) plot.ring(c, x, y, p.r + 3, "line-0", 2);
		});
		c.globalAlpha = 1;
	}
	/* The front, the baselines and (on a map) the best are named where there is room. */
	function names(c) {
		var taken = [], list = members.map(function (m) { return m.row; }).reverse();
		points.forEach(function (p) { if (p.how === "square" && p.on && list.indexOf(p.row) < 0) list.push(p.row); });
		if (map()) list = points.filter(function (p) { return p.on && p.t !== null && p.how !== "square"; }).reverse().slice(0, 6).map(function (p) { return p.row; }).concat(list);
		c.font = plot.type(11.5); c.textBaseline = "middle"; c.textAlign = "left";
		points.filter(function (p) { return p.on; }).slice(-400).forEach(function (p) { taken.push([p.x - p.r, p.y - p.r, 2 * p.r, 2 * p.r, p.row]); });
		list.slice(0, 40).forEach(function (row) { name(c, by[row], taken); });
	}
	function name(c, p, taken) {
		var text, w, done;
		if (!p || !p.on) return;
		text = f.cut(rows.label[p.row], 28);
		w = c.measureText(text).width + 4;
		[[p.r + 5, -9], [-p.r - 5 - w, -9], [p.r + 5, 9], [-p.r - 5 - w, 9], [-w / 2, -p.r - 12], [-w / 2, p.r + 12]].some(function (d) {
			var b = [p.x + d[0], p.y + d[1] - 7, w, 14];
			if (b[0] < axes.left || b[0] + b[2] > axes.left + axes.w || b[1] < axes.top || b[1] + b[3] > axes.top + axes.h) return false;
			if (taken.some(function (t) { return t[4] !== p.row && b[0] < t[0] + t[2] && t[0] < b[0] + b[2] && b[1] < t[1] + t[3] && t[1] < b[1] + b[3]; })) return false;
			taken.push(b);
			c.fillStyle = plot.ink(p.how === "square" ? "line-1" : "text");
			plot.words(c, text, b[0] + 2, b[1] + 7);
			return done = true;
		});
		return done;
	}
	function paint(c, w, h) {
		var part = moving ? Math.min(1, (performance.now() - moving) / 450) : 1;
		if (part >= 1) moving = 0;
		part = part < 1 ? 1 - Math.pow(1 - part, 3) : 1;
		place(w, h);
		frame(c);
		c.save(); c.beginPath(); c.rect(axes.left - 8, axes.top - 8, axes.w + 16, axes.h + 16); c.clip();
		if (part === 1) { stairs(c); whiskers(c); }
		marks(c, part);
		if (part === 1) names(c);
		c.restore();
		if (part < 1) chart.paint(); else { focusables(); tell(); }
	}
	function over(c) {
		var s = nab.state;
		s.pinned.forEach(function (row) { if (by[row]) plot.ring(c, by[row].x, by[row].y, by[row].r + 3, "text", 1.5); });
		if (by[s.current]) plot.ring(c, by[s.current].x, by[s.current].y, 10, "line-1", 2);
		if (by[s.hover]) plot.ring(c, by[s.hover].x, by[s.hover].y, 10, "line-1", 3);
		if (drag && drag.to) {
			c.fillStyle = plot.ink("line-0"); c.globalAlpha = 0.12;
			c.fillRect(drag.from[0], drag.from[1], drag.to[0] - drag.from[0], drag.to[1] - drag.from[1]);
			c.globalAlpha = 1; c.strokeStyle = plot.ink("line-0"); c.lineWidth = 1;
			c.strokeRect(drag.from[0], drag.from[1], drag.to[0] - drag.from[0], drag.to[1] - drag.from[1]);
		}
	}
	function change() { /* other axes: marks walk to their new places */
		old = [];
		points.forEach(function (p) { old[p.row] = p; });
		moving = plot.calm() || points.length > 3000 ? 0 : performance.now();
		chart.paint();
	}

	/* ---- words ---- */
	function tell() {
		var m = map(), shown = points.filter(function (p) { return p.on; }).length, x, y;
		if (m) {
			chart.canvas.setAttribute("aria-label", "Map of " + shown + " models: " + m.title + ". Models that stand near each other are alike. " + m.note);
			note.textContent = m.note;
			return;
		}
		x = choice(mode.x); y = choice(mode.y);
		chart.canvas.setAttribute("aria-label", "Scatter plot of " + shown + " models: " + y.title + (nab.selective() ? " on " + nab.judgedBy() : "") + " from " + axes.y.text(+axes.y.low.toPrecision(3)) + " to " + axes.y.text(+axes.y.high.toPrecision(3)) + " against " + x.title + " from " + axes.x.text(+axes.x.low.toPrecision(3)) + " to " + axes.x.text(+axes.x.high.toPrecision(3)) + "." +
			(members.length ? " On the front: " + members.slice(0, 12).map(function (p) { return rows.label[p.row]; }).join(", ") + "." : ""));
		note.textContent = frontWords();
	}
	function frontWords() {
		var n = members.length, which = judgedAxis();
		if (mode.front === "none" || mode.x === mode.y) return "";
		if (mode.front === "possible" && which && share) return "Bars are 95 % intervals. Besides the " + n + " on the line, " + Math.max(0, tolerated.length - members.filter(function (m) { return tolerated.some(function (t) { return t.row === m.row; }); }).length) + " models may belong to the front: no model that costs as little is better for certain.";
		if (mode.front === "certain" && which && share) return "The line takes only the " + n + " steps that chance does not explain: the 95 % interval of each lies above that of the one before.";
		return (n === 1 ? "No other model beats the one on the line on both axes (Pareto front" : "The line joins the " + n + " models that no other beats on both axes (Pareto front") + (which && share ? "; bars are their 95 % intervals" : "") + ").";
	}

	/* ---- keyboard: the front and the best are places where the focus can stop ---- */
	function focusables() {
		var list = members.map(function (m) { return by[m.row]; }).filter(Boolean), had = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.point : undefined;
		points.slice().reverse().forEach(function (p) { if (list.length < 40 && p.on && list.indexOf(p) < 0) list.push(p); });
		focusable = list.sort(function (a, b) { return a.x - b.x || b.y - a.y; });
		keys.replaceChildren.apply(keys, focusable.map(function (p, k) {
			var b = make("button", { class: "point", "data-point": p.row, tabindex: k ? -1 : 0, "aria-label": plot.describe(p.row) + (members.some(function (m) { return m.row === p.row; }) ? ", on the front" : "") });
			b.style.left = p.x + "px";
			b.style.top = p.y + "px";
			b.addEventListener("focus", function () { var r = b.getBoundingClientRect(); plot.hover(p.row, [r.left + r.width / 2, r.top + r.height / 2]); });
			b.addEventListener("blur", plot.leave);
			b.addEventListener("click", function () { nab.choose(p.row, false); });
			return b;
		}));
		if (had !== undefined) nab.all("[data-point='" + had + "']", keys).forEach(function (b) { b.focus({ preventScroll: true }); });
	}
	function key(e) {
		var list = nab.all("button", keys), at = list.indexOf(document.activeElement), to = { ArrowRight: at + 1, ArrowDown: at + 1, ArrowLeft: at - 1, ArrowUp: at - 1, Home: 0, End: list.length - 1 }[e.key];
		if (e.ctrlKey || e.metaKey || e.altKey) return;
		if ((e.key === "p" || e.key === "P") && nab.state.hover >= 0) nab.pin(nab.state.hover);
		else if (e.key === "Escape") reset();
		else if (e.key === "+" || e.key === "-") scale(e.key === "+" ? 0.7 : 1 / 0.7, [axes.left + axes.w / 2, axes.top + axes.h / 2]);
		else if (to !== undefined && list[to]) {
			list.forEach(function (b) { b.tabIndex = -1; });
			list[to].tabIndex = 0;
			list[to].focus();
		} else return;
		e.preventDefault();
	}

	/* ---- pointer ---- */
	function under(e) { var at = plot.at(e, chart.canvas); return finder && finder.near(at[0], at[1], 8); }
	function move(e) {
		var p;
		if (drag) {
			drag.to = plot.at(e, chart.canvas);
			if (Math.hypot(drag.to[0] - drag.from[0], drag.to[1] - drag.from[1]) < 6) drag.to = null;
			chart.paintOver();
			return;
		}
		p = under(e);
		chart.top.style.cursor = p ? "pointer" : "crosshair";
		if (!p) return plot.leave();
		plot.hover(p.row, [e.clientX, e.clientY]);
	}
	function release(e) {
		var d = drag, p = under(e), a, b;
		drag = null;
		if (!d) return;
		if (d.to) {
			a = inside(d.from); b = inside(d.to);
			if (Math.abs(a[0] - b[0]) > 0.01 && Math.abs(a[1] - b[1]) > 0.01)
				setZoom([[Math.min(a[0], b[0]), Math.max(a[0], b[0])], [Math.min(a[1], b[1]), Math.max(a[1], b[1])]]);
			chart.paintOver();
		} else if (p && e.shiftKey) nab.pin(p.row);
		else if (p) nab.choose(p.row, false);
	}
	function inside(at) {
		return [Math.max(0, Math.min(1, (at[0] - axes.left) / axes.w)), Math.max(0, Math.min(1, 1 - (at[1] - axes.top) / axes.h))];
	}
	function setZoom(part) { /* in shares of what is seen now */
		zoom = [part[0].map(axes.x.value), part[1].map(axes.y.value)];
		back.hidden = false;
		plot.leave();
		change();
	}
	function scale(by, at) {
		var c = inside(at);
		setZoom([[c[0] - c[0] * by, c[0] + (1 - c[0]) * by], [c[1] - c[1] * by, c[1] + (1 - c[1]) * by]]);
		moving = 0;
	}
	function reset() { if (!zoom) return; zoom = null; back.hidden = true; change(); }

	/* ---- controls ---- */
	function select(id, text, list, value, then) {
		var s = make("select", { id: id, on: { change: function () { then(s.value); } } }, list.map(function (o) { return make("option", { value: o[0], selected: o[0] === value }, o[1]); }));
		return make("span", { class: "field" }, make("label", { class: "k", for: id }, text), s);
	}
	var pairs = choices.map(function (c) { return [c.key, c.title]; });
	function pick(which) { return function (v) { mode[which] = v; zoom = null; back.hidden = true; change(); }; }
	var views = [{ id: "cost", title: (share ? "Accuracy" : metric) + " and cost" }].concat(maps), tabs = views.map(function (v) {
		return make("button", { "data-view": v.id, "aria-pressed": v.id === mode.view ? "true" : "false", on: { click: function () {
			mode.view = v.id; zoom = null; back.hidden = true;
			tabs.forEach(function (t) { nab.press(t, t.dataset.view === v.id); });
			fields.hidden = v.id !== "cost";
			change();
		} } }, v.title);
	});
	var fields = make("span", { class: "fields" }, select("overview-y", "up", pairs, mode.y, pick("y")), select("overview-x", "across", pairs, mode.x, pick("x")),
		select("overview-front", "front", [["value", "as measured"]].concat(share ? [["possible", "with all that may belong to it"], ["certain", "certain steps only"]] : [], [["none", "none"]]), mode.front, function (v) { mode.front = v; chart.paint(); }));
	var newest = make("label", { class: "k check" }, make("input", { type: "checkbox", on: { change: function (e) { mode.newest = e.target.checked; legend(); chart.paint(); } } }), "newest five");
	var back = make("button", { hidden: true, on: { click: reset } }, "whole picture");
	var tone = make("span");
	live.append(make("p", { class: "sub" }, "A mark is a model: the ", tone, ", the more accurate; the larger, the more parameters. Click to choose, shift-click or P to pin; drag a box or Ctrl and wheel to zoom."),
		make("div", { class: "card pad" }, make("div", { class: "bar" }, tabs.length > 1 ? make("span", { class: "tabs", role: "group", "aria-label": "what places the models" }, tabs) : null, fields, newest, back)));
	var card = live.lastChild, holder = card.appendChild(make("div", { class: "stage" }));
	var chart = plot.surface(holder, function (w) { return Math.max(320, Math.min(580, w * 0.5)); }, paint, over);
	var keys = chart.holder.appendChild(make("div", { class: "points", role: "group", "aria-label": "best models, from left to right; arrow keys move, Enter chooses, P pins" }));
	var legendBox = card.appendChild(make("div", { class: "keys" })), note = card.appendChild(make("p", { class: "note", "aria-live": "polite" }));
	chart.canvas.setAttribute("role", "img");
	chart.top.addEventListener("pointermove", move);
	chart.top.addEventListener("pointerleave", function () { if (!drag) plot.leave(); });
	chart.top.addEventListener("pointerdown", function (e) {
		if (e.button) return;
		drag = { from: plot.at(e, chart.canvas), to: null };
		chart.top.setPointerCapture(e.pointerId);
	});
	chart.top.addEventListener("pointerup", release);
	chart.top.addEventListener("pointercancel", function () { drag = null; chart.paintOver(); });
	chart.top.addEventListener("dblclick", reset);
	chart.top.addEventListener("wheel", function (e) { /* the wheel alone scrolls the page */
		if (!e.ctrlKey && !e.metaKey) return;
		e.preventDefault();
		scale(Math.exp(Math.max(-60, Math.min(60, e.deltaY)) / 200), plot.at(e, chart.canvas));
	}, { passive: false });
	chart.holder.addEventListener("keydown", key);

	/* ---- legend ---- */
	function legend() {
		var low = Infinity, high = -Infinity, bar, few = [Infinity, 0], sizes;
		rows.label.forEach(function (l, row) {
			var v = nab.judge(row), p = rows.params[row];
			if (v) { low = Math.min(low, v.value); high = Math.max(high, v.value); }
			if (p > 0) few = [Math.min(few[0], p), Math.max(few[1], p)];
		});
		bar = make("span", { class: "ramp" }, Array.apply(null, Array(32)).map(function (u, k) {
			return make("i", { style: { background: plot.color(k / 31) } });
		}));
		tone.textContent = nab.dark() ? "brighter" : "darker";
		sizes = [few[0], Math.sqrt(few[0] * few[1]), few[1]].filter(function (p, k, list) { return isFinite(p) && (!k || p > list[k - 1]); });
		legendBox.replaceChildren(make("span", { class: "key" }, make("span", metric + (nab.selective() ? " on " + nab.judgedBy() : "")), high >= low ? f.metric(low) : "", bar, high >= low ? f.metric(high) : ""),
			make("span", { class: "key" }, "parameters", sizes.map(function (p) {
				var r = size(p);
				return [nab.svg("svg", { width: 16, height: 16, "aria-hidden": "true" }, nab.svg("circle", { cx: 8, cy: 8, r: r, class: "f-muted" })), f.short(p)];
			})),
			rows.origin.indexOf("baseline") < 0 ? "" : make("span", { class: "key base" }, make("i"), "baseline"),
			rows.inherited.some(Boolean) ? make("span", { class: "key" }, "\u25c6 inherited weights, not on the front") : "",
			make("span", { class: "key ringed" }, make("i"), "chosen"),
			mode.newest ? make("span", { class: "key ringed new" }, make("i"), "newest five") : "");
	}

	/* ---- others ---- */
	nab.on("judge", function () { legend(); chart.paint(); });
	nab.on("theme", legend);
	nab.on("filter", chart.paint);
	plot.onBrush(chart.paint);
	["hover", "current", "pinned"].forEach(function (v) { nab.on(v, chart.paintOver); });
	if (!choices.length) live.hidden = true;
	nab.overview = {
		point: function (row) { chart.fresh(); var p = by[row]; return p ? { x: p.x, y: p.y, r: p.r, fill: fill(p.t), on: p.on, how: p.how } : null; },
		front: function () { chart.fresh(); return members.map(function (m) { return m.row; }); },
		possible: function () { chart.fresh(); return tolerated.map(function (m) { return m.row; }); },
		axes: function () { chart.fresh(); return { x: [axes.x.low, axes.x.high, !!axes.x.log], y: [axes.y.low, axes.y.high, !!axes.y.log], box: [axes.left, axes.top, axes.w, axes.h] }; },
		maps: maps, pareto: pareto
	};
});
